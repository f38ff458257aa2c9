import { Clock, Context, Effect, type LogLevel, Metric, Record as Rec, Ref, Result } from "effect"
import { rules } from "../domain/Outcome.ts"
import { printable } from "../domain/printable.ts"
import * as Metrics from "../observability/Metrics.ts"
import type { Backlog } from "../ports/RuntimeRecords.ts"
import {
  type Cleaned,
  type CleanupRequest,
  type CutShort,
  type GameFailed,
  type Summary,
  summaryOf
} from "./game/Cleaned.ts"
import type { PassReport } from "./PassReport.ts"
import { type Progress, rate, secondsLeft } from "./Progress.ts"

/** Lines of one kind (an outcome with its code) that a pass logs; the rest go to debug, and the pass sums them up. */
const linesPerKind = 200

/** How many lines of each kind the present pass has logged. Outside of a pass every line is logged. */
export const LinesLogged = Context.Reference<Ref.Ref<ReadonlyMap<string, number>> | undefined>(
  "rtmanager/cleanup/LinesLogged",
  { defaultValue: () => undefined }
)

/**
 * The one place where an ended attempt becomes a span, a log line and counters. A failed game fails its span; one that was
 * cut short does not, because nothing is wrong with it.
 */
export const observed =
  (request: CleanupRequest) =>
  (attempt: Effect.Effect<Cleaned, GameFailed | CutShort>): Effect.Effect<Cleaned, GameFailed | CutShort> =>
    Effect.gen(function* () {
      const started = yield* Clock.monotonicTimeNanos
      yield* Metric.update(Metrics.inFlight, 1)
      const told = (ended: Summary) => Effect.all([annotate(ended), log(ended), count(request, ended, started)])
      return yield* attempt.pipe(
        Effect.tap(told),
        Effect.tapError((error) => told(summaryOf(error))),
        Effect.map(Result.succeed),
        Effect.catchTag("CutShort", (cutShort) => Effect.succeed(Result.fail(cutShort)))
      )
    }).pipe(
      Effect.withSpan(
        "rtmanager.cleanup.game",
        {
          attributes: {
            "rtmanager.game.id": printable(request.gameId),
            "rtmanager.cleanup.op_source": request.opSource
          }
        },
        { captureStackTrace: false }
      ),
      Effect.flatMap(Effect.fromResult)
    )

const count = Effect.fnUntraced(function* (
  { opSource }: CleanupRequest,
  { errorCode, lag, outcome }: Summary,
  started: bigint
) {
  const seconds = Number((yield* Clock.monotonicTimeNanos) - started) / 1e9
  yield* Metric.update(Metrics.inFlight, -1)
  yield* Metric.update(Metrics.gamesFor(outcome, errorCode, opSource), 1)
  yield* Metric.update(Metrics.gameDurationFor(outcome), seconds)
  if (lag !== undefined) yield* Metric.update(Metrics.lag, lag)
})

const annotate = ({ outcome, errorCode, containerId, imageRef, lag }: Summary) =>
  Effect.annotateCurrentSpan({
    "rtmanager.cleanup.outcome": outcome,
    ...(errorCode !== null && { "rtmanager.cleanup.error_code": errorCode }),
    ...(outcome === "failed" && { "error.type": errorCode }),
    ...(containerId !== null && { "container.id": containerId }),
    ...(imageRef !== null && { "container.image.name": printable(imageRef) }),
    ...(lag !== undefined && { "rtmanager.cleanup.lag": lag })
  })

const levelOf = ({ errorCode }: Summary) => (errorCode === null ? "Info" : rules[errorCode].level)

const log = (cleaned: Summary) =>
  logLimited(cleaned.errorCode ?? cleaned.outcome, levelOf(cleaned), `cleanup.game.${cleaned.outcome}`, {
    game_id: printable(cleaned.gameId),
    ...(cleaned.errorCode !== null && { error_code: cleaned.errorCode }),
    ...(cleaned.containerId !== null && { container_id: cleaned.containerId }),
    ...(cleaned.unresolved && { lease: "left to expire" }),
    message: cleaned.message
  })

/** One log line for one game, at debug level once a pass has logged enough of this kind. */
export const logLimited = Effect.fnUntraced(function* (
  kind: string,
  level: LogLevel.Severity,
  event: string,
  annotations: Record<string, unknown>
) {
  const logged = yield* LinesLogged
  const lines =
    logged === undefined
      ? 1
      : yield* Ref.modify(logged, (before) => {
          const lines = (before.get(kind) ?? 0) + 1
          return [lines, new Map([...before, [kind, lines]])]
        })
  yield* Effect.annotateLogs(Effect.logWithLevel(lines > linesPerKind ? "Debug" : level)(event), annotations)
})

/** What a pass found at its start, besides the gauges: rows that it can not use, and games that need a person. */
export const backlogMeasured = Effect.fnUntraced(function* (backlog: Backlog | undefined) {
  if (backlog === undefined) return yield* Effect.logInfo("cleanup.pass.backlog_unknown")
  yield* Metric.update(Metrics.unusableRowsFor("no_time"), backlog.noTime)
  yield* Metric.update(Metrics.unusableRowsFor("future"), backlog.future)
  if (backlog.stuck > 0) {
    yield* Effect.logWarning("cleanup.pass.stuck_games").pipe(
      Effect.annotateLogs({ games: backlog.stuck, first: backlog.stuckGames.map(printable) })
    )
  }
})

/** A long pass as one log line now and then, with how many games may be at the engine at once. */
export const passGoesOn = ([progress, atOnce]: readonly [Progress, number]) =>
  Effect.annotateLogs(Effect.logInfo("cleanup.pass.progress"), {
    done: progress.done,
    due: progress.due ?? "unknown",
    games_per_second: Number(rate(progress).toPrecision(3)),
    seconds_left: secondsLeft(progress) ?? "unknown",
    games_at_once: atOnce
  })

/** An ended pass as span attributes, instruments and one log line: a warning where nothing more could be done. */
export const passEnded = Effect.fnUntraced(function* (report: PassReport, started: bigint) {
  const { result, error } = report
  const reason = error?._tag === "PassRefused" ? error.reason : error?.reason._tag
  const seconds = Number((yield* Clock.monotonicTimeNanos) - started) / 1e9
  yield* Effect.annotateCurrentSpan({
    "rtmanager.cleanup.trigger": report.trigger,
    "rtmanager.cleanup.result": result,
    "rtmanager.cleanup.listed": report.listed,
    "rtmanager.cleanup.dry_run": report.dryRun,
    ...Rec.mapKeys(report.outcomes, (outcome) => `rtmanager.cleanup.games.${outcome}`),
    ...(reason !== undefined && { "error.type": reason })
  })
  yield* Metric.update(Metrics.passDurationFor(result), seconds)
  yield* Metric.update(Metrics.unusableRowsFor("undecodable"), report.undecodable)
  if (error?._tag === "PassRefused") yield* Metric.update(Metrics.passesRefusedFor(error.reason), 1)
  if (result === "success" || result === "partial") {
    yield* Metric.update(Metrics.lastSuccess, (yield* Clock.currentTimeMillis) / 1000)
  }
  if (report.undecodable > 0) {
    yield* Effect.logWarning("cleanup.pass.undecodable_rows").pipe(
      Effect.annotateLogs({ rows: report.undecodable, first: report.undecodableRows })
    )
  }
  const level = error !== undefined ? "Warn" : report.listed > 0 || result === "interrupted" ? "Info" : "Debug"
  yield* Effect.logWithLevel(level)(`cleanup.pass.${result}`).pipe(
    Effect.annotateLogs({
      trigger: report.trigger,
      dry_run: report.dryRun,
      ...(report.cutoff !== undefined && { cutoff: new Date(report.cutoff).toISOString() }),
      listed: report.listed,
      undecodable: report.undecodable,
      not_attempted: report.notAttempted,
      outcomes: report.outcomes,
      error_codes: report.errorCodes,
      seconds,
      ...(error !== undefined && { reason, message: error.message })
    })
  )
})
