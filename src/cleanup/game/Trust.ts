import { Clock, Duration, Effect, Ref } from "effect"

/** How long we may still rely on what we were told; never negative. */
export interface Trust {
  readonly left: Effect.Effect<Duration.Duration>
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

/** Trust of the given length from now on. */
export const start = Effect.fnUntraced(function* (length: Duration.Duration) {
  const clock = yield* Clock.Clock
  const begun = readingOf(clock)
  const left = Effect.sync(() =>
    Duration.millis(Math.max(0, Duration.toMillis(length) - elapsed(begun, readingOf(clock))))
  )
  return { left } satisfies Trust
})

export interface RenewableTrust extends Trust {
  /** Renews if less than this is left, and says whether this much is left then. */
  readonly ensure: (needed: Duration.Duration) => Effect.Effect<boolean>
}

/** `renew` says whether it was granted; what it grants counts from before it was asked. */
export const renewable = Effect.fnUntraced(function* (
  first: Trust,
  options: { readonly length: Duration.Duration; readonly renew: Effect.Effect<boolean> }
) {
  const trust = yield* Ref.make(first)
  const left = Effect.flatMap(Ref.get(trust), ({ left }) => left)
  const covers = (needed: Duration.Duration) =>
    Effect.map(left, (left) => Duration.isGreaterThanOrEqualTo(left, needed))
  return {
    left,
    ensure: Effect.fnUntraced(function* (needed) {
      if (yield* covers(needed)) return true
      const renewed = yield* start(options.length)
      if (!(yield* options.renew)) return false
      yield* Ref.set(trust, renewed)
      return yield* covers(needed)
    })
  } satisfies RenewableTrust
})
