import { Console, Duration, Effect, Option, Schema, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { CurrentSettings } from "../config/CurrentSettings.ts"
import { heldBy, PlacedHold } from "../domain/Hold.ts"
import { printable } from "../domain/printable.ts"
import * as Operator from "../operator/hold.ts"
import { release as end } from "../operator/release.ts"
import { Holds } from "../ports/Holds.ts"
import { actFailed, asked, authorOf } from "./act.ts"
import { commandFailed } from "./CommandFailed.ts"
import { print } from "./print.ts"
import { printPages } from "./printPages.ts"
import { json } from "./run.ts"
import { actThere, hereOrThere, once } from "./server.ts"

import { endOf } from "./until.ts"

const game = Argument.String("game").pipe(
  Argument.withSchema(Schema.NonEmptyString),
  Argument.withDescription("The game's id")
)

const until = Flag.String("until").pipe(
  Flag.withDescription("A time (2027-01-31T12:00:00Z) or how long from now (90s, 36h, 30d); until released by default"),
  Flag.optional
)

const toJson = Schema.encodeSync(Schema.fromJsonString(PlacedHold))
const allToJson = Schema.encodeSync(Schema.fromJsonString(Schema.Array(PlacedHold)))

/** Answers once the container is safe. Ends with 4 if it has gone. */
export const hold = Command.make(
  "hold",
  { ...asked, game, json, until },
  hereOrThere(
    Effect.fnUntraced(function* ({ author, game, json, reason, until }) {
      const { leaseTtl } = yield* CurrentSettings
      const end = yield* endOf("--until", until)
      const request = { author: yield* authorOf(author), reason, gameId: game, end, leaseTtl }
      const onWait = Console.error(
        `somebody has the lease of ${printable(game)}, perhaps an attempt to remove its container: waiting for its end, at most ${Duration.format(leaseTtl)} or so; the hold is placed`
      )
      const { message, value } = yield* Effect.mapError(Operator.hold({ ...request, onWait }), actFailed)
      yield* print(json ? toJson(value) : message)
    }),
    actThere(({ hold }, { game, reason, until }) =>
      hold({ params: { id: game }, headers: once(), payload: { reason, until: Option.getOrNull(until) } })
    )
  )
).pipe(
  Command.withDescription(
    "Keep a game's container until a time, or until the hold is released; answers once nothing can remove it any more"
  ),
  Command.withExamples([
    { command: 'rtmanager-cleanup hold game-17 --reason "a player complains" --until 30d', description: "For 30 days" }
  ])
)

const now = Flag.Boolean("now").pipe(Flag.withDescription("End it at once, not after a day"), Flag.withDefault(false))
const all = Flag.Boolean("all").pipe(Flag.withDescription("End what others have placed, too"), Flag.withDefault(false))

export const release = Command.make(
  "release",
  { ...asked, all, game, json, now },
  hereOrThere(
    Effect.fnUntraced(function* ({ all, author, game, json, now, reason }) {
      const request = { author: yield* authorOf(author), reason, gameId: game, now, all }
      const { message, value } = yield* Effect.mapError(end(request), actFailed)
      yield* print(json ? allToJson(value) : message)
    }),
    actThere(({ release }, { all, game, now, reason }) =>
      release({ params: { id: game }, headers: once(), payload: { all, now, reason } })
    )
  )
).pipe(
  Command.withDescription("Let your hold on a game end, after 24 hours in which it can be placed again"),
  Command.withExamples([
    { command: 'rtmanager-cleanup release game-17 --reason "it is solved" --now', description: "At once" }
  ])
)

const limit = Flag.Int("limit").pipe(
  Flag.withSchema(Schema.Int.check(Schema.isGreaterThan(0))),
  Flag.withDescription("The most holds to print"),
  Flag.optional
)

const pageSize = 500

type Place = Pick<PlacedHold, "gameId" | "author">

const everyHold = <E, R>(
  most: number,
  list: (page: {
    readonly after: Place | undefined
    readonly limit: number
  }) => Effect.Effect<ReadonlyArray<PlacedHold>, E, R>
) =>
  Stream.paginate(undefined as Place | undefined, (after) =>
    Effect.map(list({ after, limit: Math.min(pageSize, most) }), (page) => [
      page,
      page.length < pageSize ? Option.none() : Option.fromUndefinedOr(page.at(-1))
    ])
  ).pipe(Stream.take(most))

const printHolds = <E, R>(listed: Stream.Stream<PlacedHold, E, R>, json: boolean) =>
  Effect.asVoid(printPages(Stream.chunks(listed), { json, toJson, toText: (page) => page.map(toText).join("\n") }))

const mostOf = Option.getOrElse(() => Number.POSITIVE_INFINITY)

const toText = (placed: PlacedHold) => `${printable(placed.gameId).padEnd(24)}  ${heldBy(placed)}`

export const holds = Command.make(
  "holds",
  { json, limit },
  hereOrThere(
    ({ json, limit }) =>
      Effect.flatMap(Holds, ({ list }) =>
        printHolds(Stream.mapError(everyHold(mostOf(limit), list), commandFailed), json)
      ),
    ({ readings }, { json, limit }) =>
      printHolds(
        everyHold(mostOf(limit), ({ after, limit }) =>
          Effect.map(
            readings.holds({
              query: { limit, ...(after !== undefined && { cursor: { author: after.author, gameId: after.gameId } }) }
            }),
            ({ holds }) => holds
          )
        ),
        json
      )
  )
).pipe(
  Command.withDescription("All games that people hold: who, until when and why"),
  Command.withExamples([{ command: "rtmanager-cleanup holds --json", description: "As JSON" }])
)
