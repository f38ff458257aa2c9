import { Clock, Context, Effect, Option, References, Tracer } from "effect"

/** A call that shares a statement, when it was made (nanoseconds since 1970), and in which span. */
interface Caller {
  readonly request: { readonly askedAt: bigint }
  readonly context: Context.Context<never>
}

const spanAround = ({ context }: Caller) => Context.getOption(context, Tracer.ParentSpan)

/** Seconds from a question until the statement that answered it was sent. */
const waited = "rtmanager.cleanup.waited"

/** A statement that is sent alone, after others did not come. */
export const afterWait = <A, E>(statement: Effect.Effect<A, E>, askedAt: bigint) =>
  Effect.flatMap(Clock.currentTimeNanos, (now) =>
    Effect.annotateSpans(statement, { [waited]: Number(now - askedAt) / 1e9 })
  )

/** The nearest span around this one that is a game's; the outermost if there is none. */
const gameOf = (span: Tracer.AnySpan): Tracer.AnySpan =>
  span._tag === "ExternalSpan" || span.attributes.has("rtmanager.game.id")
    ? span
    : Option.match(span.parent, { onNone: () => span, onSome: gameOf })

/**
 * The span of a statement that serves several games is under none of them, because that one would seem to be slow and the
 * others to do nothing. It is beside the first, and linked to each.
 */
const withSpanBeside = <A, E>(statement: Effect.Effect<A, E>, callers: ReadonlyArray<Caller>) => {
  const games = callers.flatMap((caller) => Option.toArray(spanAround(caller))).map(gameOf)
  const [first] = games
  if (first === undefined) return statement
  return statement.pipe(
    Effect.linkSpans(games),
    Effect.annotateSpans({ "db.operation.batch.size": callers.length }),
    Effect.withParentSpan(first._tag === "Span" ? Option.getOrElse(first.parent, () => first) : first, {
      captureStackTrace: false
    })
  )
}

/** A span for each caller from its question to the answer, which says how long of that was the wait for others. */
const withShares = <A, E>(statement: Effect.Effect<A, E>, callers: ReadonlyArray<Caller>, name: string) =>
  Effect.gen(function* () {
    const tracer = yield* Effect.tracer
    const clock = yield* Clock.Clock
    const sentAt = clock.currentTimeNanosUnsafe()
    const shares = callers.flatMap((caller) =>
      Option.toArray(spanAround(caller)).map((parent) => {
        const startTime = caller.request.askedAt
        const share = tracer.span({
          name,
          parent: Option.some(parent),
          annotations: Context.empty(),
          links: [],
          startTime,
          kind: "internal",
          root: false,
          sampled: parent.sampled
        })
        const attributes = Context.get(caller.context, References.TracerSpanAnnotations)
        for (const [key, value] of Object.entries(attributes)) share.attribute(key, value)
        share.attribute(waited, Number(sentAt - startTime) / 1e9)
        return share
      })
    )
    return yield* Effect.onExit(statement, (exit) =>
      Effect.sync(() => {
        for (const share of shares) share.end(clock.currentTimeNanosUnsafe(), exit)
      })
    )
  })

/** The statement with its own span, and, under this name, one for each caller's share in it. */
export const traced = <A, E>(
  statement: Effect.Effect<A, E>,
  callers: ReadonlyArray<Caller>,
  name: string | undefined
) => {
  const beside = withSpanBeside(statement, callers)
  return name === undefined ? beside : withShares(beside, callers, name)
}
