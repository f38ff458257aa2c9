import { Effect } from "effect"
import type { ContainerId } from "../domain/ContainerId.ts"
import type { ContainerEngine, ContainerEngineError } from "../ports/ContainerEngine.ts"
import type { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import type { StoreError } from "../ports/StoreError.ts"
import type { OpenedPass } from "./openPass.ts"
import type { PassRefused } from "./PassRefused.ts"
import { isKnown } from "./underLease.ts"

/** So few due games may well have lost their containers, and the engine with them all that it had. */
const fewest = 2

/**
 * What the engine has besides the games that are looked for: `seen` if anything speaks for it, else why not. `none` of
 * the containers that should be there is, or no record names one and the engine is `empty`.
 */
export type Testimony =
  | { readonly _tag: "seen" }
  | { readonly _tag: "none"; readonly asked: number }
  | { readonly _tag: "empty" }

/**
 * Asks for the containers of up to ten games that are not due. Where none is there, the engine is asked who it is, then
 * for them once more, then again who it is, so that another engine behind the address is not blamed on this one. A failure
 * means that nothing is known; a container that cannot be asked for fails it unless another one is there.
 */
export const testimony = Effect.fnUntraced(function* (
  engine: ContainerEngine["Service"],
  records: RuntimeRecords["Service"],
  { moment, engineId }: OpenedPass
): Effect.fn.Return<Testimony, ContainerEngineError | StoreError | PassRefused> {
  const { others, due } = yield* records.witnesses(moment)
  if (others.length > 0) {
    if (yield* anyThere(engine, others)) return { _tag: "seen" }
    yield* isKnown(engine, { engineId })
    const isThere = yield* anyThere(engine, others)
    yield* isKnown(engine, { engineId })
    return isThere ? { _tag: "seen" } : { _tag: "none", asked: others.length }
  }
  if (due < fewest || (yield* engine.count) > 0) return { _tag: "seen" }
  yield* isKnown(engine, { engineId })
  return { _tag: "empty" }
})

const anyThere = Effect.fnUntraced(function* (engine: ContainerEngine["Service"], others: ReadonlyArray<ContainerId>) {
  const looks = yield* Effect.forEach(others, (id) => Effect.result(engine.inspect(id)), {
    concurrency: "unbounded"
  })
  if (looks.some((look) => look._tag === "Success" && look.success !== undefined)) return true
  for (const look of looks) yield* Effect.fromResult(look)
  return false
})
