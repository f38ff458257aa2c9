import { assert, describe } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Heartbeat } from "../../../src/cleanup/pass/Heartbeat.ts"
import { testIn } from "../../support/testIn.ts"

const inLife = testIn(Heartbeat.layer({ patience: Duration.minutes(1) }))

const alive = Effect.flatMap(Heartbeat, (heartbeat) => heartbeat.alive)

const aliveAfter = (duration: Duration.Input) => Effect.andThen(TestClock.adjust(duration), alive)

describe("the loop's sign of life", () => {
  inLife("lasts for its patience, and begins anew with each page and game", function* () {
    const { beat } = yield* Heartbeat
    assert.isTrue(yield* aliveAfter("1 minute"))
    yield* beat
    assert.isTrue(yield* aliveAfter("1 minute"))
    assert.isFalse(yield* aliveAfter("1 milli"))
  })

  inLife("lasts as long as the loop sleeps, and a minute more", function* () {
    const { sleep } = yield* Heartbeat
    yield* sleep(Duration.hours(1))
    assert.isTrue(yield* aliveAfter("61 minutes"))
    assert.isFalse(yield* aliveAfter("1 milli"))
  })

  inLife("is neither shortened nor lengthened by a person's pass while the loop sleeps", function* () {
    const { beat, sleep, wake } = yield* Heartbeat
    yield* sleep(Duration.hours(1))
    yield* beat
    assert.isTrue(yield* aliveAfter("60 minutes"))
    yield* beat
    assert.isFalse(yield* aliveAfter("2 minutes"))
    yield* wake
    assert.isTrue(yield* aliveAfter("1 minute"))
  })
})
