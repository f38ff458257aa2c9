import { Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { CleanupPass } from "../cleanup/pass/CleanupPass.ts"
import { NotDone } from "../domain/NotDone.ts"
import { printable } from "../domain/printable.ts"
import { applyPlan } from "../operator/applyPlan.ts"
import { actFailed, asked, authorOf } from "./act.ts"
import { announce } from "./announce.ts"
import { CommandFailed, endedEarly, exitCode, failureOf, someGameFailed } from "./CommandFailed.ts"
import { confirm, yes } from "./confirm.ts"
import { readPlanFile } from "./planFile.ts"
import { print } from "./print.ts"
import { progressLine } from "./progress.ts"
import * as Report from "./report.ts"
import { table } from "./table.ts"

export const json = Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false))

const acceptAbsent = Flag.Boolean("accept-absent").pipe(
  Flag.withDescription("Go on although containers are absent: their records become removed"),
  Flag.withDefault(false)
)

const plan = Flag.File("plan").pipe(
  Flag.withDescription("Only the games of this file that are due and still as it shows them; needs --reason"),
  Flag.optional
)

const unusable = (message: string) => new CommandFailed({ code: exitCode.unusable, message })

const everythingDue = Effect.fnUntraced(function* (options: {
  readonly json: boolean
  readonly acceptAbsent: boolean
}) {
  const pass = yield* CleanupPass
  yield* announce("run.started")
  const report = yield* Effect.scoped(
    Effect.flatMap(progressLine, (onProgress) =>
      pass.runOnce({ trigger: "manual", acceptAbsent: options.acceptAbsent, onProgress })
    )
  )
  yield* print(options.json ? Report.toJson(report) : Report.toText(report))
  return failureOf(report)
})

const encodeNotDone = Schema.encodeSync(Schema.Array(NotDone))

const planned = Effect.fnUntraced(function* (
  path: string,
  options: { readonly json: boolean; readonly yes: boolean } & Omit<
    Parameters<typeof applyPlan>[0],
    "plan" | "onProgress"
  >
) {
  const plan = yield* readPlanFile(path)
  yield* confirm(`Clean the ${plan.games.length} games of this plan, as far as they are still as shown?`, options.yes)
  yield* announce("run.started", { plan: plan.id })
  const { notDone, report } = yield* Effect.scoped(
    Effect.flatMap(progressLine, (onProgress) => applyPlan({ ...options, plan, onProgress }))
  ).pipe(Effect.mapError(actFailed))
  const rows = encodeNotDone(notDone)
  const text = rows.length === 0 ? "" : `\n\nnot done:\n${table(rows.map(printableRow))}`
  yield* print(
    options.json
      ? JSON.stringify({ ...Report.encode(report), plan: plan.id, not_done: rows })
      : `${Report.toText(report)}${text}`
  )
  return endedEarly(report) ?? (rows.length > 0 ? someGameFailed : undefined)
})

const printableRow = ({ game_id, message, why }: (typeof NotDone)["Encoded"]) => ({
  game: printable(game_id),
  why,
  message
})

/** One pass now. Ends with 1 if a game failed or one of the plan was not done, 3 or 4 if the pass could not be done. */
export const run = Command.make(
  "run",
  { json, yes, acceptAbsent, plan, author: asked.author, reason: Flag.optional(asked.reason) },
  ({ acceptAbsent, author, json, plan, reason, yes }) =>
    Effect.gen(function* () {
      if (Option.isNone(plan)) {
        if (Option.isSome(author) || Option.isSome(reason))
          return yield* unusable("--author and --reason go with --plan")
        return yield* everythingDue({ json, acceptAbsent })
      }
      if (acceptAbsent) return yield* unusable("--plan and --accept-absent exclude each other")
      if (Option.isNone(reason)) return yield* unusable("--plan needs --reason")
      return yield* planned(plan.value, { json, yes, author: yield* authorOf(author), reason: reason.value })
    }).pipe(Effect.flatMap((failure) => failure ?? Effect.void))
).pipe(
  Command.withDescription("Do one pass now and report what became of each game"),
  Command.withExamples([
    {
      command: 'rtmanager-cleanup run --plan plan.json --reason "reviewed with the studio"',
      description: "Only what plan --out has shown"
    }
  ])
)
