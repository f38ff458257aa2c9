import { Cause, Effect, Exit, Option, Schema } from "effect"
import type { Act, ActResult } from "../domain/Act.ts"
import { passReasons } from "../domain/PassRefused.ts"
import { isAway } from "../domain/PassReport.ts"
import { actEnded, actSpan } from "../observability/actTelemetry.ts"
import { Acts } from "../ports/Acts.ts"
import { earlyEnd, type PassError, passError } from "../ports/StoreError.ts"

/** A rule or a guard refuses the act, and nothing was changed. `reason`: why its pass could not be done. */
export class ActRefused extends Schema.TaggedError<ActRefused>()("ActRefused", {
  message: Schema.String,
  reason: Schema.optionalKey(Schema.Literals(passReasons))
}) {}

export type ActError = ActRefused | PassError

/** What an act came to, and the same in a sentence for its row. */
export interface Done<A> {
  readonly value: A
  readonly message: string
  /** `done` by default; another one if the work has a value to give although it did not come to its end. */
  readonly result?: ActResult
}

const resultOf = (
  exit: Exit.Exit<Done<unknown>, ActError>
): { readonly result: ActResult; readonly message: string } => {
  if (Exit.isSuccess(exit)) return { result: exit.value.result ?? "done", message: exit.value.message }
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  if (error !== undefined) {
    const broke = error._tag !== "ActRefused" && isAway(earlyEnd(error))
    return { result: broke ? "failed" : "refused", message: error.message }
  }
  return Cause.hasInterruptsOnly(exit.cause)
    ? { result: "interrupted", message: "told to stop" }
    : { result: "failed", message: String(Cause.squash(exit.cause)) }
}

/**
 * Every act goes through here: its row is written before the work begins, and its result after. So an act without a row is
 * impossible, and one that was killed has a row without a result. If the result cannot be written, the work's own still stands.
 */
export const perform = <A, R>(act: Act, work: Effect.Effect<Done<A>, ActError, R>) =>
  Effect.gen(function* () {
    const acts = yield* Acts
    const id = yield* Effect.mapError(acts.begin(act), passError)
    if (id === undefined)
      return yield* new ActRefused({ message: `plan ${act.target} was applied before, or is being applied` })
    return yield* Effect.onExit(work, (exit) =>
      Effect.catch(acts.end(id, resultOf(exit)), ({ message }) =>
        Effect.annotateLogs(Effect.logWarning("act.result_not_recorded"), { act: act.act, id: String(id), message })
      )
    )
  }).pipe(
    Effect.onExit((exit) => actEnded(act, resultOf(exit))),
    actSpan(act)
  )
