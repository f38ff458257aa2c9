import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Trust from "../../../src/cleanup/game/Trust.ts"

/** A clock whose wall and monotonic time a test moves apart. */
const makeClock = Effect.map(TestClock.testClockWith(Effect.succeed), (clock) => {
  const time = { wall: 0, monotonic: 0 }
  const apart: Clock.Clock = {
    ...clock,
    currentTimeMillisUnsafe: () => time.wall,
    monotonicTimeNanosUnsafe: () => BigInt(time.monotonic) * 1_000_000n
  }
  return { time, clock: apart }
})

it.effect.each([
  { name: "both clocks agree", wall: 20_000, monotonic: 20_000, left: 35_000 },
  { name: "the wall clock was set back", wall: -3_600_000, monotonic: 20_000, left: 35_000 },
  { name: "the wall clock moved on while the machine slept", wall: 50_000, monotonic: 1000, left: 5000 },
  { name: "the wall clock was set far ahead", wall: 3_600_000, monotonic: 1000, left: 0 },
  { name: "all of it has passed", wall: 56_000, monotonic: 56_000, left: 0 }
])("trusts by the clock that has moved further: $name", ({ wall, monotonic, left }) =>
  Effect.gen(function* () {
    const { time, clock } = yield* makeClock
    const trust = yield* Effect.provideService(Trust.start(Duration.seconds(55)), Clock.Clock, clock)
    Object.assign(time, { wall, monotonic })
    assert.strictEqual(Duration.toMillis(yield* trust.left), left)
  })
)

describe("trust that can be renewed", () => {
  const length = Duration.seconds(55)
  const needed = Duration.seconds(20)

  /** What is left after `passed` seconds of 55, with a renewal that takes 3 seconds and is granted or not. */
  const after = Effect.fnUntraced(function* (passed: number, granted: boolean) {
    let renewals = 0
    const renew = Effect.sleep("3 seconds").pipe(
      Effect.andThen(
        Effect.sync(() => {
          renewals++
          return granted
        })
      )
    )
    const trust = yield* Trust.start(length)
    yield* TestClock.adjust(Duration.seconds(passed))
    const asked = yield* Effect.forkChild(trust.ensure(needed, renew), { startImmediately: true })
    yield* TestClock.adjust("3 seconds")
    return { ensured: yield* Fiber.join(asked), left: Duration.toSeconds(yield* trust.left), renewals }
  })

  it.effect.each([
    { name: "enough is left", passed: 35, granted: true, expected: { ensured: true, left: 17, renewals: 0 } },
    { name: "too little is left", passed: 36, granted: true, expected: { ensured: true, left: 52, renewals: 1 } },
    { name: "the lease is lost", passed: 36, granted: false, expected: { ensured: false, left: 16, renewals: 1 } },
    { name: "all of it has passed", passed: 80, granted: true, expected: { ensured: true, left: 52, renewals: 1 } }
  ])("counts from before the renewal was asked for: $name", ({ passed, granted, expected }) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* after(passed, granted), expected)
    })
  )
})
