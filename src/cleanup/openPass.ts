import { Clock, type Duration, Effect } from "effect"
import { cutoffAt } from "../domain/Expiry.ts"
import { ContainerEngine, type EngineId } from "../ports/ContainerEngine.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import { PassRefused } from "./PassRefused.ts"

/** What a pass may rely on: its one cutoff (Unix milliseconds) and the engine that the records' containers live on. */
export interface OpenedPass {
  readonly cutoff: number
  readonly engineId: EngineId
}

/**
 * Asks the database's clock and who the engine is. Refused where the engine does not answer or is not the known one.
 * An engine is remembered at first sight, unless `remember` is false.
 */
export const openPass = Effect.gen(function* () {
  const records = yield* RuntimeRecords
  const engine = yield* ContainerEngine
  const known = yield* KnownEngine
  return Effect.fnUntraced(function* (options: { readonly retention: Duration.Duration; readonly remember: boolean }) {
    const database = yield* records.clock
    const service = yield* Clock.currentTimeMillis
    const present = yield* Effect.mapError(engine.identity, PassRefused.engineDown)
    const expected = (yield* known.read) ?? (options.remember ? yield* known.remember(present) : present)
    if (expected !== present) return yield* PassRefused.engineChanged(expected, present)
    return {
      cutoff: cutoffAt({ service, database, retention: options.retention }),
      engineId: present
    } satisfies OpenedPass
  })
})
