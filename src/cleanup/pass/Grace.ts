import { Clock, Duration, Effect, Fiber, Option, Ref } from "effect"

/** How long the games in flight may go on when a pass is interrupted. */
const length = Duration.seconds(4)

/** The one grace of a pass, shared by all of its games. */
export interface Grace {
  /** When interrupted, lets the work go on for what is left of the grace, and then interrupts it too. */
  readonly allow: <A, E>(work: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Nothing more can be cleaned, so whatever is interrupted from now on has no grace. */
  readonly forfeit: Effect.Effect<void>
}

export const make = Effect.gen(function* () {
  const isForfeit = yield* Ref.make(false)
  const interruptedAt = yield* Ref.make<bigint | undefined>(undefined)

  /** Counts from the first interruption of any of the games. */
  const left = Effect.gen(function* () {
    if (yield* Ref.get(isForfeit)) return Duration.zero
    const now = yield* Clock.monotonicTimeNanos
    const since = (yield* Ref.updateAndGet(interruptedAt, (at) => at ?? now)) ?? now
    return Duration.max(Duration.zero, Duration.subtract(length, Duration.nanos(now - since)))
  })

  const afterInterruption = Effect.fnUntraced(function* <A, E>(fiber: Fiber.Fiber<A, E>) {
    const late = yield* Effect.timeoutOption(Fiber.await(fiber), yield* left)
    if (Option.isNone(late)) fiber.interruptUnsafe()
  })

  return {
    allow: (work) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(Effect.forkDetach(work, { uninterruptible: true }), (fiber) =>
          restore(Fiber.await(fiber)).pipe(
            Effect.catchCause(() => afterInterruption(fiber)),
            Effect.andThen(Fiber.join(fiber))
          )
        )
      ),
    forfeit: Ref.set(isForfeit, true)
  } satisfies Grace
})
