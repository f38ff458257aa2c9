import { Effect } from "effect"
import { type EngineId, isOldFormOf } from "../../domain/EngineId.ts"
import type { EngineName } from "../../domain/EngineName.ts"
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
  const now = touch ? yield* completed(known, found, present) : asIfCompleted(found, present)
  return yield* isItself(known.name, now, present)
})

/** Fails unless the engine that answers is the one that has this name, and this name alone. */
const isItself = (name: EngineName, { known, otherName }: Recognized, present: EngineId) => {
  if (otherName !== undefined) return PassRefused.engineOfAnother(name, otherName, present)
  if (known === undefined) return PassRefused.cannotRecord(`cleanup_engines does not keep the engine ${name}`)
  return known.id === present ? Effect.succeed(known) : PassRefused.engineChanged(known.id, present)
}

/** What a pass would find known after it had stored that. */
const asIfCompleted = ({ known, otherName }: Recognized, present: EngineId): Recognized => {
  const isStored = known !== undefined && !isOldFormOf(known.id, present)
  return { known: isStored ? known : { braked: false, retention: undefined, ...known, id: present }, otherName }
}

/** A person says that this is the engine, whose containers may be absent. */
export const accepted = Effect.fnUntraced(function* (known: KnownEngine["Service"], present: EngineId) {
  return yield* isItself(known.name, yield* known.accept(present), present)
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
