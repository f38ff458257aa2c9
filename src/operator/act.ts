import { Cause, Context, Effect, Exit, Option, Schema } from "effect"
import type { Act, ActResult, RequestKey } from "../domain/Act.ts"
import { passReasons } from "../domain/PassRefused.ts"
import { isAway } from "../domain/PassReport.ts"
import { actEnded, actSpan } from "../observability/actTelemetry.ts"
import { Acts } from "../ports/Acts.ts"
import { earlyEnd, type PassError, passError } from "../ports/StoreError.ts"

/** The act was not begun with, and nothing was changed: a rule refuses it, or its pass could not be done for this `reason`. */
export class ActRefused extends Schema.TaggedError<ActRefused>()("ActRefused", {
  message: Schema.String,
  reason: Schema.optionalKey(Schema.Literals(passReasons))
}) {}

/** The author has asked with this key before, so nothing was done: that request's act has the answer. */
export class ActRepeated extends Schema.TaggedError<ActRepeated>()("ActRepeated", { message: Schema.String }) {}

export type ActError = ActRefused | ActRepeated | PassError

/** The key of the request that an act is for, if it came with one. */
export const ActKey = Context.Reference<RequestKey | undefined>("rtmanager/operator/ActKey", {
  defaultValue: () => undefined
})

/** What an act came to, and the same in a sentence for its row. */
export interface Done<A> {
  readonly value: A
  readonly message: string
  /** `done` by default; another one if the work has a value to give although it did not come to its end. */
  readonly result?: ActResult
}

/** A plan that was not begun with can be applied later, which its row allows only if it says `refused`. */
const isFailure = ({ act }: Act, error: ActError): boolean => {
  if (error._tag === "ActRepeated") return false
  if (error._tag !== "ActRefused") return isAway(earlyEnd(error))
  return act !== "plan_apply" && isAway({ reason: error.reason ?? null })
}

const resultOf = (
  act: Act,
  exit: Exit.Exit<Done<unknown>, ActError>
): { readonly result: ActResult; readonly message: string } => {
  if (Exit.isSuccess(exit)) return { result: exit.value.result ?? "done", message: exit.value.message }
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  if (error !== undefined) return { result: isFailure(act, error) ? "failed" : "refused", message: error.message }
  return Cause.hasInterruptsOnly(exit.cause)
    ? { result: "interrupted", message: "told to stop" }
    : { result: "failed", message: String(Cause.squash(exit.cause)) }
}

const isRepeated = (exit: Exit.Exit<unknown, ActError>) =>
  Option.exists(Exit.findErrorOption(exit), ({ _tag }) => _tag === "ActRepeated")

/**
 * Every act goes through here: its row is written before the work begins, and its result after. So an act without a row is
 * impossible, and one that was killed has a row without a result. If the result cannot be written, the work's own still stands.
 * A request that comes again with its key is no act: it fails with `ActRepeated`, without a row and without telemetry.
 */
export const perform = <A, R>(act: Act, work: Effect.Effect<Done<A>, ActError, R>) =>
  Effect.gen(function* () {
    const acts = yield* Acts
    const begun = yield* Effect.mapError(acts.begin(act, yield* ActKey), passError)
    if (begun._tag === "KeyTaken") {
      return yield* new ActRepeated({ message: `${act.author} has made a request with this key before` })
    }
    if (begun._tag === "PlanTaken") {
      return yield* new ActRefused({ message: `plan ${act.target} was applied before, or is being applied` })
    }
    return yield* Effect.onExit(work, (exit) =>
      Effect.catch(acts.end(begun, resultOf(act, exit)), ({ message }) =>
        Effect.annotateLogs(Effect.logWarning("act.result_not_recorded"), {
          act: act.act,
          id: String(begun.id),
          message
        })
      )
    )
  }).pipe(
    Effect.onExit((exit) => (isRepeated(exit) ? Effect.void : actEnded(act, resultOf(act, exit)))),
    actSpan(act)
  )
