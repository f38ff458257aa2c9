import { Clock, Duration, Effect } from "effect"
import { type EngineId, isOldFormOf } from "../domain/EngineId.ts"
import { type Moment, momentOf } from "../domain/Expiry.ts"
import { ContainerEngine } from "../ports/ContainerEngine.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import { PassRefused, passError } from "./PassRefused.ts"

/** What a pass may rely on: its one moment and the engine that the records' containers live on. */
export interface OpenedPass {
  readonly moment: Moment
  readonly engineId: EngineId
}

export interface OpenOptions {
  readonly retention: Duration.Duration
  /** How far this service's clock and the database's may be apart. */
  readonly maxClockSkew: Duration.Duration
  /** `false` for read-only callers: the engine is not recorded and the brake is ignored. */
  readonly touch: boolean
  /** A person says that most containers may be absent: lets go of the brake. */
  readonly acceptAbsent?: boolean
}

/** Both clocks, Unix milliseconds. Refused where they are too far apart to judge by, however long the answer took. */
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

/** The engine, if it is the known one, or the first that is seen. What an earlier version wrote of it is completed. */
export const expectedEngine = Effect.fnUntraced(function* (
  engine: ContainerEngine["Service"],
  known: KnownEngine["Service"],
  options: { readonly remember: boolean }
) {
  const present = yield* Effect.mapError(engine.identity, PassRefused.engineDown)
  const stored =
    (yield* known.read) ?? (options.remember ? yield* known.remember(present) : { id: present, braked: false })
  const expected = !isOldFormOf(stored.id, present)
    ? stored
    : options.remember
      ? yield* known.widen(stored.id, present)
      : { ...stored, id: present }
  if (expected.id !== present) return yield* PassRefused.engineChanged(expected.id, present)
  return expected
})

/** What refuses every pass over a braked engine. */
export const braked = PassRefused.absentBrake(
  "in an earlier pass containers that should be on the engine were not there"
)

/**
 * Asks the database's clock and who the engine is. Refused where the clocks disagree, the engine does not answer, is not
 * the known one, or an earlier pass has put the brake on.
 */
export const openPass = Effect.gen(function* () {
  const records = yield* RuntimeRecords
  const engine = yield* ContainerEngine
  const known = yield* KnownEngine
  return Effect.fnUntraced(function* ({ retention, maxClockSkew, touch, acceptAbsent }: OpenOptions) {
    const clocks = yield* believableClocks(records, maxClockSkew)
    const expected = yield* expectedEngine(engine, known, { remember: touch })
    if (touch && acceptAbsent) yield* known.accept(expected.id)
    else if (touch && expected.braked) return yield* braked
    return { moment: momentOf(clocks, retention), engineId: expected.id } satisfies OpenedPass
  })
})
