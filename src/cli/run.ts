import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { CleanupPass } from "../cleanup/pass/CleanupPass.ts"
import { announce } from "./announce.ts"
import { failureOf } from "./CommandFailed.ts"
import { print } from "./print.ts"
import { progressLine } from "./progress.ts"
import * as Report from "./report.ts"

export const json = Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false))

const acceptAbsent = Flag.Boolean("accept-absent").pipe(
  Flag.withDescription("Go on although containers are absent: their records become removed"),
  Flag.withDefault(false)
)

/** One pass now. Ends with 1 if a game failed, 3 or 4 if the pass could not be done. */
export const run = Command.make("run", { json, acceptAbsent }, ({ json, acceptAbsent }) =>
  Effect.gen(function* () {
    const pass = yield* CleanupPass
    yield* announce("run.started")
    const report = yield* Effect.scoped(
      Effect.flatMap(progressLine, (onProgress) => pass.runOnce({ trigger: "manual", acceptAbsent, onProgress }))
    )
    yield* print(json ? Report.toJson(report) : Report.toText(report))
    const failure = failureOf(report)
    if (failure !== undefined) return yield* failure
  })
).pipe(Command.withDescription("Do one pass now and report what became of each game"))
