import { Effect } from "effect"
import { CleanupPass, type RunOptions } from "../cleanup/pass/CleanupPass.ts"
import type { Act } from "../domain/Act.ts"
import { type EarlyEnd, hasBegun, isAway, type PassReport } from "../domain/PassReport.ts"
import { type ActError, ActRefused, type Done, perform } from "./act.ts"

/** A report has a reason and its message together, or neither. */
const earlyEndOf = ({ message, reason }: PassReport): EarlyEnd | undefined =>
  reason === null || message === null ? undefined : { reason, message }

/** The pass of an act. Fails with `ActRefused` if it ended before it had begun with any game. */
export const passOf = Effect.fnUntraced(function* (options: Omit<RunOptions, "trigger">) {
  const pass = yield* CleanupPass
  const report = yield* pass.runOnce({ ...options, trigger: "manual" })
  const end = earlyEndOf(report)
  if (end !== undefined && !hasBegun(report)) return yield* new ActRefused(end)
  return report
})

/** What the row of an act says whose pass has ended: the sentence, and why the pass ended early. */
export const toldOf = (report: PassReport, sentence: string): string => {
  const end = earlyEndOf(report)
  return end === undefined || sentence.endsWith(end.message)
    ? sentence
    : `${sentence}; then the pass ended: ${end.message}`
}

const countsOf = ({ outcomes, undecodable }: PassReport) =>
  Object.entries({ ...outcomes, undecodable })
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${what} ${count}`)
    .join(", ")

/** What an act came to whose work is a pass: a pass that ended early is refused or has failed, even if games were removed before. */
export const passDone = (report: PassReport): Done<PassReport> => {
  const { dryRun, result } = report
  const end = earlyEndOf(report)
  const said = [`${dryRun ? "dry run, " : ""}pass: ${result}`, countsOf(report), end?.message ?? ""]
  return {
    value: report,
    result: end === undefined ? "done" : isAway(end) ? "failed" : "refused",
    message: said.filter((part) => part !== "").join("; ")
  }
}

/** A dry run is no act: it changes nothing, and so leaves no row. */
export const performUnlessDry = Effect.fnUntraced(function* <A, R>(
  act: Act,
  work: Effect.Effect<Done<A>, ActError, R>
) {
  const { mode } = yield* CleanupPass
  const { value } = mode === "dry_run" ? yield* work : yield* perform(act, work)
  return value
})
