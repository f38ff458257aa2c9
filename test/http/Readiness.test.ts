import { assert, describe } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { MemoryEngine } from "../../src/adapters/memory/ContainerEngine.ts"
import { CleanupPass } from "../../src/cleanup/pass/CleanupPass.ts"
import { Readiness } from "../../src/http/Readiness.ts"
import { EngineId } from "../../src/ports/ContainerEngine.ts"
import { CannotRecord, StoreError } from "../../src/ports/StoreError.ts"
import { StoreState } from "../adapters/memory/StoreState.ts"
import { testIn } from "../support/testIn.ts"
import { layerWorld, maxClockSkew, seed, storeDown } from "../support/world.ts"

const reasons = Effect.flatMap(Readiness, (readiness) => readiness.reasons)
const withReadiness = testIn(Readiness.layer({ maxClockSkew }).pipe(Layer.provideMerge(layerWorld())))
const probed = TestClock.adjust("10 seconds")

describe("Readiness", () => {
  withReadiness(
    "has no reason against it when database and engine answer, and an engine is not known yet",
    function* () {
      yield* probed
      assert.deepStrictEqual(yield* reasons, { database: undefined, engine: undefined })
    }
  )

  withReadiness("says what is wrong with the database, and forgets it when the database is back", function* () {
    const state = yield* StoreState
    state.intercept = () => storeDown
    yield* probed
    assert.strictEqual((yield* reasons).database, "clock: down")
    state.intercept = () => Effect.void
    yield* probed
    assert.isUndefined((yield* reasons).database)
  })

  withReadiness("event 24: answers at once while the database hangs, and says so after 5 seconds", function* () {
    yield* probed
    ;(yield* StoreState).intercept = () => Effect.never
    yield* probed
    assert.strictEqual((yield* reasons).database, "no answer within 5 seconds")
  })

  withReadiness("event 8: says that the clocks are too far apart", function* () {
    ;(yield* StoreState).clockOffset = Duration.minutes(2)
    yield* probed
    assert.match((yield* reasons).database ?? "", /clock is 2m behind the database's/)
  })

  withReadiness(
    "event 26: says that the last pass found its removals would not be recorded, until one finds that they are",
    function* () {
      const state = yield* StoreState
      const pass = yield* CleanupPass
      yield* seed("game", 1)
      const denied = new CannotRecord({ detail: "permission denied" })
      state.intercept = (operation) =>
        operation === "rehearse" ? Effect.fail(new StoreError({ operation, reason: denied })) : Effect.void
      yield* probed
      yield* pass.runOnce({ trigger: "schedule" })
      assert.match((yield* reasons).database ?? "", /would not record it: permission denied/)
      state.intercept = () => Effect.void
      yield* pass.runOnce({ trigger: "schedule" })
      assert.isUndefined((yield* reasons).database)
    }
  )

  withReadiness("event 13: says that an earlier pass has put the brake on, and how to let go of it", function* () {
    ;(yield* StoreState).known = { id: EngineId.make("memory/none"), braked: true }
    yield* probed
    assert.match((yield* reasons).engine ?? "", /on the engine were not there.*run --accept-absent/)
  })

  withReadiness("event 13: says that the engine is another one than the known", function* () {
    ;(yield* StoreState).known = { id: EngineId.make("known/none"), braked: false }
    yield* (yield* MemoryEngine).setIdentity(EngineId.make("other/none"))
    yield* probed
    assert.match((yield* reasons).engine ?? "", /other\/none.*known\/none.*engine accept/)
  })
})
