import { Effect, Stream } from "effect"
import { Command } from "effect/cli"
import * as CleanupPlan from "../cleanup/CleanupPlan.ts"
import { CurrentSettings } from "../config/CurrentSettings.ts"
import { printable } from "../domain/printable.ts"
import { commandFailed } from "./CommandFailed.ts"
import { print } from "./print.ts"
import { json } from "./run.ts"

const actionOf = ({ outcome }: CleanupPlan.Planned) =>
  outcome === "removed" ? "remove" : outcome === "already_absent" ? "mark_removed" : "keep"

const toJson = (planned: CleanupPlan.Planned) =>
  JSON.stringify({
    game_id: planned.gameId,
    container_id: planned.containerId,
    action: actionOf(planned),
    error_code: planned.errorCode,
    stuck: planned.stuck,
    message: planned.message
  })

const toText = (planned: CleanupPlan.Planned) =>
  [
    actionOf(planned).padEnd(12),
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
    const line = (planned: CleanupPlan.Planned) =>
      json ? `${count++ === 0 ? "[" : ","}${toJson(planned)}` : toText(planned)
    yield* CleanupPlan.plan(settings).pipe(
      Stream.mapError(commandFailed),
      Stream.runForEachWhile((planned) => print(line(planned)))
    )
    if (json) yield* print(count === 0 ? "[]" : "]")
  })
).pipe(Command.withDescription("Say what a pass would do now with each stopped game, and why; touches nothing"))
