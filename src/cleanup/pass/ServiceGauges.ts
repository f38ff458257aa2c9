import { Cause, Clock, Duration, Effect, Layer, Option, Ref, Schedule } from "effect"
import { type Moment, momentOf } from "../../domain/Expiry.ts"
import {
  backlogMeasured,
  holdsMeasured,
  pauseMeasured,
  settingsMeasured,
  type ToldSettings,
  unknownEnginesMeasured
} from "../../observability/passTelemetry.ts"
import { Holds } from "../../ports/Holds.ts"
import { KnownEngine } from "../../ports/KnownEngine.ts"
import { Pauses } from "../../ports/Pauses.ts"
import { RuntimeRecords } from "../../ports/RuntimeRecords.ts"
import type { StoreError } from "../../ports/StoreError.ts"

/** Counts the backlog in one statement and sets the gauges by it. */
export const measure = (records: RuntimeRecords["Service"], moment: Moment) =>
  Effect.tap(records.backlog(moment), backlogMeasured)

/** A failure is one warning an hour at most, and a debug line besides: a database that is away must not fill the log. */
const warnEvery = Duration.toNanosUnsafe(Duration.hours(1))

/**
 * Sets the gauges at once and then once a minute, in every mode and however long a pass or the wait for one takes; and once
 * those of the settings. As often it keeps that the service was seen, unless it must touch nothing.
 */
export const layer = ({ interval, mode, retention }: ToldSettings) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      yield* settingsMeasured({ interval, mode, retention })
      const records = yield* RuntimeRecords
      const known = yield* KnownEngine
      const pauses = yield* Pauses
      const holds = yield* Holds
      const quietUntil = yield* Ref.make(yield* Clock.monotonicTimeNanos)
      const failed = Effect.fnUntraced(function* (cause: Cause.Cause<StoreError>) {
        const now = yield* Clock.monotonicTimeNanos
        const isQuiet = now < (yield* Ref.get(quietUntil))
        if (!isQuiet) yield* Ref.set(quietUntil, now + warnEvery)
        const log = Effect.logWithLevel(isQuiet ? "Debug" : "Warn")
        yield* Option.match(Cause.findErrorOption(cause), {
          onSome: ({ message }) => Effect.annotateLogs(log("cleanup.backlog.unknown"), { message }),
          onNone: () => log("cleanup.backlog.unknown", cause)
        })
      })
      // What people asked for comes first: it is still known when there are too many games to count within a statement's time.
      yield* Effect.gen(function* () {
        yield* Effect.flatMap(pauses.current, pauseMeasured)
        yield* Effect.flatMap(holds.count, holdsMeasured)
        const database = yield* records.clock
        const service = yield* Clock.currentTimeMillis
        yield* measure(records, momentOf({ service, database }, retention))
        yield* Effect.flatMap(records.unknownEngines, unknownEnginesMeasured)
        if (mode !== "dry_run") yield* known.markSeen
      }).pipe(
        Effect.catchCause(failed),
        Effect.repeat(Schedule.spaced("1 minute")),
        Effect.withTracerEnabled(false),
        Effect.forkScoped
      )
    })
  )
