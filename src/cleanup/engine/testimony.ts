import { Effect } from "effect"
import type { ContainerId } from "../../domain/ContainerId.ts"
import type { EngineId } from "../../domain/EngineId.ts"
import type { Moment } from "../../domain/Expiry.ts"
import type { PassRefused } from "../../domain/PassRefused.ts"
import type { ContainerEngine, ContainerEngineError } from "../../ports/ContainerEngine.ts"
import type { RuntimeRecords } from "../../ports/RuntimeRecords.ts"
import type { StoreError } from "../../ports/StoreError.ts"
import { onSameEngine } from "./expectedEngine.ts"

/** With a single due game, its container may really have been the only one on the engine. */
const fewest = 2

/**
 * What the engine has besides the container that was not there. `seen`: something speaks for the engine. `none`: not one of the
 * containers that should be there is. `noneDue`: no game that is not due names a container, and those of the due games
 * are not there either.
 */
export type Testimony = { readonly _tag: "seen" } | { readonly _tag: "none" | "noneDue"; readonly asked: number }

/**
 * Looks for the containers of up to ten games that are not due, or of ten due ones if there are no others. Containers that no
 * record names say nothing, because another host's engine has some, too. A game that is cleaned `byHand` counts as due: it is not
 * its own witness. If nothing is there, checks
 * the engine's identity, looks again, and checks the identity again, so that this engine is not blamed for another one behind its address. A failure means that nothing is known; a container that cannot be looked for
 * is a failure unless another one is there.
 */
export const testimony = Effect.fnUntraced(function* (
  engine: ContainerEngine["Service"],
  records: RuntimeRecords["Service"],
  {
    byHand,
    engineId,
    moment
  }: { readonly byHand?: string | undefined; readonly engineId: EngineId; readonly moment: Moment }
): Effect.fn.Return<Testimony, ContainerEngineError | StoreError | PassRefused> {
  const { others, due } = yield* records.witnesses(moment, byHand)
  if (others.length === 0 && due.length < fewest) return { _tag: "seen" }
  const asked = others.length > 0 ? others : due
  const anySpeaksFor = anyThere(engine, asked)
  if (yield* anySpeaksFor) return { _tag: "seen" }
  if (yield* onSameEngine(engine, engineId, anySpeaksFor)) return { _tag: "seen" }
  return { _tag: others.length > 0 ? "none" : "noneDue", asked: asked.length }
})

const anyThere = Effect.fnUntraced(function* (engine: ContainerEngine["Service"], others: ReadonlyArray<ContainerId>) {
  const looks = yield* Effect.forEach(others, (id) => Effect.result(engine.inspect(id)), {
    concurrency: "unbounded"
  })
  if (looks.some((look) => look._tag === "Success" && look.success !== undefined)) return true
  for (const look of looks) yield* Effect.fromResult(look)
  return false
})
