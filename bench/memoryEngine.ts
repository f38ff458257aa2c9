import { Effect, Layer } from "effect"
import * as Memory from "../src/adapters/memory/ContainerEngine.ts"

/** The number that `tables` put into the id of a row's container. */
const numberIn = (id: string) => Number.parseInt(id.slice(0, 12), 16)

/** Each container comes to be when it is first asked for, so that it is not this engine that fills the memory. */
export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const memory = yield* Memory.MemoryEngine
    yield* memory.setIntercept((operation, id) =>
      operation === "inspect" && id !== undefined
        ? memory.put({
            id,
            state: "exited",
            gameId: `due-${numberIn(id)}`,
            createdAt: 0,
            startedAt: 0,
            finishedAt: 0
          })
        : Effect.void
    )
  })
).pipe(Layer.provideMerge(Memory.layer({ timeout: "15 seconds" })))
