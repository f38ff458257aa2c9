import { Effect } from "effect"
import { CleanupPass, type RunOptions } from "../cleanup/pass/CleanupPass.ts"
import type { Act } from "../domain/Act.ts"
import { hasBegun, type PassReport } from "../domain/PassReport.ts"
import { type ActError, ActRefused, type Done, perform } from "./act.ts"

/** The pass of an act. Fails with `ActRefused` if it ended before it had begun with any game. */
export const passOf = Effect.fnUntraced(function* (options: Omit<RunOptions, "trigger">) {
  const pass = yield* CleanupPass
  const report = yield* pass.runOnce({ ...options, trigger: "manual" })
  const { message, reason } = report
  if (reason !== null && !hasBegun(report)) return yield* new ActRefused({ message: message ?? reason, reason })
  return report
})

/** What the row of an act says whose pass has ended: the sentence, and why the pass ended early. */
export const toldOf = ({ message, reason }: PassReport, sentence: string): string =>
  reason === null || sentence.endsWith(message ?? reason)
    ? sentence
    : `${sentence}; then the pass ended: ${message ?? reason}`

/** A dry run is no act: it changes nothing, and so leaves no row. */
export const performUnlessDry = Effect.fnUntraced(function* <A, R>(
  act: Act,
  work: Effect.Effect<Done<A>, ActError, R>
) {
  const { mode } = yield* CleanupPass
  const { value } = mode === "dry_run" ? yield* work : yield* perform(act, work)
  return value
})
