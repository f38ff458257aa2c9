import { Clock, type Duration, Effect, Layer, Metric, Schedule } from "effect"
import { type Moment, momentOf } from "../domain/Expiry.ts"
import * as Metrics from "../observability/Metrics.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"

/** Counts the backlog in one statement and sets the gauges by it. */
export const measure = Effect.fnUntraced(function* (records: RuntimeRecords["Service"], moment: Moment) {
  const backlog = yield* records.backlog(moment)
  yield* Metric.update(Metrics.backlogFor("due"), backlog.due)
  yield* Metric.update(Metrics.backlogFor("backing_off"), backlog.backingOff)
  yield* Metric.update(Metrics.backlogFor("held"), backlog.held)
  yield* Metric.update(Metrics.backlogFor("stuck"), backlog.stuck)
  yield* Metric.update(Metrics.oldestDueAge, backlog.oldestDueAge)
  return backlog
})

/** Sets the gauges once a minute, however long a pass or the wait for the next one takes. */
export const layer = (options: { readonly retention: Duration.Duration }) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const records = yield* RuntimeRecords
      yield* Effect.gen(function* () {
        const service = yield* Clock.currentTimeMillis
        yield* measure(records, momentOf({ service, database: yield* records.clock, ...options }))
      }).pipe(
        Effect.catchCause((cause) => Effect.logDebug("cleanup.backlog.unknown", cause)),
        Effect.repeat(Schedule.spaced("1 minute")),
        Effect.withTracerEnabled(false),
        Effect.forkScoped
      )
    })
  )
