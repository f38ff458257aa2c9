import { performance } from "node:perf_hooks"
import { Effect, Layer, Metric, Ref, Schedule } from "effect"
import * as Metrics from "./Metrics.ts"

/** Sets the gauges of this process four times a minute, from 15 seconds after its start. */
export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const before = yield* Ref.make(performance.eventLoopUtilization())
    const measure = Effect.gen(function* () {
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, yield* Ref.getAndSet(before, now))
      yield* Metric.update(Metrics.eventLoopUtilization, utilization)
      yield* Metric.update(Metrics.memoryUsage, process.memoryUsage.rss())
    })
    yield* measure.pipe(Effect.schedule(Schedule.spaced("15 seconds")), Effect.forkScoped)
  })
)
