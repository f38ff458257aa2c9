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
 * What the engine has besides the games that are looked for. `seen`: something speaks for the engine. `none`: not one of the
 * containers that should be there is. `empty`: no record names such a container, and the engine has none at all.
 */
export type Testimony =
  | { readonly _tag: "seen" }
  | { readonly _tag: "none"; readonly asked: number }
  | { readonly _tag: "empty" }

/**
 * Looks for the containers of up to ten games that are not due, or counts all containers if there are no such games. If
 * nothing is there, checks the engine's identity, looks again, and checks the identity again, so that this engine is not
 * blamed for another one behind its address. A failure means that nothing is known; a container that cannot be looked for
 * is a failure unless another one is there.
 */
export const testimony = Effect.fnUntraced(function* (
  engine: ContainerEngine["Service"],
  records: RuntimeRecords["Service"],
  { moment, engineId }: { readonly moment: Moment; readonly engineId: EngineId }
): Effect.fn.Return<Testimony, ContainerEngineError | StoreError | PassRefused> {
  const { others, due } = yield* records.witnesses(moment)
  const named = others.length > 0
  if (!named && due < fewest) return { _tag: "seen" }
  const anySpeaksFor = named ? anyThere(engine, others) : Effect.map(engine.count, (containers) => containers > 0)
  if (yield* anySpeaksFor) return { _tag: "seen" }
  if (yield* onSameEngine(engine, engineId, anySpeaksFor)) return { _tag: "seen" }
  return named ? { _tag: "none", asked: others.length } : { _tag: "empty" }
})

const anyThere = Effect.fnUntraced(function* (engine: ContainerEngine["Service"], others: ReadonlyArray<ContainerId>) {
  const looks = yield* Effect.forEach(others, (id) => Effect.result(engine.inspect(id)), {
    concurrency: "unbounded"
  })
  if (looks.some((look) => look._tag === "Success" && look.success !== undefined)) return true
  for (const look of looks) yield* Effect.fromResult(look)
  return false
})
