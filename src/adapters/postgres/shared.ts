import { Clock, Context, Effect, Exit, Option, Request, RequestResolver, Tracer } from "effect"
import type { StoreError } from "../../ports/StoreError.ts"

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

type Entries<In, Out> = ReadonlyArray<Request.Entry<Shared<In, Out>>>

const callerOf = ({ context }: Request.Entry<Request.Any>) => Context.getOption(context, Tracer.ParentSpan)

/** The nearest span around this one that is a game's; the outermost if there is none. */
const gameOf = (span: Tracer.AnySpan): Tracer.AnySpan =>
  span._tag === "ExternalSpan" || span.attributes.has("rtmanager.game.id")
    ? span
    : Option.match(span.parent, { onNone: () => span, onSome: gameOf })

/**
 * The span of a statement that serves several games is under none of them, because that one would seem to be slow and the
 * others to do nothing. It is beside the first, and linked to each.
 */
const withSpanBeside = <A, E, In, Out>(statement: Effect.Effect<A, E>, entries: Entries<In, Out>) => {
  const games = entries.flatMap((entry) => Option.toArray(callerOf(entry))).map(gameOf)
  const [first] = games
  if (first === undefined) return statement
  return statement.pipe(
    Effect.linkSpans(games),
    Effect.annotateSpans({ "db.operation.batch.size": entries.length }),
    Effect.withParentSpan(first._tag === "Span" ? Option.getOrElse(first.parent, () => first) : first)
  )
}

/** A span for each caller from its question to the answer, which says how long of that was the wait for others. */
const withShares = <A, E, In, Out>(statement: Effect.Effect<A, E>, entries: Entries<In, Out>, name: string) =>
  Effect.gen(function* () {
    const tracer = yield* Effect.tracer
    const clock = yield* Clock.Clock
    const sentAt = clock.currentTimeNanosUnsafe()
    const shares = entries.flatMap((entry) =>
      Option.toArray(callerOf(entry)).map((caller) => {
        const startTime = entry.request.askedAt
        const share = tracer.span({
          name,
          parent: Option.some(caller),
          annotations: Context.empty(),
          links: [],
          startTime,
          kind: "internal",
          root: false,
          sampled: caller.sampled
        })
        share.attribute("rtmanager.cleanup.waited", Number(sentAt - startTime) / 1e9)
        return share
      })
    )
    return yield* Effect.onExit(statement, (exit) =>
      Effect.sync(() => {
        for (const share of shares) share.end(clock.currentTimeNanosUnsafe(), exit)
      })
    )
  })

const traced = <A, E, In, Out>(statement: Effect.Effect<A, E>, entries: Entries<In, Out>, name: string | undefined) => {
  const beside = withSpanBeside(statement, entries)
  return name === undefined ? beside : withShares(beside, entries, name)
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
      Effect.flatMap((askedAt) => Effect.request(request({ call, askedAt }), resolver)),
      Effect.flatMap((answer) => (answer === undefined ? alone(call) : Effect.succeed(answer)))
    )
}

/** How calls of one kind are sent. */
export type Share = typeof shared
