import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect, Exit, Runtime } from "effect"
import { CliConfig, CliError, Command, GlobalFlag } from "effect/cli"
import { demo } from "./cli/demo.ts"
import { engine } from "./cli/engine.ts"
import { migrate } from "./cli/migrate.ts"
import { plan } from "./cli/plan.ts"
import { run } from "./cli/run.ts"
import { serve } from "./cli/serve.ts"
import { version } from "./config/version.ts"
import * as layers from "./layers.ts"

const cleanup = Command.make("rtmanager-cleanup").pipe(
  Command.withDescription("Remove the stopped containers of finished games once their retention is over"),
  Command.withSubcommands([
    serve.pipe(Command.provide(layers.service)),
    run.pipe(Command.provide(layers.pass())),
    plan.pipe(Command.provide(layers.ports)),
    demo.pipe(Command.provide(layers.demo)),
    migrate.pipe(Command.provide(layers.migrations)),
    engine.pipe(Command.provide(layers.ports))
  ])
)

const isUsage = (error: unknown) => CliError.isCliError(error)

const main = Command.run(cleanup, { version }).pipe(
  Effect.tapCause((cause) => {
    if (Cause.hasInterruptsOnly(cause) || isUsage(Cause.squash(cause))) return Effect.void
    const error = Cause.squash(cause)
    const text = Cause.hasDies(cause) ? Cause.pretty(cause) : error instanceof Error ? error.message : String(error)
    return text === "" ? Effect.void : Console.error(text)
  }),
  Effect.provideService(CliConfig.CliConfig, CliConfig.make({ builtIns: [GlobalFlag.Help, GlobalFlag.Version] })),
  Effect.provide(NodeServices.layer)
)

/** Unusable arguments end with 2, an interrupted command with 130 unless it says that this is how it ends well. */
const teardown: Runtime.Teardown = (exit) =>
  Runtime.defaultTeardown(exit, (code) => {
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    if (code === 130) return process.exit(process.exitCode ?? 130)
    process.exit(isUsage(error) && code !== 0 ? 2 : code)
  })

/** Whatever hangs, the process ends within ten seconds of being told to. */
const hardStop = () => setTimeout(() => process.exit(process.exitCode ?? 130), 9000).unref()
process.once("SIGTERM", hardStop).once("SIGINT", hardStop)

NodeRuntime.runMain(main, { teardown, disableErrorReporting: true })
