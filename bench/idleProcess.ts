import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect } from "effect"
import { CleanupPass } from "../src/cleanup/pass/CleanupPass.ts"
import * as layers from "../src/layers.ts"
import * as MemoryEngine from "./memoryEngine.ts"
import { timed } from "./progress.ts"

/** So many passes one after the other over the layers of `run`; prints the milliseconds of each. */
const [passes, engine] = process.argv.slice(2)

Effect.gen(function* () {
  const { runOnce } = yield* CleanupPass
  const pass = Effect.map(timed(runOnce({ trigger: "manual" })), ({ value, seconds }) => ({
    millis: seconds * 1000,
    result: value.result,
    listed: value.listed
  }))
  yield* Console.log(JSON.stringify(yield* Effect.forEach(Array.from({ length: Number(passes) }), () => pass)))
}).pipe(
  Effect.provide(layers.pass(engine === "memory" ? MemoryEngine.layer : undefined)),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
