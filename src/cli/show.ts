import { Effect, Schema } from "effect"
import { Argument, Command } from "effect/cli"
import { CurrentSettings } from "../config/CurrentSettings.ts"
import type { RecordedAct } from "../domain/Act.ts"
import { GameStory } from "../domain/GameStory.ts"
import { printable, printableEnds } from "../domain/printable.ts"
import { timeText } from "../domain/time.ts"
import * as Operator from "../operator/show.ts"
import { CommandFailed, commandFailed, exitCode } from "./CommandFailed.ts"
import { operationIds, operationRow } from "./log.ts"
import { print } from "./print.ts"
import { json } from "./run.ts"
import { hereOrThere } from "./server.ts"
import { table, terminalWidth } from "./table.ts"

const toJson = Schema.encodeSync(Schema.fromJsonString(GameStory))

const time = (at: Date | null) => timeText(at) ?? "never"

const containerText = ({
  createdAt,
  finishedAt,
  found,
  gameId,
  message,
  startedAt,
  state
}: NonNullable<GameStory["container"]>) =>
  found === "present"
    ? `${state}, created ${time(createdAt)}, started ${time(startedAt)}, finished ${time(finishedAt)}, ${gameId === null ? "no game label" : `label ${printable(gameId)}`}`
    : (message ?? found)

const actRow = ({ act, askedAt, author, message, reason, result }: RecordedAct) => ({
  asked: timeText(askedAt),
  act,
  author: printable(author),
  result,
  reason: printable(reason),
  message: message === null ? null : printableEnds(256)(message)
})

/** Everything for people: a line for each thing that is known, then what was done and asked for. */
const toText = (story: GameStory, width: number | undefined): string => {
  const { acts, backoff, container, due, gameId, holds, lease, operations, problem, record } = story
  const line = (name: string, text: string | null) => (text === null ? [] : [`${`${name}:`.padEnd(11)}${text}`])
  const part = (name: string, text: string) => ["", `${name}:`, text]
  return [
    ...line("game", printable(gameId)),
    ...line(
      "record",
      problem ??
        (record === null
          ? "none"
          : `${printable(record.status)} on engine ${printable(record.engine)}, last_op_at ${time(record.lastOpAt)}`)
    ),
    ...line("image", record?.imageRef == null ? null : printable(record.imageRef)),
    ...line("container", record?.containerId == null ? null : printable(record.containerId)),
    ...line("engine", container && containerText(container)),
    ...line("due", due && `${due.at === null ? "never as it stands" : time(due.at)}, ${due.rule}`),
    ...line(
      "backoff",
      backoff &&
        `failed ${backoff.attempts} times${backoff.stuck ? " (stuck)" : ""}, last by ${printable(backoff.lastError)}; next attempt from ${time(backoff.nextAttemptAt)}`
    ),
    ...line("lease", lease && `of ${lease.owner} since ${time(lease.since)}, until ${time(lease.until)}`),
    ...holds.flatMap(({ author, placedAt, reason, until }) =>
      line(
        "held",
        `by ${printable(author)} since ${time(placedAt)}, ${until === null ? "until released" : `until ${time(until)}`}: ${printableEnds(256)(reason)}`
      )
    ),
    ...(operations.length === 0
      ? []
      : part("operations", table(operations.map(operationRow), { width, ids: operationIds }))),
    ...(acts.length === 0 ? [] : part("acts", table(acts.map(actRow), { width })))
  ].join("\n")
}

const game = Argument.String("game").pipe(Argument.withDescription("The game's id"))

const printStory = Effect.fnUntraced(function* (story: GameStory, json: boolean) {
  yield* print(json ? toJson(story) : toText(story, yield* terminalWidth))
})

export const show = Command.make(
  "show",
  { game, json },
  hereOrThere(
    ({ game, json }) =>
      Effect.flatMap(CurrentSettings, (settings) => Operator.show(game, settings)).pipe(
        Effect.mapError((error) =>
          error._tag === "GameUnknown"
            ? new CommandFailed({ code: exitCode.someGameFailed, message: error.message })
            : commandFailed(error)
        ),
        Effect.flatMap((story) => printStory(story, json))
      ),
    ({ readings }, { game, json }) =>
      Effect.flatMap(readings.game({ params: { id: game } }), ({ body }) => printStory(body, json))
  )
).pipe(
  Command.withDescription("All that is known of one game: record, container, when due, holds, lease, operations, acts"),
  Command.withExamples([
    { command: "rtmanager-cleanup show game-42", description: "Why is its container still there?" }
  ])
)
