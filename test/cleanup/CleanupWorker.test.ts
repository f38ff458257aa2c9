import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { CleanupPass } from "../../src/cleanup/CleanupPass.ts"
import * as CleanupWorker from "../../src/cleanup/CleanupWorker.ts"
import { Heartbeat } from "../../src/cleanup/Heartbeat.ts"
import { type PassReport, Tally, type Trigger } from "../../src/cleanup/PassReport.ts"
import { layerHeartbeat } from "../support/world.ts"

const interval = Duration.hours(1)

/** The loop over a pass of the test's own, in a scope of its own; `triggers` says which passes have begun. */
const worker = Effect.fnUntraced(function* (pass: (trigger: Trigger) => Effect.Effect<unknown>) {
  const triggers: Array<Trigger> = []
  const done = (trigger: Trigger): PassReport => new Tally(trigger, false).report(Exit.void)
  const fake = CleanupPass.of({
    runOnce: ({ trigger }) =>
      Effect.sync(() => triggers.push(trigger)).pipe(Effect.andThen(pass(trigger)), Effect.as(done(trigger)))
  })
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const layer = CleanupWorker.layer({ interval }).pipe(
    Layer.provideMerge(Layer.merge(Layer.succeed(CleanupPass, fake), layerHeartbeat))
  )
  const context = yield* Layer.buildWithScope(layer, scope)
  yield* Effect.yieldNow
  return { triggers, scope, alive: Effect.flatMap(Heartbeat, (self) => self.alive).pipe(Effect.provide(context)) }
})

describe("CleanupWorker", () => {
  it.effect("runs the first pass at once and the next one an interval after the end of the last", () =>
    Effect.gen(function* () {
      const { triggers } = yield* worker(() => Effect.sleep("10 minutes"))
      assert.deepStrictEqual(triggers, ["startup"])
      yield* TestClock.adjust("69 minutes")
      assert.deepStrictEqual(triggers, ["startup"])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(triggers, ["startup", "schedule"])
    })
  )

  it.effect("never lets passes overlap, however long one takes", () =>
    Effect.gen(function* () {
      const { triggers } = yield* worker(() => Effect.sleep("5 hours"))
      yield* TestClock.adjust("299 minutes")
      assert.deepStrictEqual(triggers, ["startup"])
    })
  )

  it.effect("goes on after a defect", () =>
    Effect.gen(function* () {
      const { triggers } = yield* worker(() => Effect.die(new Error("bug")))
      yield* TestClock.adjust("2 hours")
      assert.deepStrictEqual(triggers, ["startup", "schedule", "schedule"])
    })
  )

  it.effect("ends in mid-pass when its scope closes, and waits until the pass has ended", () =>
    Effect.gen(function* () {
      const ended = yield* Deferred.make<void>()
      const { triggers, scope } = yield* worker(() =>
        Effect.onInterrupt(Effect.never, () =>
          Effect.andThen(Effect.sleep("3 seconds"), Deferred.succeed(ended, undefined))
        )
      )
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("2 seconds")
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closing)
      assert.isTrue(yield* Deferred.isDone(ended))
      yield* TestClock.adjust("2 hours")
      assert.deepStrictEqual(triggers, ["startup"])
    })
  )

  it.effect("is alive while it sleeps, and is not when its wake-up is a minute overdue or a pass hangs", () =>
    Effect.gen(function* () {
      const first = yield* Deferred.make<void>()
      const { alive } = yield* worker((trigger) => (trigger === "startup" ? Deferred.await(first) : Effect.never))
      yield* TestClock.adjust("1 minute")
      assert.isTrue(yield* alive)
      yield* TestClock.adjust("1 second")
      assert.isFalse(yield* alive)
      yield* Deferred.succeed(first, undefined)
      yield* TestClock.adjust("61 minutes")
      assert.isTrue(yield* alive)
      yield* TestClock.adjust("1 second")
      assert.isFalse(yield* alive)
    })
  )
})
