import { Effect } from "effect"
import { type EngineId, isOldFormOf } from "../../domain/EngineId.ts"
import { PassRefused } from "../../domain/PassRefused.ts"
import type { ContainerEngine } from "../../ports/ContainerEngine.ts"
import type { KnownEngine, Recognized } from "../../ports/KnownEngine.ts"

/**
 * The engine, if it is the known one or the first one seen under this name, and has no other name. An identity that an
 * earlier version stored is completed. `touch`: a pass begins; else nothing is stored.
 */
export const expectedEngine = Effect.fnUntraced(function* (
  engine: ContainerEngine["Service"],
  known: KnownEngine["Service"],
  { touch }: { readonly touch: boolean }
) {
  const present = yield* Effect.mapError(engine.identity, PassRefused.engineDown)
  const found = yield* touch ? known.beginPass(present) : known.recognize(present)
  const { known: stored = { id: present, braked: false }, otherName } = touch
    ? yield* completed(known, found, present)
    : found
  if (otherName !== undefined) return yield* PassRefused.engineOfAnother(known.name, otherName, present)
  const expected = !touch && isOldFormOf(stored.id, present) ? { ...stored, id: present } : stored
  if (expected.id !== present) return yield* PassRefused.engineChanged(expected.id, present)
  return expected
})

const completed = (known: KnownEngine["Service"], found: Recognized, present: EngineId) => {
  if (found.otherName !== undefined) return Effect.succeed(found)
  if (found.known === undefined) return known.remember(present)
  return isOldFormOf(found.known.id, present) ? known.widen(found.known.id, present) : Effect.succeed(found)
}

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
