import { format } from "node:util"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect, Exit, Runtime } from "effect"
import { CliConfig, CliError, Command, GlobalFlag } from "effect/cli"
import { clean } from "./cli/clean.ts"
import { demo } from "./cli/demo.ts"
import { doctor } from "./cli/doctor.ts"
import { engine } from "./cli/engine.ts"
import { hold, holds, release } from "./cli/hold.ts"
import { log } from "./cli/log.ts"
import { migrate } from "./cli/migrate.ts"
import { pause, resume } from "./cli/pause.ts"
import { plan } from "./cli/plan.ts"
import { print } from "./cli/print.ts"
import { retention } from "./cli/retention.ts"
import { run } from "./cli/run.ts"
import { serve } from "./cli/serve.ts"
import { here, server, unlessThere } from "./cli/server.ts"
import { show } from "./cli/show.ts"
import { status } from "./cli/status.ts"
import { token } from "./cli/token.ts"
import { version } from "./config/version.ts"
import * as layers from "./layers.ts"

const cleanup = Command.make("rtmanager-cleanup").pipe(
  Command.withDescription("Remove the stopped containers of finished games once their retention is over"),
  Command.withSubcommands([
    serve.pipe(Command.provide(here(layers.service))),
    run.pipe(Command.provide(unlessThere(layers.pass()))),
    clean.pipe(Command.provide(unlessThere(layers.pass()))),
    plan.pipe(Command.provide(unlessThere(layers.ports))),
    demo.pipe(Command.provide(here(layers.demo))),
    migrate.pipe(Command.provide(here(layers.migrations))),
    engine.pipe(Command.provide(unlessThere(layers.ports))),
    doctor.pipe(Command.provide(here(layers.doctor))),
    hold.pipe(Command.provide(unlessThere(layers.ports))),
    release.pipe(Command.provide(unlessThere(layers.ports))),
    holds.pipe(Command.provide(unlessThere(layers.ports))),
    status.pipe(Command.provide(unlessThere(layers.ports))),
    show.pipe(Command.provide(unlessThere(layers.ports))),
    log.pipe(Command.provide(unlessThere(layers.ports))),
    pause.pipe(Command.provide(unlessThere(layers.ports))),
    resume.pipe(Command.provide(unlessThere(layers.ports))),
    retention.pipe(Command.provide(unlessThere(layers.ports))),
    token
  ]),
  Command.withGlobalFlags([server])
)

const isUsage = (error: unknown) => CliError.isCliError(error)

/** Prints the library's stdout (help and the version) the same way as results. */
const printing = Effect.fnUntraced(function* <E, R>(command: Effect.Effect<void, E, R>) {
  const said: Array<string> = []
  const listening: Console.Console = Object.assign(Object.create(yield* Console.Console), {
    log: (...words: ReadonlyArray<unknown>) => void said.push(format(...words))
  })
  const exit = yield* Effect.exit(Effect.provideService(command, Console.Console, listening))
  const help = said.length === 0 ? Effect.void : print(said.join("\n"))
  return yield* Exit.isSuccess(exit) ? help : Effect.andThen(Effect.ignore(help), exit)
})

const main = Command.run(cleanup, { version }).pipe(
  printing,
  Effect.tapCause((cause) => {
    if (Cause.hasInterruptsOnly(cause) || isUsage(Cause.squash(cause))) return Effect.void
    const error = Cause.squash(cause)
    const text = Cause.hasDies(cause) ? Cause.pretty(cause) : error instanceof Error ? error.message : String(error)
    return text === "" ? Effect.void : Console.error(text)
  }),
  Effect.provideService(
    CliConfig.CliConfig,
    CliConfig.make({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] })
  ),
  Effect.provide(NodeServices.layer)
)

/** Ends the process once stderr is flushed; a slow reader delays that by at most a second. */
const end = (code: number) => {
  const exit = () => process.exit(code)
  setTimeout(exit, 1000)
  process.stderr.write("", exit)
}

/** Unusable arguments exit with 2. Interrupted commands exit with 130, except `serve`, which sets its own code. */
const teardown: Runtime.Teardown = (exit) =>
  Runtime.defaultTeardown(exit, (code) => {
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    if (code === 130) return end(Number(process.exitCode ?? 130))
    end(isUsage(error) && code !== 0 ? 2 : code)
  })

/** Whatever hangs, the process ends within ten seconds of being told to stop. */
const hardStop = () => setTimeout(() => process.exit(process.exitCode ?? 130), 9000).unref()
process.on("SIGTERM", hardStop).on("SIGINT", hardStop)
// A terminal that closes, or npm's end, stops the process as SIGTERM does.
process.on("SIGHUP", () => process.kill(process.pid, "SIGTERM"))
// A reader that is gone or a full disk must not end the process. `print` handles it for results; logs are lost.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {})

NodeRuntime.runMain(main, { teardown, disableErrorReporting: true })
