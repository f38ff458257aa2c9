import { Effect, Ref } from "effect"
import type { EngineId } from "../../domain/EngineId.ts"
import { PassRefused } from "../../domain/PassRefused.ts"
import type { KnownEngine } from "../../ports/KnownEngine.ts"
import type { StoreError } from "../../ports/StoreError.ts"

/** What refuses every pass over a braked engine. */
export const brakeIsOn = PassRefused.absentBrake(
  "in an earlier pass containers that should be on the engine were not there"
)

/**
 * The brake beyond the pass that put it on: stored with the engine, it refuses every later pass. One that could not be stored
 * holds this process all the same, and is stored by its next pass.
 */
export interface StoredBrake {
  /** Stores the brake that a pass has put on. Never fails: if it cannot be stored, that is logged. */
  readonly putOn: (engineId: EngineId) => Effect.Effect<void>
  /** Stores a brake that could not be stored before, and fails with `PassRefused`; succeeds if there is none. */
  readonly refuseIfUnstored: (engineId: EngineId) => Effect.Effect<void, PassRefused | StoreError>
  /** A person has accepted the absent containers. */
  readonly release: Effect.Effect<void>
}

export const make = Effect.fnUntraced(function* (known: KnownEngine["Service"]) {
  const isUnstored = yield* Ref.make(false)
  const store = Effect.fnUntraced(function* (engineId: EngineId) {
    yield* Ref.set(isUnstored, true)
    yield* known.brake(engineId)
    yield* Ref.set(isUnstored, false)
  })
  return {
    putOn: (engineId) =>
      Effect.catch(store(engineId), ({ message }) =>
        Effect.annotateLogs(Effect.logError("cleanup.pass.brake_not_stored"), { message })
      ),
    refuseIfUnstored: Effect.fnUntraced(function* (engineId: EngineId) {
      if (!(yield* Ref.get(isUnstored))) return
      yield* store(engineId)
      return yield* brakeIsOn
    }),
    release: Ref.set(isUnstored, false)
  } satisfies StoredBrake
})
