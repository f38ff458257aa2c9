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
export const hold = Command.make("hold", { ...asked, game, json, until }, ({ author, game, json, reason, until }) =>
  Effect.gen(function* () {
    const { leaseTtl } = yield* CurrentSettings
    const end = yield* endOf("--until", until)
    const request = { author: yield* authorOf(author), reason, gameId: game, end, leaseTtl }
    const onWait = Console.error(
      `somebody has the lease of ${printable(game)}, perhaps an attempt to remove its container: waiting for its end, at most ${Duration.format(leaseTtl)} or so; the hold is placed`
    )
    const { message, value } = yield* Effect.mapError(Operator.hold({ ...request, onWait }), actFailed)
    yield* print(json ? toJson(value) : message)
  })
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
  ({ all, author, game, json, now, reason }) =>
    Effect.gen(function* () {
      const request = { author: yield* authorOf(author), reason, gameId: game, now, all }
      const { message, value } = yield* Effect.mapError(end(request), actFailed)
      yield* print(json ? allToJson(value) : message)
    })
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

const everyHold = (most: number) =>
  Stream.unwrap(
    Effect.map(Holds, ({ list }) =>
      Stream.paginate(undefined as PlacedHold | undefined, (after) =>
        Effect.map(list({ after, limit: Math.min(pageSize, most) }), (page) => [
          page,
          page.length < pageSize ? Option.none() : Option.fromUndefinedOr(page.at(-1))
        ])
      ).pipe(Stream.take(most))
    )
  )

const toText = (placed: PlacedHold) => `${printable(placed.gameId).padEnd(24)}  ${heldBy(placed)}`

export const holds = Command.make("holds", { json, limit }, ({ json, limit }) =>
  everyHold(Option.getOrElse(limit, () => Number.POSITIVE_INFINITY)).pipe(
    Stream.mapError(commandFailed),
    Stream.chunks,
    (pages) => printPages(pages, { json, toJson, toText: (page) => page.map(toText).join("\n") }),
    Effect.asVoid
  )
).pipe(
  Command.withDescription("All games that people hold: who, until when and why"),
  Command.withExamples([{ command: "rtmanager-cleanup holds --json", description: "As JSON" }])
)
