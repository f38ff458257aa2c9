import { Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { CleanupPass } from "../cleanup/pass/CleanupPass.ts"
import type { Asked } from "../domain/Act.ts"
import { NotDone } from "../domain/NotDone.ts"
import type { PlanFile } from "../domain/PlanFile.ts"
import { printable } from "../domain/printable.ts"
import { acceptAbsence } from "../operator/acceptAbsence.ts"
import { applyPlan } from "../operator/applyPlan.ts"
import { actFailed, asked, authorOf } from "./act.ts"
import { announce } from "./announce.ts"
import { CommandFailed, endedEarly, exitCode, failureOf, someGameFailed } from "./CommandFailed.ts"
import { confirm, yes } from "./confirm.ts"
import { readPlanFile } from "./planFile.ts"
import { print } from "./print.ts"
import { progressLine } from "./progress.ts"
import * as Report from "./report.ts"
import { actThere, hereOrThere, once } from "./server.ts"
import { table } from "./table.ts"

export const json = Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false))

const acceptAbsent = Flag.Boolean("accept-absent").pipe(
  Flag.withDescription("Go on although containers are absent: their records become removed"),
  Flag.withDefault(false)
)

const plan = Flag.File("plan").pipe(
  Flag.withDescription("Only the games of this file that are due and still as it shows them"),
  Flag.optional
)

const reason = asked.reason.pipe(
  Flag.withDescription("Why: needed with --plan and with --accept-absent"),
  Flag.optional
)

const unusable = (message: string) => new CommandFailed({ code: exitCode.unusable, message })

const exclusive = (acceptAbsent: boolean, plan: Option.Option<string>) =>
  acceptAbsent && Option.isSome(plan)
    ? Effect.fail(unusable("--plan and --accept-absent exclude each other"))
    : Effect.void

const confirmAbsent = (yes: boolean) =>
  confirm("Record the games whose containers are not on the engine as removed? This cannot be taken back.", yes)

const confirmPlan = ({ games }: PlanFile, yes: boolean) =>
  confirm(`Clean the ${games.length} games of this plan, as far as they are still as shown?`, yes)

interface Output {
  readonly json: boolean
  readonly yes: boolean
}

/** A pass over everything that is due; `person`: who accepts that containers are absent. */
const everythingDue = Effect.fnUntraced(function* ({ json, yes }: Output, person: Asked | undefined) {
  const pass = yield* CleanupPass
  if (person !== undefined) yield* confirmAbsent(yes)
  yield* announce("run.started")
  const report = yield* Effect.scoped(
    Effect.flatMap(progressLine, (onProgress) =>
      person === undefined
        ? pass.runOnce({ trigger: "manual", onProgress })
        : Effect.mapBoth(acceptAbsence({ ...person, onProgress }), {
            onFailure: actFailed,
            onSuccess: ({ value }) => value
          })
    )
  )
  yield* print(json ? Report.toJson(report) : Report.toText(report))
  return failureOf(report)
})

const encodeNotDone = Schema.encodeSync(Schema.Array(NotDone))

const planned = Effect.fnUntraced(function* ({ json, yes }: Output, path: string, person: Asked) {
  const plan = yield* readPlanFile(path)
  yield* confirmPlan(plan, yes)
  yield* announce("run.started", { plan: plan.id })
  const { notDone, report } = yield* Effect.scoped(
    Effect.flatMap(progressLine, (onProgress) => applyPlan({ ...person, plan, onProgress, opSource: "admin_cli" }))
  ).pipe(Effect.mapError(actFailed))
  const rows = encodeNotDone(notDone)
  const text = rows.length === 0 ? "" : `\n\nnot done:\n${table(rows.map(printableRow))}`
  yield* print(
    json
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
  { json, yes, acceptAbsent, plan, author: asked.author, reason },
  hereOrThere(
    (flags) =>
      Effect.gen(function* () {
        const { acceptAbsent, plan, reason } = flags
        const isAct = acceptAbsent || Option.isSome(plan)
        yield* exclusive(acceptAbsent, plan)
        if (isAct && Option.isNone(reason)) {
          return yield* unusable(acceptAbsent ? "--accept-absent needs --reason" : "--plan needs --reason")
        }
        if (!isAct && (Option.isSome(flags.author) || Option.isSome(reason))) {
          return yield* unusable("--author and --reason go with --plan or --accept-absent")
        }
        const person = Option.isNone(reason)
          ? undefined
          : { author: yield* authorOf(flags.author), reason: reason.value }
        return yield* person !== undefined && Option.isSome(plan)
          ? planned(flags, plan.value, person)
          : everythingDue(flags, person)
      }).pipe(Effect.flatMap((failure) => failure ?? Effect.void)),
    actThere(
      Effect.fnUntraced(function* ({ acceptAbsence, run }, { acceptAbsent, plan, reason, yes }) {
        yield* exclusive(acceptAbsent, plan)
        if (Option.isNone(reason)) return yield* unusable("--server needs --reason")
        const request = { headers: once(), payload: { reason: reason.value } }
        if (acceptAbsent) return yield* Effect.andThen(confirmAbsent(yes), acceptAbsence(request))
        if (Option.isNone(plan)) return yield* run(request)
        const shown = yield* readPlanFile(plan.value)
        yield* confirmPlan(shown, yes)
        return yield* run({ ...request, payload: { ...request.payload, plan: shown } })
      })
    )
  )
).pipe(
  Command.withDescription("Do one pass now and report what became of each game"),
  Command.withExamples([
    {
      command: 'rtmanager-cleanup run --plan plan.json --reason "reviewed with the studio"',
      description: "Only what plan --out has shown"
    },
    {
      command: 'rtmanager-cleanup run --accept-absent --reason "docker container prune, by ben"',
      description: "After a pass was refused with absent_brake"
    }
  ])
)
