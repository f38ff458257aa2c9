import { Clock, Effect, Option, Schema, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { LoggedOperation, loggedOutcomes } from "../domain/LoggedOperation.ts"
import { printable, printableEnds } from "../domain/printable.ts"
import { timeText } from "../domain/time.ts"
import * as Operator from "../operator/log.ts"
import { parseSince, sinceForms } from "../operator/time.ts"
import { commandFailed } from "./CommandFailed.ts"
import { print } from "./print.ts"
import { printPages } from "./printPages.ts"
import { json } from "./run.ts"
import { hereOrThere } from "./server.ts"
import { table, terminalWidth } from "./table.ts"

const toJson = Schema.encodeSync(Schema.fromJsonString(LoggedOperation))

const words = (text: string | null) => (text === null ? null : printable(text))

/** An operation as a row of a table. */
export const operationRow = (operation: LoggedOperation) => ({
  finished: timeText(operation.finishedAt),
  game: words(operation.gameId),
  outcome: words(operation.outcome),
  code: words(operation.errorCode),
  source: words(operation.opSource),
  container: words(operation.containerId),
  message: operation.message === null ? null : printableEnds(256)(operation.message)
})

/** Those that a person would look up elsewhere. */
export const operationIds = ["game", "container"]

const since = Flag.String("since").pipe(
  Flag.withSchema(
    Schema.String.check(Schema.makeFilter((text) => parseSince(text, 0) !== undefined || `expected ${sinceForms}`))
  ),
  Flag.withDescription("Only what ended since then: a time in RFC 3339, or 90s, 36h, 30d before now"),
  Flag.optional
)

const flags = {
  json,
  game: Flag.String("game").pipe(Flag.withDescription("Only this game's"), Flag.optional),
  since,
  outcome: Flag.Literals("outcome", loggedOutcomes).pipe(Flag.withDescription("Only these"), Flag.optional),
  limit: Flag.Int("limit").pipe(
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 }))),
    Flag.withDescription("How many at most, 50 by default"),
    Flag.withDefault(50)
  )
}

const printLog = Effect.fnUntraced(function* <E, R>(
  pages: Stream.Stream<ReadonlyArray<LoggedOperation>, E, R>,
  json: boolean
) {
  const width = yield* terminalWidth
  const toText = (operations: ReadonlyArray<LoggedOperation>, before: number) => {
    const text = table(operations.map(operationRow), { width, ids: operationIds })
    return before === 0 ? text : text.slice(text.indexOf("\n") + 1)
  }
  const count = yield* printPages(pages, { json, toJson, toText })
  if (!json && count === 0) yield* print("no operation is logged")
})

/** How many rows a service is asked for at once. */
const pageSize = 500

export const log = Command.make(
  "log",
  flags,
  hereOrThere(
    Effect.fnUntraced(function* ({ game, json, limit, outcome, since }) {
      const now = yield* Clock.currentTimeMillis
      const pages = Operator.log({
        gameId: Option.getOrUndefined(game),
        outcome: Option.getOrUndefined(outcome),
        since: Option.getOrUndefined(Option.map(since, (text) => parseSince(text, now) ?? now)),
        limit
      })
      yield* printLog(Stream.mapError(pages, commandFailed), json)
    }),
    ({ readings }, { game, json, limit, outcome, since }) => {
      const query = {
        ...(Option.isSome(game) && { game: game.value }),
        ...(Option.isSome(outcome) && { outcome: outcome.value }),
        ...(Option.isSome(since) && { since: since.value })
      }
      const pages = Stream.paginate({ place: {}, left: limit }, ({ left, place }) =>
        Effect.map(
          readings.log({ query: { ...query, ...place, limit: Math.min(left, pageSize) } }),
          ({ next, operations }) => {
            const rest = left - operations.length
            return [
              [operations],
              next === null || rest <= 0 ? Option.none() : Option.some({ place: { cursor: next }, left: rest })
            ] as const
          }
        )
      )
      return printLog(pages, json)
    }
  )
).pipe(
  Command.withDescription("What became of containers, newest first: each removal and each refusal, and why"),
  Command.withExamples([
    { command: "rtmanager-cleanup log --since 24h --outcome failure", description: "What failed since yesterday" }
  ])
)
