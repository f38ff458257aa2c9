import { Clock, Effect, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { CleanupPass } from "../cleanup/pass/CleanupPass.ts"
import { printable } from "../domain/printable.ts"
import { commandFailed, endedEarly } from "./CommandFailed.ts"
import { print } from "./print.ts"
import * as Report from "./report.ts"
import { json } from "./run.ts"
import { SampleGames, type SampleState } from "./SampleGames.ts"
import { type Sample, samples } from "./samples.ts"
import { serveSamples } from "./serveSamples.ts"
import { table } from "./table.ts"

const serve = Flag.Boolean("serve").pipe(
  Flag.withDescription("Keep games ending and passes running, with the page to look at them, until Ctrl-C"),
  Flag.withDefault(false)
)

const port = Flag.Int("port").pipe(
  Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))),
  Flag.withDescription("Where the page listens on 127.0.0.1; any free port if it is taken, or 0"),
  Flag.withDefault(8080)
)

const row = ({ record, situation, container }: Sample, { status, containerLeft, reason }: SampleState) => {
  const untouched =
    status === "stopped" ? "not due: its retention is not over" : `not looked at: its record is ${status}`
  return {
    game: record.gameId,
    situation,
    container: containerLeft ? "kept" : container === undefined ? "was gone" : "removed",
    record: status,
    error_code: reason?.errorCode ?? null,
    why: printable(reason?.message ?? untouched)
  }
}

const once = (isJson: boolean) =>
  Effect.gen(function* () {
    const games = yield* SampleGames
    const pass = yield* CleanupPass
    const set = samples(yield* Clock.currentTimeMillis)
    yield* Effect.forEach(set, games.put, { discard: true })
    const report = yield* pass.runOnce({ trigger: "manual" })
    const failure = endedEarly(report)
    if (failure !== undefined) return yield* failure
    const rows = yield* Effect.forEach(set, (sample) => Effect.map(games.look(sample), (state) => row(sample, state)))
    return isJson ? JSON.stringify({ games: rows }) : `${table(rows)}\n\n${Report.toText(report)}`
  }).pipe(
    Effect.catchTag("StoreError", (error) => Effect.fail(commandFailed(error))),
    Effect.flatMap(print)
  )

/** The main job with nothing installed: a real database and real passes, on an engine that lives in this process. */
export const demo = Command.make("demo", { json, port, serve }, ({ json, port, serve }) =>
  serve ? serveSamples({ json, port }) : once(json)
).pipe(
  Command.withDescription("Show the main job on sample games: what is removed, what is kept, and why"),
  Command.withExamples([
    { command: "rtmanager-cleanup demo", description: "With nothing installed and no settings" },
    { command: "rtmanager-cleanup demo --serve", description: "The whole service, to be looked at in a browser" }
  ])
)
