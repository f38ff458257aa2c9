import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Logger, Metric, References } from "effect"
import { TestClock } from "effect/testing"
import * as CleanupWorker from "../../../src/cleanup/CleanupWorker.ts"
import * as ServiceGauges from "../../../src/cleanup/pass/ServiceGauges.ts"
import { Author } from "../../../src/domain/Act.ts"
import * as Metrics from "../../../src/observability/Metrics.ts"
import { Holds } from "../../../src/ports/Holds.ts"
import { Pauses } from "../../../src/ports/Pauses.ts"
import { StoreState } from "../../adapters/memory/StoreState.ts"
import { inWorld, layerWorld, now, seed, settings, storeDown } from "../../support/world.ts"

const due = Effect.map(Metric.value(Metrics.backlogFor("due")), ({ value }) => value)

/** Unix seconds; 0 before the first count. */
const counted = Effect.map(Metric.value(Metrics.backlogCounted), ({ value }) => value)

/** The levels of the lines that say that the backlog is not known. */
const levelsOf = (levels: Array<string>) =>
  Logger.layer([
    Logger.make<unknown, void>(({ logLevel, message }) => {
      if (String(message).startsWith("cleanup.backlog.unknown")) levels.push(logLevel)
    })
  ])

describe("ServiceGauges", () => {
  inWorld("follow once a minute, and keep their value and its time while the database is away", function* () {
    const state = yield* StoreState
    yield* seed("game", 1)
    yield* Layer.build(ServiceGauges.layer(settings))
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual([yield* due, yield* counted], [1, now / 1000])
    state.intercept = () => storeDown
    yield* seed("other", 2)
    yield* TestClock.adjust("1 minute")
    assert.deepStrictEqual([yield* due, yield* counted], [1, now / 1000])
    state.intercept = () => Effect.void
    yield* TestClock.adjust("1 minute")
    assert.deepStrictEqual([yield* due, yield* counted], [2, now / 1000 + 120])
  })

  inWorld("tell nothing of a backlog that was never counted", function* () {
    const state = yield* StoreState
    state.intercept = () => storeDown
    yield* Layer.build(ServiceGauges.layer(settings))
    yield* TestClock.adjust("10 minutes")
    const told = (yield* Metric.snapshot).map(({ id }) => id)
    assert.include(told, Metrics.instruments.interval.name)
    assert.notInclude(told, Metrics.instruments.backlog.name)
    assert.notInclude(told, Metrics.instruments.backlogCounted.name)
  })

  inWorld("know a pause and the holds, until they end, even while the backlog cannot be counted", function* () {
    const asked = { author: Author.make("ann@shell"), reason: "a complaint", duration: Duration.seconds(90) }
    const { author, reason, duration } = asked
    const told = Effect.forEach([Metrics.paused, Metrics.holds], (gauge) =>
      Effect.map(Metric.value(gauge), ({ value }) => value)
    )
    const state = yield* StoreState
    const statements: Array<string> = []
    state.intercept = (operation) => Effect.sync(() => void statements.push(operation))
    yield* Layer.build(ServiceGauges.layer(settings))
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(yield* told, [0, 0])
    const each = ["currentPause", "countHolds", "clock", "backlog", "unknownEngines", "markEngineSeen"]
    assert.deepStrictEqual(statements, each)
    yield* (yield* Pauses).pause(asked)
    const { place } = yield* Holds
    yield* place({ gameId: "for a while", author, reason, end: duration })
    yield* place({ gameId: "without a record", author, reason, end: null })
    state.intercept = (operation) => (operation === "backlog" ? storeDown : Effect.void)
    yield* TestClock.adjust("1 minute")
    assert.deepStrictEqual([yield* told, yield* due], [[1, 2], 0])
    yield* TestClock.adjust("1 minute")
    assert.deepStrictEqual(yield* told, [0, 1])
  })

  it.effect.each(["enforce", "dry_run", "paused"] as const)(
    "event 40: come at the start and between the passes in mode %s, by the settings that the service has",
    (mode) =>
      Effect.gen(function* () {
        yield* Layer.build(Layer.merge(CleanupWorker.layer(settings), ServiceGauges.layer(settings)))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* due, 0)
        yield* seed("game", 1)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* due, 1)
        yield* seed("elsewhere", 3, { record: { engine: "host-9" } })
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* Metric.value(Metrics.unusableRowsFor("engine_unknown"))).value, 1)
        const seen = (yield* StoreState).engines.get("default")?.lastSeenAt
        assert.strictEqual(seen, { enforce: now + 120_000, dry_run: undefined, paused: undefined }[mode])
        assert.strictEqual((yield* Metric.value(Metrics.oldestDueAgeFor("due"))).value, 86_400 + 120)
      }).pipe(Effect.provide(layerWorld({ mode })), Effect.provideService(Metric.MetricRegistry, new Map()))
  )

  it.effect.each([
    ["a database that does not answer", storeDown],
    ["a bug", Effect.die(new Error("bug"))]
  ] as const)("event 40: say at most once an hour that they cannot be set, because of %s", ([, failure]) => {
    const levels: Array<string> = []
    return Effect.gen(function* () {
      const state = yield* StoreState
      state.intercept = () => failure
      yield* Layer.build(ServiceGauges.layer(settings))
      yield* TestClock.adjust("179 minutes")
      assert.deepStrictEqual([levels.length, levels.filter((level) => level === "Warn").length], [180, 3])
      state.intercept = () => Effect.void
      yield* TestClock.adjust("10 minutes")
      assert.lengthOf(levels, 180)
    }).pipe(
      Effect.provide(layerWorld()),
      Effect.provide(levelsOf(levels)),
      Effect.provideService(References.MinimumLogLevel, "Debug"),
      Effect.provideService(Metric.MetricRegistry, new Map())
    )
  })
})
