import { Clock, Effect, Exit, Request, RequestResolver } from "effect"
import type { StoreError } from "../../ports/StoreError.ts"
import { afterWait, traced } from "./sharedSpans.ts"

/** The most calls that share one statement. */
const mostTogether = 16

interface Shared<In, Out> extends Request.Request<Out | undefined, StoreError> {
  readonly call: In
  /** Nanoseconds since 1970. */
  readonly askedAt: bigint
}

export interface SharedOptions<In, Out> {
  /** How long the first call waits for others. */
  readonly wait: Effect.Effect<void>
  /**
   * One statement for many calls, with an answer for each, in their order. No answer, or `undefined` for a call, leaves
   * that call to a statement of its own, so the one for many may give up on whatever is not plain.
   */
  readonly together: (calls: ReadonlyArray<In>) => Effect.Effect<ReadonlyArray<Out | undefined>, StoreError>
  readonly alone: (call: In) => Effect.Effect<Out, StoreError>
  /** The name of each caller's span of its share; without one the span that the call is made in shows it. */
  readonly span?: string
}

/** Calls of one kind that come at about the same time share a statement; each has an outcome of its own. */
export const shared = <In, Out>({ alone, span, together, wait }: SharedOptions<In, Out>) => {
  const request = Request.of<Shared<In, Out>>()
  const resolver = RequestResolver.make<Shared<In, Out>>((entries) => {
    const calls = entries.map((entry) => entry.request.call)
    const answers = calls.length === 1 ? Effect.succeed([]) : traced(together(calls), entries, span)
    return Effect.map(Effect.exit(answers), (exit) => {
      entries.forEach((entry, i) => {
        entry.completeUnsafe(Exit.map(exit, (answers) => answers[i]))
      })
    })
  }).pipe(RequestResolver.setDelayEffect(wait), RequestResolver.batchN(mostTogether))

  return (call: In): Effect.Effect<Out, StoreError> =>
    Clock.currentTimeNanos.pipe(
      Effect.flatMap((askedAt) =>
        Effect.flatMap(Effect.request(request({ call, askedAt }), resolver), (answer) =>
          answer === undefined ? afterWait(alone(call), askedAt) : Effect.succeed(answer)
        )
      )
    )
}

/** How calls of one kind are sent. */
export type Share = typeof shared
