import { Clock, Context, Effect, type LogLevel, Metric, Ref } from "effect"
import { byRetention } from "../domain/Due.ts"
import { dueSince, retentionOf } from "../domain/Expiry.ts"
import { type EndedAttempt, type OpSource, rules } from "../domain/Outcome.ts"
import { printable } from "../domain/printable.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"
import { isoTime } from "../domain/time.ts"
import type { Question } from "../domain/Verdict.ts"
import * as Metrics from "./Metrics.ts"

/** A pass logs this many lines of one kind (an error code or an outcome). The rest go to debug, and the pass sums them up. */
const linesPerKind = 200

/** How many lines of each kind the present pass has logged. Outside a pass every line is logged. */
export const LinesLogged = Context.Reference<Ref.Ref<ReadonlyMap<string, number>> | undefined>(
  "rtmanager/observability/LinesLogged",
  { defaultValue: () => undefined }
)

interface Line extends Pick<EndedAttempt, "gameId" | "outcome" | "errorCode" | "message"> {
  readonly event: string
  readonly level: LogLevel.Severity
  readonly more?: Readonly<Record<string, unknown>>
}

/** One log line for one game, at debug level once a pass has logged enough of its kind. */
export const logGame = Effect.fnUntraced(function* ({ errorCode, event, gameId, level, message, more, outcome }: Line) {
  const kind = errorCode ?? outcome
  const logged = yield* LinesLogged
  const lines =
    logged === undefined
      ? 1
      : yield* Ref.modify(logged, (before) => {
          const lines = (before.get(kind) ?? 0) + 1
          return [lines, new Map([...before, [kind, lines]])]
        })
  yield* Effect.logWithLevel(lines > linesPerKind ? "Debug" : level)(event).pipe(
    Effect.annotateLogs({
      game_id: printable(gameId),
      ...(errorCode !== null && { error_code: errorCode }),
      ...more,
      message
    })
  )
})

interface Request {
  readonly gameId: string
  readonly opSource: OpSource
}

export const gameSpan = ({ gameId, opSource }: Request) =>
  Effect.withSpan(
    "rtmanager.cleanup.game",
    { attributes: { "rtmanager.game.id": printable(gameId), "rtmanager.cleanup.op_source": opSource } },
    { captureStackTrace: false }
  )

/** What is known of a game once its lease is ours, before anything is done to it. */
export const gameLeased = (record: RuntimeRecord, { byHand = false, moment }: Question) => {
  const since = byHand ? null : dueSince(record, moment)
  return Effect.annotateCurrentSpan({
    "rtmanager.cleanup.attempt": (record.backoff?.attempts ?? 0) + 1,
    "rtmanager.cleanup.rule": byHand ? "by hand" : byRetention(retentionOf(moment)),
    ...(since !== null && { "rtmanager.cleanup.due_since": isoTime(since) })
  })
}

/** Counts an attempt as in flight, and gives the monotonic time at which it began. */
export const gameBegan = Effect.andThen(Metric.update(Metrics.inFlight, 1), Clock.monotonicTimeNanos)

/** Once for each attempt, inside `gameSpan`, when it has ended: sets the attributes of the span, logs one line and counts. */
export const gameEnded = Effect.fnUntraced(function* (began: bigint, { opSource }: Request, ended: EndedAttempt) {
  const { containerId, errorCode, imageRef, lag, outcome, unresolved } = ended
  yield* Effect.annotateCurrentSpan({
    "rtmanager.cleanup.outcome": outcome,
    ...(errorCode !== null && { "rtmanager.cleanup.error_code": errorCode }),
    ...(outcome === "failed" && { "error.type": errorCode }),
    ...(containerId !== null && { "container.id": containerId }),
    ...(imageRef !== null && { "container.image.name": printable(imageRef) }),
    ...(lag !== undefined && { "rtmanager.cleanup.lag": lag })
  })
  yield* logGame({
    ...ended,
    event: `cleanup.game.${outcome}`,
    level: errorCode === null ? "Info" : rules[errorCode].level,
    more: {
      ...(containerId !== null && { container_id: containerId }),
      ...(unresolved && { lease: "left to expire" })
    }
  })
  yield* Metric.update(Metrics.inFlight, -1)
  yield* Metric.update(Metrics.gamesFor(outcome, errorCode, opSource), 1)
  const seconds = Number((yield* Clock.monotonicTimeNanos) - began) / 1e9
  yield* Metric.update(Metrics.gameDurationFor(outcome), seconds)
  if (lag !== undefined) yield* Metric.update(Metrics.lag, lag)
})
