import { Clock, Duration, Effect, Metric, Record as Rec } from "effect"
import type { Backlog } from "../domain/Backlog.ts"
import { type Mode, modes } from "../domain/Mode.ts"
import { isRefusal, type PassReason, passReasons } from "../domain/PassRefused.ts"
import type { PassReport, Tally } from "../domain/PassReport.ts"
import type { Pause } from "../domain/Pause.ts"
import { type Progress, rate, secondsLeft } from "../domain/Progress.ts"
import { printable } from "../domain/printable.ts"
import * as Metrics from "./Metrics.ts"

/** Sets the gauges from the backlog, and when it was counted: they keep their values for as long as it cannot be. */
export const backlogMeasured = Effect.fnUntraced(function* (backlog: Backlog) {
  yield* Metric.update(Metrics.backlogFor("due"), backlog.due)
  yield* Metric.update(Metrics.backlogFor("backing_off"), backlog.backingOff)
  yield* Metric.update(Metrics.backlogFor("leased"), backlog.leased)
  yield* Metric.update(Metrics.backlogFor("held"), backlog.held)
  yield* Metric.update(Metrics.backlogFor("stuck"), backlog.stuck)
  yield* Metric.update(Metrics.oldestDueAgeFor("due"), backlog.oldestDueAge)
  yield* Metric.update(Metrics.oldestDueAgeFor("leased"), backlog.oldestLeasedAge)
  yield* Metric.update(Metrics.unusableRowsFor("no_time"), backlog.noTime)
  yield* Metric.update(Metrics.unusableRowsFor("future"), backlog.future)
  yield* Metric.update(Metrics.backlogCounted, (yield* Clock.currentTimeMillis) / 1000)
})

/** Sets the gauge of the stopped records that no service cleans. */
export const unknownEnginesMeasured = (engines: ReadonlyArray<{ readonly stopped: number }>) =>
  Metric.update(
    Metrics.unusableRowsFor("engine_unknown"),
    engines.reduce((sum, { stopped }) => sum + stopped, 0)
  )

/** Sets the gauge of the pause that a person has asked for. */
export const pauseMeasured = (pause: Pause | undefined) => Metric.update(Metrics.paused, pause === undefined ? 0 : 1)

/** Sets the gauge of the holds that people have placed. */
export const holdsMeasured = (count: number) => Metric.update(Metrics.holds, count)

/** What the service was told to do. */
export interface ToldSettings {
  readonly mode: Mode
  readonly interval: Duration.Duration
  readonly retention: Duration.Duration
}

/** Sets the gauges of the settings by which alerts judge the service. */
export const settingsMeasured = Effect.fnUntraced(function* (settings: ToldSettings) {
  yield* Effect.forEach(modes, (mode) => Metric.update(Metrics.modeFor(mode), mode === settings.mode ? 1 : 0))
  yield* Metric.update(Metrics.interval, Duration.toSeconds(settings.interval))
  yield* Metric.update(Metrics.retention, Duration.toSeconds(settings.retention))
})

/** What a pass finds at its start, besides the gauges: games that need a person. */
export const passBegan = Effect.fnUntraced(function* (backlog: Backlog | undefined) {
  if (backlog === undefined) return yield* Effect.logInfo("cleanup.pass.backlog_unknown")
  if (backlog.stuck > 0) {
    yield* Effect.logWarning("cleanup.pass.stuck_games").pipe(
      Effect.annotateLogs({ games: backlog.stuck, first: backlog.stuckGames.map(printable) })
    )
  }
})

/**
 * Once a pass has listed games and rehearsed a removal: what kept passes from working is over. Whether removals are recorded
 * again is known only at its end.
 */
export const passWorks = Effect.forEach(
  passReasons.filter((reason) => reason !== "cannot_record"),
  (reason) => Metric.update(Metrics.blockedFor(reason), 0),
  { discard: true }
)

/** A long pass as one log line now and then, with how many games may be at the engine at once. */
export const passGoesOn = ([progress, atOnce]: readonly [Progress, number]) =>
  Effect.annotateLogs(Effect.logInfo("cleanup.pass.progress"), {
    done: progress.done,
    due: progress.due ?? "unknown",
    games_per_second: Number(rate(progress).toPrecision(3)),
    seconds_left: secondsLeft(progress) ?? "unknown",
    games_at_once: atOnce
  })

/** Whether the last pass ended early, by reason: at most one of these gauges is 1. */
const blocked = (by: PassReason | null) =>
  Effect.forEach(passReasons, (reason) => Metric.update(Metrics.blockedFor(reason), reason === by ? 1 : 0), {
    discard: true
  })

/** Turns an ended pass into span attributes, instruments and one log line: a warning if something ended it early. */
export const passEnded = Effect.fnUntraced(function* (report: PassReport & Tally, started: bigint) {
  const { message, reason, result } = report
  const seconds = Number((yield* Clock.monotonicTimeNanos) - started) / 1e9
  yield* Effect.annotateCurrentSpan({
    "rtmanager.cleanup.trigger": report.trigger,
    "rtmanager.cleanup.result": result,
    "rtmanager.cleanup.listed": report.listed,
    "rtmanager.cleanup.dry_run": report.dryRun,
    ...Rec.mapKeys(report.outcomes, (outcome) => `rtmanager.cleanup.games.${outcome}`),
    ...(reason !== null && { "error.type": reason })
  })
  yield* Metric.update(Metrics.passDurationFor(result), seconds)
  // A person's pass goes by other guards, so that it was not blocked says nothing of the service's own.
  if (result !== "interrupted" && (reason !== null || report.trigger !== "manual")) yield* blocked(reason)
  if (isRefusal(reason)) yield* Metric.update(Metrics.passesRefusedFor(reason), 1)
  if (result === "success" || result === "partial") {
    yield* Metric.update(Metrics.unusableRowsFor("undecodable"), report.undecodable)
    // A person's pass says nothing of the service, whose own may hang.
    if (!report.dryRun && report.trigger !== "manual")
      yield* Metric.update(Metrics.lastSuccess, (yield* Clock.currentTimeMillis) / 1000)
  }
  if (report.undecodable > 0) {
    yield* Effect.logWarning("cleanup.pass.undecodable_rows").pipe(
      Effect.annotateLogs({ rows: report.undecodable, first: report.undecodableRows })
    )
  }
  const level = reason !== null ? "Warn" : report.listed > 0 || result === "interrupted" ? "Info" : "Debug"
  yield* Effect.logWithLevel(level)(`cleanup.pass.${result}`).pipe(
    Effect.annotateLogs({
      trigger: report.trigger,
      dry_run: report.dryRun,
      ...(report.cutoff !== null && { cutoff: report.cutoff.toISOString() }),
      listed: report.listed,
      undecodable: report.undecodable,
      not_attempted: report.notAttempted,
      outcomes: report.outcomes,
      error_codes: report.errorCodes,
      seconds,
      ...(reason !== null && { reason, message })
    })
  )
})
