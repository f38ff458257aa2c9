import { Effect, Schema, Stream } from "effect"
import { Command } from "effect/cli"
import * as CleanupPlan from "../cleanup/pass/CleanupPlan.ts"
import { CurrentSettings } from "../config/CurrentSettings.ts"
import { PlannedGame } from "../domain/PlannedGame.ts"
import { printable } from "../domain/printable.ts"
import { commandFailed } from "./CommandFailed.ts"
import { print } from "./print.ts"
import { json } from "./run.ts"

const toJson = Schema.encodeSync(Schema.fromJsonString(PlannedGame))

const toText = (planned: PlannedGame) =>
  [
    planned.action.padEnd(12),
    printable(planned.gameId).padEnd(24),
    planned.stuck ? "stuck" : null,
    planned.errorCode,
    planned.message
  ]
    .filter((part) => part !== null)
    .join("  ")

/**
 * Prints games as they are judged, so that a large backlog needs no memory, and stops judging when nobody reads on. The
 * JSON is one array all the same.
 */
export const plan = Command.make("plan", { json }, ({ json }) =>
  Effect.gen(function* () {
    const settings = yield* CurrentSettings
    let count = 0
    const line = (planned: PlannedGame) => (json ? `${count++ === 0 ? "[" : ","}${toJson(planned)}` : toText(planned))
    yield* CleanupPlan.plan(settings).pipe(
      Stream.mapError(commandFailed),
      Stream.runForEachWhile((planned) => print(line(planned)))
    )
    if (json) yield* print(count === 0 ? "[]" : "]")
  })
).pipe(Command.withDescription("Say what a pass would do now with each stopped game, and why; touches nothing"))
