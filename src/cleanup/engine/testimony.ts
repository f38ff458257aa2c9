import { Effect } from "effect"
import type { ContainerId } from "../../domain/ContainerId.ts"
import type { EngineId } from "../../domain/EngineId.ts"
import type { Moment } from "../../domain/Expiry.ts"
import type { PassRefused } from "../../domain/PassRefused.ts"
import type { ContainerEngine, ContainerEngineError } from "../../ports/ContainerEngine.ts"
import type { RuntimeRecords } from "../../ports/RuntimeRecords.ts"
import type { StoreError } from "../../ports/StoreError.ts"
import { expectUnchanged } from "./expectedEngine.ts"

/** A single due game may well have had the only container on the engine. */
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
 * Asks for the containers of up to ten games that are not due, or how many there are if there are no such games. Where
 * nothing is there, the engine is asked who it is, then the same once more, then again who it is, so that this engine is
 * not blamed for another one behind its address. A failure means that nothing is known; one container that cannot be
 * asked for is a failure unless another one is there.
 */
export const testimony = Effect.fnUntraced(function* (
  engine: ContainerEngine["Service"],
  records: RuntimeRecords["Service"],
  { moment, engineId }: { readonly moment: Moment; readonly engineId: EngineId }
): Effect.fn.Return<Testimony, ContainerEngineError | StoreError | PassRefused> {
  const { others, due } = yield* records.witnesses(moment)
  const named = others.length > 0
  if (!named && due < fewest) return { _tag: "seen" }
  const isVouchedFor = named ? anyThere(engine, others) : Effect.map(engine.count, (containers) => containers > 0)
  if (yield* isVouchedFor) return { _tag: "seen" }
  yield* expectUnchanged(engine, engineId)
  const isAfterAll = yield* isVouchedFor
  yield* expectUnchanged(engine, engineId)
  if (isAfterAll) return { _tag: "seen" }
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
