import { assert, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { TestClock } from "effect/testing"
import * as BacklogGauges from "../../src/cleanup/BacklogGauges.ts"
import * as Metrics from "../../src/observability/Metrics.ts"
import { StoreError, Unavailable } from "../../src/ports/StoreError.ts"
import { StoreState } from "../adapters/memory/StoreState.ts"
import { layerWorld, retention, seed } from "../support/world.ts"

const down = new StoreError({ operation: "backlog", reason: new Unavailable({ cause: new Error("down") }) })
const due = Effect.map(Metric.value(Metrics.backlogFor("due")), ({ value }) => value)

it.effect("the backlog's gauges follow once a minute, and keep their value while the database is away", () =>
  Effect.gen(function* () {
    yield* seed("game", 1)
    yield* Layer.build(BacklogGauges.layer({ retention }))
    yield* TestClock.adjust("1 second")
    assert.strictEqual(yield* due, 1)
    const state = yield* StoreState
    state.intercept = () => down
    yield* seed("other", 2)
    yield* TestClock.adjust("1 minute")
    assert.strictEqual(yield* due, 1)
    state.intercept = () => Effect.void
    yield* TestClock.adjust("1 minute")
    assert.strictEqual(yield* due, 2)
  }).pipe(Effect.provide(layerWorld()), Effect.provideService(Metric.MetricRegistry, new Map()))
)
