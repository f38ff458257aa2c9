import { Clock, Duration, Effect } from "effect"
import type { EngineId } from "../../domain/EngineId.ts"
import type { EngineName } from "../../domain/EngineName.ts"
import { type Moment, momentOf } from "../../domain/Expiry.ts"
import { PassRefused } from "../../domain/PassRefused.ts"
import { pauseMeasured } from "../../observability/passTelemetry.ts"
import { ContainerEngine } from "../../ports/ContainerEngine.ts"
import { KnownEngine } from "../../ports/KnownEngine.ts"
import { Pauses } from "../../ports/Pauses.ts"
import { RuntimeRecords } from "../../ports/RuntimeRecords.ts"
import { passError } from "../../ports/StoreError.ts"
import { accepted, expectedEngine } from "../engine/expectedEngine.ts"
import { brakeIsOn } from "../engine/StoredBrake.ts"
import { retentionRefusal } from "./retentionGuard.ts"

/** What a pass may rely on: its one moment and the engine that its records' containers live on. */
export interface OpenedPass {
  readonly moment: Moment
  readonly engineName: EngineName
  readonly engineId: EngineId
  /** What would refuse a pass now. Only read-only callers find something: a pass is refused by it. */
  readonly wouldRefuse: PassRefused | undefined
}

export interface OpenOptions {
  readonly retention: Duration.Duration
  /** How far this service's clock and the database's may be apart. */
  readonly maxClockSkew: Duration.Duration
  /** `false` for read-only callers: nothing is stored, and neither brake, pause nor retention refuses them. */
  readonly touch: boolean
  /** A person says that containers may be absent: releases the brake. */
  readonly acceptAbsent?: boolean
  /** What the retention is to this pass: `last`, from then on the one that was last used; or nothing, if no age counts. */
  readonly retentionIs?: "last" | "used" | "nothing"
}

/** Both clocks, Unix milliseconds. Refused if they are too far apart; a slow answer alone is no reason. */
export const believableClocks = Effect.fnUntraced(function* (
  records: RuntimeRecords["Service"],
  maxClockSkew: Duration.Duration
) {
  const before = yield* Clock.currentTimeMillis
  const database = yield* Effect.mapError(records.clock, passError)
  const after = yield* Clock.currentTimeMillis
  const ahead = before > database ? before - database : Math.min(0, after - database)
  if (Math.abs(ahead) > Duration.toMillis(maxClockSkew)) return yield* PassRefused.clockSkew(ahead, maxClockSkew)
  return { service: Math.min(before, after), database }
})

/**
 * Asks the database for its clock and whether a person has paused cleaning, and the engine for its identity. Refused if the
 * clocks disagree, if cleaning is paused, if the engine does not answer or is not the known one, if an earlier pass has put
 * the brake on, or if the retention has become so much shorter that many games are due at once.
 */
export const openPass = Effect.gen(function* () {
  const records = yield* RuntimeRecords
  const engine = yield* ContainerEngine
  const known = yield* KnownEngine
  const pauses = yield* Pauses
  return Effect.fnUntraced(function* (options: OpenOptions) {
    const { acceptAbsent, maxClockSkew, retention, retentionIs = "last", touch } = options
    const clocks = yield* believableClocks(records, maxClockSkew)
    const guard = (refusal: PassRefused | undefined) =>
      touch && refusal !== undefined ? Effect.fail(refusal) : Effect.succeed(refusal)
    const pause = yield* touch ? pauses.beginPass : pauses.current
    yield* pauseMeasured(pause)
    const paused = yield* guard(pause && PassRefused.pausedBy(pause))
    const expected = yield* expectedEngine(engine, known, { touch })
    if (touch && acceptAbsent) yield* accepted(known, expected.id)
    const braked = yield* guard(expected.braked && !acceptAbsent ? brakeIsOn : undefined)
    const moment = momentOf(clocks, retention)
    const keeps = touch && retentionIs === "last"
    const shortened =
      retentionIs === "nothing"
        ? undefined
        : yield* guard(yield* retentionRefusal(known, records, { expected, moment, retention, keeps }))
    return {
      moment,
      engineName: known.name,
      engineId: expected.id,
      wouldRefuse: paused ?? braked ?? shortened
    } satisfies OpenedPass
  })
})
