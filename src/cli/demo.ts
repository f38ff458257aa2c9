import { Clock, Context, Effect } from "effect"
import { Command } from "effect/cli"
import { CleanupPass } from "../cleanup/pass/CleanupPass.ts"
import { printable } from "../domain/printable.ts"
import type { StoreError } from "../ports/StoreError.ts"
import { commandFailed, endedEarly } from "./CommandFailed.ts"
import { print } from "./print.ts"
import * as Report from "./report.ts"
import { json } from "./run.ts"
import { type Sample, samples } from "./samples.ts"
import { table } from "./table.ts"

/** The state of a sample after a pass. `reason` is the audit row's; `undefined` if the pass wrote none. */
export interface SampleState {
  readonly status: string
  readonly containerLeft: boolean
  readonly reason: { readonly errorCode: string | null; readonly message: string } | undefined
}

/** What `demo` needs from outside: a place for its games, and a way to look at them afterwards. */
export class SampleGames extends Context.Service<
  SampleGames,
  {
    readonly put: (sample: Sample) => Effect.Effect<void, StoreError>
    readonly look: (sample: Sample) => Effect.Effect<SampleState, StoreError>
  }
>()("rtmanager/cli/SampleGames") {}

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

/** The main job with nothing installed: a real database and a real pass, on an engine that lives in this process. */
export const demo = Command.make("demo", { json }, ({ json }) =>
  Effect.gen(function* () {
    const games = yield* SampleGames
    const pass = yield* CleanupPass
    const set = samples(yield* Clock.currentTimeMillis)
    yield* Effect.forEach(set, games.put, { discard: true })
    const report = yield* pass.runOnce({ trigger: "manual" })
    const failure = endedEarly(report)
    if (failure !== undefined) return yield* failure
    const rows = yield* Effect.forEach(set, (sample) => Effect.map(games.look(sample), (state) => row(sample, state)))
    return json ? JSON.stringify({ games: rows }) : `${table(rows)}\n\n${Report.toText(report)}`
  }).pipe(
    Effect.catchTag("StoreError", (error) => Effect.fail(commandFailed(error))),
    Effect.flatMap(print)
  )
).pipe(
  Command.withDescription("Show the main job on sample games: what is removed, what is kept, and why"),
  Command.withExamples([{ command: "rtmanager-cleanup demo", description: "With nothing installed and no settings" }])
)
