import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect } from "effect"
import { Command } from "effect/cli"
import { run } from "../src/cli/run.ts"
import { server } from "../src/cli/server.ts"
import * as layers from "../src/layers.ts"
import * as MemoryEngine from "./memoryEngine.ts"

/** The command `run` as it is, with the in-memory engine in place of Docker's. */
Command.run(run.pipe(Command.provide(layers.pass(MemoryEngine.layer)), Command.withGlobalFlags([server])), {
  version: "0"
}).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
