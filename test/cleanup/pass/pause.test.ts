import { assert, describe } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Fiber, Layer, Metric } from "effect"
import { TestClock } from "effect/testing"
import { MemoryEngine } from "../../../src/adapters/memory/ContainerEngine.ts"
import * as Circuits from "../../../src/cleanup/circuits.ts"
import { Cleaner } from "../../../src/cleanup/game/Cleaner.ts"
import { CleanupPass } from "../../../src/cleanup/pass/CleanupPass.ts"
import { Author } from "../../../src/domain/Act.ts"
import * as Metrics from "../../../src/observability/Metrics.ts"
import { ContainerEngine } from "../../../src/ports/ContainerEngine.ts"
import { Pauses } from "../../../src/ports/Pauses.ts"
import { StoreState } from "../../adapters/memory/StoreState.ts"
import { makeStores } from "../../adapters/memory/Stores.ts"
import { whileTimePasses } from "../../support/whileTimePasses.ts"
import {
  atEngine,
  containerId,
  heldAtEngine,
  inWorld,
  layerHeartbeat,
  leaseTtl,
  runOnce,
  seed,
  seedMany,
  settings,
  storeDown
} from "../../support/world.ts"

const pauseFor = (duration: Duration.Duration | undefined) =>
  Effect.flatMap(Pauses, ({ pause }) => pause({ author: Author.make("anna@host"), reason: "a test", duration }))

/** Pauses after this time, and gives when that was acknowledged. */
const pausedAfter = (wait: Duration.Input) =>
  Effect.delay(Effect.andThen(pauseFor(undefined), Clock.currentTimeMillis), wait)

/** When each removal was sent, by Effect's clock; each takes so long. */
const removalsOf = Effect.fnUntraced(function* (takes: Duration.Input) {
  const sent: Array<number> = []
  yield* atEngine(
    "remove",
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.delay(
        Effect.sync(() => sent.push(now)),
        takes
      )
    )
  )
  return sent
})

/** Another process over the same database and engine. */
const replica = Effect.fnUntraced(function* (owner: string) {
  const stores = makeStores(yield* StoreState, { owner, leaseTtl })
  const ports = Layer.merge(Layer.succeedContext(stores), Layer.succeed(ContainerEngine, yield* ContainerEngine))
  const layer = CleanupPass.layer({ ...settings, concurrency: 4 }).pipe(
    Layer.provide(Layer.merge(Cleaner.layer({ ...settings, concurrency: 4 }), layerHeartbeat)),
    Layer.provide(Circuits.layer),
    Layer.provide(ports)
  )
  return Context.get(yield* Layer.build(Layer.fresh(layer)), CleanupPass)
})

const removed = Effect.map(StoreState, ({ records }) =>
  [...records.values()].filter(({ status }) => status === "removed")
)

const paused = Effect.map(Metric.value(Metrics.paused), ({ value }) => value)

describe("a pause", () => {
  inWorld("refuses a pass at its beginning, says whose it is, and touches nothing", function* () {
    yield* seedMany(3)
    yield* runOnce
    yield* seedMany(3)
    assert.strictEqual(yield* paused, 0)
    yield* pauseFor(Duration.hours(2))
    const state = yield* StoreState
    const before = [[...state.records], [...state.engines], [...state.log]]
    const report = yield* runOnce
    assert.deepInclude(report, { result: "refused", reason: "paused", listed: 0 })
    assert.match(
      report.message ?? "",
      /^anna@host has paused cleaning since .*Z, until .*Z: "a test"\. .* run: resume --reason/
    )
    assert.deepStrictEqual([[...state.records], [...state.engines], [...state.log]], before)
    assert.strictEqual(yield* paused, 1)
  })

  inWorld("lets passes work again once it is over or somebody has resumed", function* () {
    yield* seedMany(3)
    yield* pauseFor(Duration.hours(2))
    assert.strictEqual((yield* runOnce).reason, "paused")
    yield* TestClock.adjust("2 hours")
    assert.strictEqual((yield* runOnce).outcomes.removed, 3)
    yield* seedMany(2)
    yield* pauseFor(undefined)
    yield* TestClock.adjust("30 days")
    assert.strictEqual((yield* runOnce).reason, "paused")
    yield* (yield* Pauses).resume
    assert.strictEqual((yield* runOnce).outcomes.removed, 2)
    assert.strictEqual(yield* paused, 0)
  })

  inWorld.with({ mode: "dry_run" })("keeps nobody from a dry run", function* () {
    yield* seedMany(3)
    yield* pauseFor(undefined)
    assert.deepInclude((yield* runOnce).outcomes, { removed: 3 })
  })

  inWorld.with({ concurrency: 4 })(
    "event 47: ends a pass under way within two seconds: nothing is removed after, and what was removed is recorded",
    function* () {
      yield* seedMany(500)
      const sent = yield* removalsOf("300 millis")
      const pausing = yield* Effect.forkChild(pausedAfter("5 seconds"))
      const report = yield* whileTimePasses(runOnce, "10 millis")
      const ended = yield* Clock.currentTimeMillis
      const at = yield* Fiber.join(pausing)
      assert.deepInclude(report, { result: "refused", reason: "paused" })
      assert.isAtMost(ended, at + 2000)
      assert.isAtLeast(sent.filter((time) => time < at).length, 40)
      assert.isAtMost(Math.max(...sent), at + 1000)
      assert.strictEqual(report.outcomes.removed, sent.length)
      assert.strictEqual((yield* removed).length, sent.length)
      assert.isAbove(report.outcomes.interrupted, 0)
      assert.strictEqual(report.outcomes.failed, 0)
      assert.deepStrictEqual(report.unresolved, [])
      assert.deepStrictEqual([...(yield* StoreState).leases.keys()], [])
    }
  )

  inWorld("event 47: holds in every replica that is in mid-pass", function* () {
    yield* seedMany(900)
    const sent = yield* removalsOf("300 millis")
    const replicas = yield* Effect.forEach(["one", "two", "three"], replica)
    const pausing = yield* Effect.forkChild(pausedAfter("3 seconds"))
    const passes = Effect.forEach(replicas, ({ runOnce }) => runOnce({ trigger: "schedule" }), {
      concurrency: "unbounded"
    })
    const reports = yield* whileTimePasses(passes, "10 millis")
    const ended = yield* Clock.currentTimeMillis
    const at = yield* Fiber.join(pausing)
    assert.isAtMost(ended, at + 2000)
    assert.isAbove(sent.filter((time) => time < at).length, 20)
    assert.deepStrictEqual(
      reports.map(({ reason }) => reason),
      ["paused", "paused", "paused"]
    )
    assert.isTrue(reports.every(({ outcomes }) => outcomes.removed > 0))
    assert.isAtMost(Math.max(...sent), at + 1000)
    assert.strictEqual((yield* removed).length, sent.length)
    yield* TestClock.adjust("1 hour")
    assert.strictEqual((yield* (yield* replica("four")).runOnce({ trigger: "schedule" })).reason, "paused")
  })

  inWorld("lets a removal that was sent before it come to its end, and records it", function* () {
    yield* seed("slow", 1)
    yield* seed("late", 2)
    const { letGo, reached } = yield* heldAtEngine("remove")
    const state = yield* StoreState
    // The second game takes its lease only when the first one's removal is on its way.
    state.intercept = (operation, gameId) =>
      operation === "acquire" && gameId === "late" ? Effect.sleep("3 seconds") : Effect.void
    const pass = yield* Effect.forkChild(runOnce)
    yield* reached
    yield* pauseFor(undefined)
    yield* TestClock.adjust("3 seconds")
    yield* TestClock.adjust("1 second")
    yield* letGo
    const report = yield* whileTimePasses(Fiber.join(pass))
    assert.deepInclude(report, { result: "refused", reason: "paused", unresolved: [] })
    assert.deepInclude(report.outcomes, { removed: 1, interrupted: 1 })
    assert.deepStrictEqual(
      (yield* (yield* MemoryEngine).containers).map(({ id }) => id),
      [containerId(2)]
    )
    assert.deepInclude(yield* removed, state.records.get("slow"))
  })

  inWorld.each([
    ["does not answer", Effect.never],
    ["is away", storeDown]
  ] as const)("that nobody can be asked about lets nothing be removed: the database %s", function* ([, trouble]) {
    yield* seedMany(3)
    const state = yield* StoreState
    state.intercept = (operation) => (operation === "currentPause" ? trouble : Effect.void)
    const report = yield* whileTimePasses(runOnce)
    assert.deepInclude(report, { result: "partial", reason: null })
    assert.deepInclude(report.outcomes, { removed: 0, failed: 3 })
    assert.deepStrictEqual(report.errorCodes, { store_unavailable: 3 })
    assert.strictEqual((yield* (yield* MemoryEngine).containers).length, 3)
    assert.deepStrictEqual([...state.leases.keys()], [])
    state.intercept = () => Effect.void
    assert.strictEqual((yield* runOnce).outcomes.removed, 3)
  })

  inWorld.with({ concurrency: 8 })("is asked for once a second at most, however many games are cleaned", function* () {
    yield* seedMany(1000)
    yield* removalsOf("50 millis")
    const state = yield* StoreState
    const asked: Array<number> = []
    state.intercept = (operation) =>
      operation === "currentPause" ? Effect.map(Clock.currentTimeMillis, (now) => void asked.push(now)) : Effect.void
    const began = yield* Clock.currentTimeMillis
    assert.strictEqual((yield* whileTimePasses(runOnce, "10 millis")).outcomes.removed, 1000)
    const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
    assert.isAbove(seconds, 3)
    assert.isAtMost(asked.length, Math.ceil(seconds))
    assert.isTrue(asked.every((at, i) => i === 0 || at - (asked[i - 1] ?? 0) >= 1000))
  })
})
