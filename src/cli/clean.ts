import { Effect, Schema } from "effect"
import { Argument, Command } from "effect/cli"
import { CleanedGame } from "../domain/CleanedGame.ts"
import { printable } from "../domain/printable.ts"
import * as Operator from "../operator/clean.ts"
import { actFailed, asked, authorOf } from "./act.ts"
import { endedEarly, someGameFailed } from "./CommandFailed.ts"
import { confirm, yes } from "./confirm.ts"
import { print } from "./print.ts"
import { json } from "./run.ts"
import { actThere, hereOrThere, once } from "./server.ts"

const toJson = Schema.encodeSync(Schema.fromJsonString(CleanedGame))

const toText = ({ dryRun, errorCode, gameId, message, outcome }: CleanedGame) =>
  `${printable(gameId)}: ${outcome}${errorCode === null ? "" : ` (${errorCode})`}${dryRun ? " (dry run: nothing was touched)" : ""}: ${message}`

const game = Argument.String("game").pipe(Argument.withDescription("The game's id"))

const isDone = ({ outcome }: CleanedGame) =>
  outcome === "removed" || outcome === "already_absent" || outcome === "replay_no_op"

const confirmed = (game: string, yes: boolean) =>
  confirm(`Remove the container of game ${printable(game)} now, whatever its age?`, yes)

/** Ends with 1 if the game was not cleaned, 3 or 4 if no pass could be done. */
export const clean = Command.make(
  "clean",
  { json, yes, game, ...asked },
  hereOrThere(
    Effect.fnUntraced(function* ({ author, json, game, reason, yes }) {
      yield* confirmed(game, yes)
      const request = { author: yield* authorOf(author), gameId: game, reason, opSource: "admin_cli" as const }
      const cleaned = yield* Effect.mapError(Operator.clean(request), actFailed)
      yield* print(json ? toJson(cleaned.game) : toText(cleaned.game))
      const failure = endedEarly(cleaned.report) ?? (isDone(cleaned.game) ? undefined : someGameFailed)
      if (failure !== undefined) return yield* failure
    }),
    actThere(({ clean }, { game, reason, yes }) =>
      Effect.andThen(confirmed(game, yes), clean({ params: { id: game }, headers: once(), payload: { reason } }))
    )
  )
).pipe(
  Command.withDescription(
    "Remove one game's container now, whatever its age and its backoff; every other guard stands"
  ),
  Command.withExamples([
    { command: 'rtmanager-cleanup clean game-4711 --reason "disk is full, players were told"', description: "One game" }
  ])
)
