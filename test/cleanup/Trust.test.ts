import { assert, it } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Trust from "../../src/cleanup/Trust.ts"

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
