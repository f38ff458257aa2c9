import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect, Exit, Fiber, Layer, Random, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as CleanupWorker from "../../src/cleanup/CleanupWorker.ts"
import { CleanupPass } from "../../src/cleanup/pass/CleanupPass.ts"
import { Heartbeat } from "../../src/cleanup/pass/Heartbeat.ts"
import { PassRefused } from "../../src/domain/PassRefused.ts"
import { empty, type PassReport, report, type Trigger } from "../../src/domain/PassReport.ts"
import { ContainerEngineError, Unreachable } from "../../src/ports/ContainerEngine.ts"
import { earlyEnd, type PassError } from "../../src/ports/StoreError.ts"
import { layerHeartbeat } from "../support/world.ts"

const interval = Duration.hours(1)

const engineDown = Effect.fail(
  PassRefused.engineDown(
    new ContainerEngineError({ operation: "ping", reason: new Unreachable({ detail: "refused" }) })
  )
)

/** The loop over a pass of the test's own, in a scope of its own; `triggers` says which passes have begun. */
const worker = Effect.fnUntraced(function* (pass: (trigger: Trigger) => Effect.Effect<unknown, PassError>) {
  const triggers: Array<Trigger> = []
  const done = (trigger: Trigger, exit: Exit.Exit<unknown, PassError>): PassReport =>
    report(empty(trigger, false), Exit.mapError(Exit.asVoid(exit), earlyEnd))
  const fake = CleanupPass.of({
    mode: "enforce",
    cannotRecord: Effect.undefined,
    runOnce: ({ trigger }) =>
      Effect.sync(() => triggers.push(trigger)).pipe(
        Effect.andThen(pass(trigger)),
        Effect.matchEffect({
          onSuccess: () => Effect.succeed(done(trigger, Exit.void)),
          onFailure: (error) => Effect.succeed(done(trigger, Exit.fail(error)))
        })
      )
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

  it.effect("asks sooner while the engine is away, by backoff with jitter of at most a minute and a fifth", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      let away = true
      yield* worker(() =>
        Effect.andThen(
          Effect.map(Clock.currentTimeMillis, (now) => times.push(now / 1000)),
          Effect.suspend(() => (away ? engineDown : Effect.void))
        )
      ).pipe(Random.withSeed("a seed"))
      yield* TestClock.adjust("30 minutes")
      const waits = times.slice(1).map((time, index) => time - (times[index] ?? 0))
      for (const [index, wait] of waits.entries()) {
        const expected = Math.min(60, 5 * 2 ** index)
        assert.isAtLeast(wait, expected * 0.8)
        assert.isAtMost(wait, expected * 1.2)
      }
      assert.isAbove(new Set(waits).size, 20)
      away = false
      yield* TestClock.adjust("2 minutes")
      const recovered = times.length
      yield* TestClock.adjust("57 minutes")
      assert.lengthOf(times, recovered)
      yield* TestClock.adjust("3 minutes")
      assert.lengthOf(times, recovered + 1)
    })
  )

  it.effect("waits a whole interval after a refusal that only a person can end", () =>
    Effect.gen(function* () {
      const { triggers } = yield* worker(() => Effect.fail(PassRefused.paused))
      yield* TestClock.adjust("59 minutes")
      assert.deepStrictEqual(triggers, ["startup"])
    })
  )

  it.effect("stays alive while it waits for the engine to come back", () =>
    Effect.gen(function* () {
      const { alive } = yield* worker(() => engineDown)
      for (let minutes = 0; minutes < 30; minutes++) {
        yield* TestClock.adjust("1 minute")
        assert.isTrue(yield* alive)
      }
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
