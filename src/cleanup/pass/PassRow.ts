import { type Cause, Clock, Duration, Effect, Fiber, Option, Ref, Schedule, type Scope } from "effect"
import type { PassReport, Tally } from "../../domain/PassReport.ts"
import type { PassLog } from "../../ports/PassLog.ts"

/** How often the row of a pass under way is brought up to date. */
const every = Duration.seconds(5)

/** How long the end of a pass waits at most until its row is written. */
const patience = Duration.seconds(1)

/** The row of one pass, for whoever looks at it from outside. That it cannot be written never disturbs the pass. */
export interface PassRow {
  /** Adds the row, and brings it up to date beside the pass until the scope closes. */
  readonly keep: (due: number | undefined) => Effect.Effect<void, never, Scope.Scope>
  /** Its result: also of a pass without a row until then, unless it found nothing to do, touched nothing or was no pass at all. */
  readonly end: (report: PassReport) => Effect.Effect<void>
}

const isWorthARow = ({ dryRun, listed, reason, result }: PassReport) =>
  !dryRun && (listed > 0 || (result !== "success" && reason !== "paused"))

const notWritten = (cause: Cause.Cause<unknown>) => Effect.logDebug("cleanup.pass.row_not_written", cause)

export const make = Effect.fnUntraced(function* (passLog: PassLog["Service"], tally: Ref.Ref<Tally>) {
  const id = yield* Effect.sync(() => crypto.randomUUID())
  const started = yield* Clock.monotonicTimeNanos
  const seconds = Effect.map(Clock.monotonicTimeNanos, (now) => Number(now - started) / 1e9)
  const aside = <A, E>(write: Effect.Effect<A, E>) =>
    Effect.withTracerEnabled(Effect.catchCause(write, notWritten), false)

  return {
    keep: (due) =>
      Effect.all({ now: Ref.get(tally), seconds }).pipe(
        Effect.flatMap(({ now, seconds }) => passLog.progress(id, { ...now, due, seconds })),
        aside,
        Effect.repeat(Schedule.spaced(every)),
        Effect.forkScoped,
        Effect.asVoid
      ),
    end: Effect.fnUntraced(function* (report) {
      if (!isWorthARow(report)) return
      const end = Effect.flatMap(seconds, (seconds) => passLog.end(id, { ...report, seconds }))
      const fiber = yield* Effect.forkDetach(Effect.interruptible(aside(end)))
      const ended = yield* Effect.timeoutOption(Fiber.await(fiber), patience)
      if (Option.isNone(ended)) fiber.interruptUnsafe()
    })
  } satisfies PassRow
})
