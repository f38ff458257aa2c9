import { Effect } from "effect"
import { type EngineId, isOldFormOf } from "../../domain/EngineId.ts"
import { PassRefused } from "../../domain/PassRefused.ts"
import type { ContainerEngine } from "../../ports/ContainerEngine.ts"
import type { KnownEngine } from "../../ports/KnownEngine.ts"

/** The engine, if it is the known one or the first one seen. An identity that an earlier version stored is completed. */
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

const expectUnchanged = Effect.fnUntraced(function* (engine: ContainerEngine["Service"], engineId: EngineId) {
  const present = yield* engine.identity
  if (present !== engineId) return yield* PassRefused.engineChanged(engineId, present)
})

/**
 * A look at the engine between two questions for its identity. If the engine behind the address is swapped once, so that
 * the look is not at the engine that the pass began with, one of the two answers shows it, and this fails.
 */
export const onSameEngine = Effect.fnUntraced(function* <A, E>(
  engine: ContainerEngine["Service"],
  engineId: EngineId,
  look: Effect.Effect<A, E>
) {
  yield* expectUnchanged(engine, engineId)
  const seen = yield* look
  yield* expectUnchanged(engine, engineId)
  return seen
})
