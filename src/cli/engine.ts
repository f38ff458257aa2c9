import { Effect, Option, Schema } from "effect"
import { Argument, Command } from "effect/cli"
import { CurrentSettings } from "../config/CurrentSettings.ts"
import { AcceptedEngine } from "../domain/EngineId.ts"
import { ListedEngine } from "../domain/ListedEngine.ts"
import { printable, printableEnds } from "../domain/printable.ts"
import { timeText } from "../domain/time.ts"
import { acceptEngine } from "../operator/acceptEngine.ts"
import { engines } from "../operator/engines.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { actFailed, asked, authorOf } from "./act.ts"
import { CommandFailed, commandFailed, exitCode } from "./CommandFailed.ts"
import { print } from "./print.ts"
import { json } from "./run.ts"
import { actThere, hereOrThere, once, onlyThere } from "./server.ts"
import { table, terminalWidth } from "./table.ts"

const toJson = Schema.encodeSync(Schema.fromJsonString(AcceptedEngine))

const name = Argument.String("name").pipe(
  Argument.withDescription("RTMANAGER_ENGINE_NAME again, to be sure which engine is meant"),
  Argument.optional
)

const accept = Command.make(
  "accept",
  { json, name, ...asked },
  hereOrThere(
    ({ author, json, name, reason }) =>
      Effect.gen(function* () {
        const known = yield* KnownEngine
        if (Option.isSome(name) && name.value !== known.name) {
          return yield* new CommandFailed({
            code: exitCode.unusable,
            message: `RTMANAGER_ENGINE_NAME is ${known.name}, not ${printable(name.value)}: nothing was changed`
          })
        }
        const accepting = acceptEngine({ author: yield* authorOf(author), reason })
        const { message, value } = yield* Effect.mapError(accepting, actFailed)
        return json ? toJson(value) : message
      }).pipe(Effect.flatMap(print)),
    actThere(({ acceptEngine }, { name, reason }) =>
      Effect.andThen(
        onlyThere(Option.isSome(name), "the engine's name"),
        acceptEngine({ params: { name: Option.getOrElse(name, () => "") }, headers: once(), payload: { reason } })
      )
    )
  )
).pipe(
  Command.withDescription(
    "Make the engine that answers now the known one of RTMANAGER_ENGINE_NAME, unless it has another name"
  ),
  Command.withExamples([
    {
      command: 'rtmanager-cleanup engine accept host-1 --reason "the host was set up anew"',
      description: "After a pass was refused with engine_changed"
    }
  ])
)

const toListJson = Schema.encodeSync(Schema.fromJsonString(Schema.Array(ListedEngine)))

/** Two identities often differ in their ends alone, the storage driver and the data root, and no real one is short. */
const identity = printableEnds(256)

/** What stands for the identity of an engine that no pass has seen: only its own service counts what is due. */
const unseen = ({ due }: ListedEngine) =>
  due === null ? "unknown: no service has cleaned it" : "unknown until the first pass"

const row = (engine: ListedEngine) => ({
  name: printable(engine.name),
  identity: engine.engineId === null ? unseen(engine) : identity(engine.engineId),
  brake: engine.braked ? "on" : null,
  accepted: timeText(engine.acceptedAt),
  last_pass: timeText(engine.lastPassAt),
  last_seen: timeText(engine.lastSeenAt),
  due: engine.due === null ? null : String(engine.due),
  stopped: String(engine.stopped)
})

const printEngines = Effect.fnUntraced(function* (listed: ReadonlyArray<ListedEngine>, json: boolean) {
  if (json) return yield* print(toListJson(listed))
  return yield* print(table(listed.map(row), { width: yield* terminalWidth, ids: ["name", "identity"] }))
})

const list = Command.make(
  "list",
  { json },
  hereOrThere(
    ({ json }) =>
      Effect.flatMap(CurrentSettings, ({ retention }) => engines(retention)).pipe(
        Effect.mapError(commandFailed),
        Effect.flatMap((listed) => printEngines(listed, json))
      ),
    ({ readings }, { json }) => Effect.flatMap(readings.engines(), ({ engines }) => printEngines(engines, json))
  )
).pipe(
  Command.withDescription(
    "All engines by name: identity, brake, last pass, when last seen, and how many games are due or stopped"
  )
)

/** Commands about the engines that the records' containers live on. */
export const engine = Command.make("engine").pipe(
  Command.withDescription("The engines that the records' containers live on"),
  Command.withSubcommands([list, accept])
)
