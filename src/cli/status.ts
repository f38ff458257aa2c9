import { Duration, Effect, Schema } from "effect"
import { Command } from "effect/cli"
import { CurrentSettings } from "../config/CurrentSettings.ts"
import { printable, printableEnds } from "../domain/printable.ts"
import type { RecordedPass } from "../domain/RecordedPass.ts"
import { isUnderWay } from "../domain/RecordedPass.ts"
import { type Count, type NextGame, type PassUnderWay, Status, type StatusEngine } from "../domain/Status.ts"
import { timeText } from "../domain/time.ts"
import * as Operator from "../operator/status.ts"
import { commandFailed } from "./CommandFailed.ts"
import { print } from "./print.ts"
import { json } from "./run.ts"
import { hereOrThere } from "./server.ts"
import { table, terminalWidth } from "./table.ts"

const toJson = Schema.encodeSync(Schema.fromJsonString(Status))

const countText = ({ count, more }: Count) => `${count}${more ? "+" : ""}`

const engineRow = ({ acceptedAt, braked, engineId, lastPassAt, lastSeenAt, name }: StatusEngine) => ({
  engine: printable(name),
  brake: braked ? "on" : null,
  last_pass: timeText(lastPassAt),
  last_seen: timeText(lastSeenAt),
  accepted: timeText(acceptedAt),
  identity: printableEnds(256)(engineId)
})

const passRow = (now: number) => (pass: RecordedPass) => ({
  started: timeText(pass.startedAt),
  engine: printable(pass.engine),
  trigger: printable(pass.trigger),
  result: pass.result === null ? (isUnderWay(pass, now) ? "under way" : "killed") : printable(pass.result),
  listed: String(pass.listed),
  removed: String(pass.removed),
  absent: String(pass.alreadyAbsent),
  conflict: String(pass.conflict),
  failed: String(pass.failed),
  reason: pass.reason === null ? null : printable(pass.reason),
  message: pass.message === null ? null : printableEnds(256)(pass.message)
})

const nextRow = ({ at, gameId, rule }: NextGame) => ({ game: printable(gameId), due: timeText(at), rule })

const underWayText = ({ done, pass, rate, secondsLeft }: PassUnderWay) => {
  const left = secondsLeft === null ? "?" : Duration.format(Duration.seconds(secondsLeft))
  return `${printable(pass.engine)}, ${done}/${pass.due ?? "?"} games, ${rate.toFixed(1)} a second, ${left} left`
}

/** Everything for people: the present first, then what goes next, the engines and the last passes. */
const toText = (status: Status, width: number | undefined): string => {
  const { backlog, cutoff, engine, engines, mode, next, nextPassAt, now, passes, pause, underWay } = status
  const line = (name: string, text: string) => `${`${name}:`.padEnd(11)}${text}`
  const part = (name: string, rows: ReadonlyArray<Record<string, string | null>>, ids: ReadonlyArray<string>) =>
    rows.length === 0 ? [] : ["", `${name}:`, table(rows, { width, ids })]
  const states = {
    stopped: backlog.stopped,
    due: backlog.due,
    "backing off": backlog.backingOff,
    held: backlog.held,
    leased: backlog.leased,
    stuck: backlog.stuck
  }
  return [
    line("mode", `${mode}, engine ${engine}`),
    line(
      "pause",
      pause === null
        ? "none"
        : `by ${printable(pause.author)} since ${timeText(pause.pausedAt)}, ${pause.until === null ? "until resumed" : `until ${timeText(pause.until)}`}: ${printableEnds(256)(pause.reason)}`
    ),
    line("next pass", nextPassAt === null ? "not planned" : `from ${timeText(nextPassAt)}`),
    line("cutoff", `${timeText(cutoff)}, by the database's clock at ${timeText(now)}`),
    line(
      "games",
      Object.entries(states)
        .map(([state, count]) => `${countText(count)} ${state}`)
        .join(", ")
    ),
    ...underWay.map((pass) => line("pass", underWayText(pass))),
    ...part("next", next.map(nextRow), ["game"]),
    ...part("engines", engines.map(engineRow), ["engine"]),
    ...part("passes", passes.map(passRow(now.getTime())), ["engine"])
  ].join("\n")
}

const printStatus = Effect.fnUntraced(function* (status: Status, json: boolean) {
  yield* print(json ? toJson(status) : toText(status, yield* terminalWidth))
})

export const status = Command.make(
  "status",
  { json },
  hereOrThere(
    ({ json }) =>
      Effect.flatMap(CurrentSettings, Operator.status).pipe(
        Effect.mapError(commandFailed),
        Effect.flatMap((status) => printStatus(status, json))
      ),
    ({ readings }, { json }) => Effect.flatMap(readings.status({}), (status) => printStatus(status, json))
  )
).pipe(
  Command.withDescription("Where the cleaning stands: mode, pause, engines, passes, backlog, and what goes next"),
  Command.withExamples([{ command: "rtmanager-cleanup status", description: "Is it working, and what goes next?" }])
)
