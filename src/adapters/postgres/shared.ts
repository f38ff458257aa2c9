import { Context, Effect, Exit, Option, Request, RequestResolver, Tracer } from "effect"
import type { StoreError } from "../../ports/StoreError.ts"

/** The most calls that share one statement. */
const mostTogether = 16

interface Shared<In, Out> extends Request.Request<Out | undefined, StoreError> {
  readonly call: In
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
}

/** The nearest span around this one that is a game's; the outermost if there is none. */
const gameOf = (span: Tracer.AnySpan): Tracer.AnySpan =>
  span._tag === "ExternalSpan" || span.attributes.has("rtmanager.game.id")
    ? span
    : Option.match(span.parent, { onNone: () => span, onSome: gameOf })

/**
 * The span of a statement that serves several games is under none of them, because that one would seem to be slow and the
 * others to do nothing. It is beside the first, and linked to each.
 */
const spanOfAll = <A, E>(statement: Effect.Effect<A, E>, callers: ReadonlyArray<Tracer.AnySpan>) => {
  const games = callers.map(gameOf)
  const [first] = games
  if (first === undefined) return statement
  return statement.pipe(
    Effect.linkSpans(games),
    Effect.annotateSpans({ "db.operation.batch.size": callers.length }),
    Effect.withParentSpan(first._tag === "Span" ? Option.getOrElse(first.parent, () => first) : first)
  )
}

/** Calls of one kind that come at about the same time share a statement; each has an outcome of its own. */
export const shared = <In, Out>({ wait, together, alone }: SharedOptions<In, Out>) => {
  const request = Request.of<Shared<In, Out>>()
  const resolver = RequestResolver.make<Shared<In, Out>>((entries) => {
    const calls = entries.map((entry) => entry.request.call)
    const callers = entries.flatMap(({ context }) => Option.toArray(Context.getOption(context, Tracer.ParentSpan)))
    const answers = calls.length === 1 ? Effect.succeed([]) : spanOfAll(together(calls), callers)
    return Effect.map(Effect.exit(answers), (exit) => {
      entries.forEach((entry, i) => {
        entry.completeUnsafe(Exit.map(exit, (answers) => answers[i]))
      })
    })
  }).pipe(RequestResolver.setDelayEffect(wait), RequestResolver.batchN(mostTogether))

  return (call: In): Effect.Effect<Out, StoreError> =>
    Effect.flatMap(Effect.request(request({ call }), resolver), (answer) =>
      answer === undefined ? alone(call) : Effect.succeed(answer)
    )
}

/** How calls of one kind are sent. */
export type Share = typeof shared
