import { Duration, Effect, identity, Option, Stream } from "effect"
import { isStuck } from "../domain/Backoff.ts"
import { dueAt, isDue, isExpired, type Moment } from "../domain/Expiry.ts"
import { type ErrorCode, type Outcome, type Refused, rules } from "../domain/Outcome.ts"
import { printable } from "../domain/printable.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"
import { judgeRecord } from "../domain/Verdict.ts"
import { ContainerEngine } from "../ports/ContainerEngine.ts"
import { GameLeases } from "../ports/GameLeases.ts"
import { type Cursor, RuntimeRecords } from "../ports/RuntimeRecords.ts"
import { blame, type Found, find } from "./game/inspect.ts"
import { openPass } from "./openPass.ts"
import * as Recording from "./Recording.ts"

/** What a pass would make of one game now, and why. */
export interface Planned {
  readonly gameId: string
  readonly containerId: string | null
  /** `null`: not due, so a pass would not look at it. */
  readonly outcome: Outcome | null
  readonly errorCode: ErrorCode | null
  /** Failed so often that a person is needed. */
  readonly stuck: boolean
  readonly message: string
}

/** Judges one due record exactly as a pass would; only asks the engine and the database, and leaves nothing behind. */
export const judge = Effect.fnUntraced(function* (
  engine: ContainerEngine["Service"],
  recording: Recording.Recording,
  record: RuntimeRecord,
  options: { readonly moment: Moment; readonly maxClockSkew: Duration.Duration }
) {
  const question = { ...options, gameId: record.gameId, patience: Duration.zero, aside: identity }
  const found = yield* Effect.fromResult(judgeRecord(record, options.moment)).pipe(
    Effect.flatMap(({ containerId }) => find(engine, containerId, question)),
    Effect.tap(() => recording.check(record)),
    Effect.catchTag("ContainerEngineError", blame(engine)),
    Effect.catchTag("Refused", Effect.succeed)
  )
  return planned(record, found)
})

/** Every stopped record with what would become of it, oldest first, page by page. */
export const plan = (options: {
  readonly retention: Duration.Duration
  readonly maxClockSkew: Duration.Duration
  readonly pageSize: number
  readonly concurrency: number
}) =>
  Stream.unwrap(
    Effect.gen(function* () {
      const records = yield* RuntimeRecords
      const engine = yield* ContainerEngine
      const { moment } = yield* (yield* openPass)({ ...options, touch: false })
      const recording = yield* Recording.make(yield* GameLeases, records)
      const planOne = (record: RuntimeRecord) =>
        isDue(record, moment)
          ? judge(engine, recording, record, { ...options, moment })
          : Effect.succeed(notDue(record, moment, options.retention))
      const page = Effect.fnUntraced(function* (after: Cursor | undefined) {
        const { records: stopped, undecodable, next } = yield* records.listStopped({ after, limit: options.pageSize })
        yield* recording.rehearse(stopped.filter((record) => isDue(record, moment)))
        const judged = yield* Effect.forEach(stopped, planOne, { concurrency: options.concurrency })
        return [[...judged, ...undecodable.map(unusable)], Option.fromUndefinedOr(next)] as const
      })
      return Stream.paginate(undefined as Cursor | undefined, page)
    })
  )

const planned = (
  { gameId, containerId, backoff }: RuntimeRecord,
  found: Found | Refused
): Planned & { readonly outcome: Outcome } => {
  const game = { gameId, containerId, errorCode: null, stuck: isStuck(backoff) }
  switch (found._tag) {
    case "Removable":
      return { ...game, outcome: "removed", message: "its retention is over" }
    case "Absent":
      return { ...game, outcome: "already_absent", message: "its container is gone already" }
    case "Refused":
      return { ...game, outcome: rules[found.code].outcome, errorCode: found.code, message: found.message }
  }
}

const notDue = (record: RuntimeRecord, moment: Moment, retention: Duration.Duration): Planned => ({
  gameId: record.gameId,
  containerId: record.containerId,
  outcome: null,
  errorCode: null,
  stuck: isStuck(record.backoff),
  message: whyNotDue(record, moment, retention)
})

const whyNotDue = (record: RuntimeRecord, moment: Moment, retention: Duration.Duration): string => {
  const { backoff, lastOpAt } = record
  if (lastOpAt === null) return "its last_op_at is NULL or infinite"
  if (backoff === null || !isExpired(record, moment)) return `due at ${dueAt(lastOpAt, retention)}`
  const { attempts, lastError, nextAttemptAt } = backoff
  return `failed ${attempts} times, last by ${printable(lastError)}; next attempt from ${new Date(nextAttemptAt).toISOString()}`
}

const unusable = (row: string): Planned => ({
  gameId: row,
  containerId: null,
  outcome: null,
  errorCode: null,
  stuck: false,
  message: "the record does not decode"
})
