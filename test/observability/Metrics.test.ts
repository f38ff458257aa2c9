import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { errorCodes, opSources } from "../../src/domain/Outcome.ts"
import { instruments, registerAll } from "../../src/observability/Metrics.ts"
import { sdkInstruments } from "../../src/observability/sdkInstruments.ts"

const registered = registerAll.pipe(
  Effect.andThen(Metric.snapshot),
  Effect.provideService(Metric.MetricRegistry, new Map())
)

describe("Metrics", () => {
  it.effect("brings every counter to life at 0, in the combinations that can occur and no others", () =>
    Effect.gen(function* () {
      const series = yield* registered
      const games = series.filter(({ id }) => id === instruments.games.name)
      assert.strictEqual(games.length, opSources.length * (errorCodes.length + 3))
      const failed = games.filter(({ attributes }) => attributes?.["outcome"] === "failed")
      assert.isTrue(failed.every(({ attributes }) => attributes?.["error_code"] !== "none"))
      assert.isTrue(series.every(({ type, state }) => type === "Counter" && "count" in state && state.count === 0))
    })
  )

  it.effect("makes at most 400 series in Prometheus, a histogram being one for each bucket and three more", () =>
    Effect.gen(function* () {
      const combinations = (attributes: Record<string, ReadonlyArray<string>>) =>
        Object.values(attributes).reduce((product, values) => product * values.length, 1)
      const others = [
        ...Object.values(instruments).filter(({ type }) => type === "histogram" || type === "gauge"),
        ...Object.values(sdkInstruments)
      ].map(
        (instrument) =>
          combinations(instrument.attributes) * ("boundaries" in instrument ? instrument.boundaries.length + 3 : 1)
      )
      const total = (yield* registered).length + others.reduce((sum, series) => sum + series, 0)
      assert.isAtMost(total, 400)
    })
  )

  it("has boundaries in ascending order", () => {
    for (const instrument of Object.values(instruments)) {
      if (!("boundaries" in instrument)) continue
      assert.deepStrictEqual(
        instrument.boundaries,
        instrument.boundaries.toSorted((one, other) => one - other)
      )
    }
  })
})
