import { Clock, Duration, Effect, Ref } from "effect"

/** How long we may still rely on what we were told. */
export interface Trust {
  /** Never negative. */
  readonly left: Effect.Effect<Duration.Duration>
  /**
   * Renews if less than `needed` is left, and says whether it is left then. `renew` says whether it was granted; what it
   * grants counts from before it was asked.
   */
  readonly ensure: (needed: Duration.Duration, renew: Effect.Effect<boolean>) => Effect.Effect<boolean>
}

/** Both clocks at one moment. */
export interface Reading {
  readonly monotonic: bigint
  readonly wall: number
}

const readingOf = (clock: Clock.Clock): Reading => ({
  monotonic: clock.monotonicTimeNanosUnsafe(),
  wall: clock.currentTimeMillisUnsafe()
})

export const now: Effect.Effect<Reading> = Effect.map(Clock.Clock, readingOf)

/**
 * Milliseconds from one reading to another: the larger of monotonic and wall-clock time. The first misses a suspended
 * machine, the second a clock set back.
 */
export const elapsed = (from: Reading, to: Reading): number =>
  Math.max(Number(to.monotonic - from.monotonic) / 1e6, to.wall - from.wall)

/** Trust of the given length from now on, and again from each renewal. */
export const start = Effect.fnUntraced(function* (length: Duration.Duration) {
  const clock = yield* Clock.Clock
  const begun = yield* Ref.make(readingOf(clock))
  const left = Effect.map(Ref.get(begun), (since) =>
    Duration.millis(Math.max(0, Duration.toMillis(length) - elapsed(since, readingOf(clock))))
  )
  const covers = (needed: Duration.Duration) =>
    Effect.map(left, (left) => Duration.isGreaterThanOrEqualTo(left, needed))
  const renewed = (needed: Duration.Duration, renew: Effect.Effect<boolean>) =>
    Effect.gen(function* () {
      const asked = readingOf(clock)
      if (!(yield* renew)) return false
      yield* Ref.set(begun, asked)
      return yield* covers(needed)
    })
  return {
    left,
    ensure: (needed, renew) =>
      Effect.flatMap(covers(needed), (isCovered) => (isCovered ? Effect.succeed(true) : renewed(needed, renew)))
  } satisfies Trust
})
