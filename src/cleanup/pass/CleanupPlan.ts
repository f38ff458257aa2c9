import { Array as Arr, Duration, Effect, identity, Option, Stream } from "effect"
import { isStuck } from "../../domain/Backoff.ts"
import type { EngineName } from "../../domain/EngineName.ts"
import { dueAt, isDue, isExpired, type Moment } from "../../domain/Expiry.ts"
import { heldBy } from "../../domain/Hold.ts"
import { type EndedAttempt, type Outcome, type Refused, rules } from "../../domain/Outcome.ts"
import type { PassRefused } from "../../domain/PassRefused.ts"
import type { PlannedGame } from "../../domain/PlannedGame.ts"
import { printable } from "../../domain/printable.ts"
import type { RuntimeRecord } from "../../domain/RuntimeRecord.ts"
import { judgeRecord } from "../../domain/Verdict.ts"
import { ContainerEngine } from "../../ports/ContainerEngine.ts"
import { GameLeases } from "../../ports/GameLeases.ts"
import { type Cursor, RuntimeRecords, type UnknownEngine } from "../../ports/RuntimeRecords.ts"
import { blameByPing, type Found, find } from "../game/inspect.ts"
import * as Recording from "../game/Recording.ts"
import { openPass } from "./openPass.ts"

/** How the attempt of a pass would end. */
const endOf = (found: Found | Refused): Pick<EndedAttempt, "outcome" | "errorCode" | "message"> => {
  switch (found._tag) {
    case "Removable":
      return { outcome: "removed", errorCode: null, message: "its retention is over" }
    case "Absent":
      return { outcome: "already_absent", errorCode: null, message: "its container is gone already" }
    case "Refused":
      return { outcome: rules[found.code].outcome, errorCode: found.code, message: found.message }
  }
}

/** Judges one due record exactly as a pass would; only asks the engine and the database, and leaves nothing behind. */
export const judge = (
  engine: ContainerEngine["Service"],
  recording: Recording.Recording,
  record: RuntimeRecord,
  options: {
    readonly engineName: EngineName
    readonly moment: Moment
    readonly maxClockSkew: Duration.Duration
  }
) => {
  const question = { ...options, gameId: record.gameId, patience: Duration.zero, aside: identity }
  return Effect.fromResult(judgeRecord(record, options)).pipe(
    Effect.flatMap(({ containerId }) => find(engine, containerId, question)),
    Effect.tap(() => recording.check(record)),
    Effect.catchTag("ContainerEngineError", blameByPing(engine)),
    Effect.catchTag("Refused", Effect.succeed),
    Effect.map(endOf)
  )
}

const actions: Readonly<Record<Outcome, PlannedGame["action"]>> = {
  removed: "remove",
  already_absent: "mark_removed",
  replay_no_op: "keep",
  conflict: "keep",
  failed: "keep",
  interrupted: "keep"
}

/**
 * Every stopped record of this engine with what would become of it, oldest first, page by page; then, as one entry for each
 * engine, the records that no service cleans.
 */
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
      const opened = yield* (yield* openPass)({ ...options, touch: false })
      const { moment } = opened
      const recording = yield* Recording.make(yield* GameLeases, records)
      const planned = Effect.fnUntraced(function* (record: RuntimeRecord): Effect.fn.Return<PlannedGame, PassRefused> {
        const { backoff, containerId, gameId } = record
        const game = { gameId, containerId, stuck: isStuck(backoff) }
        if (record.hold !== null) return { ...game, action: "keep", errorCode: "held", message: heldBy(record.hold) }
        if (!isDue(record, moment)) {
          return { ...game, action: "keep", errorCode: null, message: whyNotDue(record, moment, options.retention) }
        }
        const { errorCode, message, outcome } = yield* judge(engine, recording, record, { ...options, ...opened })
        return { ...game, action: actions[outcome], errorCode, message }
      })
      const page = Effect.fnUntraced(function* (after: Cursor | undefined) {
        const { records: stopped, undecodable, next } = yield* records.listStopped({ after, limit: options.pageSize })
        yield* recording.rehearse(stopped.filter((record) => isDue(record, moment)))
        const games = yield* Effect.forEach(stopped, planned, { concurrency: options.concurrency })
        return [[...games, ...undecodable.map(unusable)], Option.fromUndefinedOr(next)] as const
      })
      return Stream.paginate(undefined as Cursor | undefined, page).pipe(
        Stream.concat(Stream.fromArrayEffect(Effect.map(records.unknownEngines, Arr.map(uncleaned))))
      )
    })
  )

const whyNotDue = (record: RuntimeRecord, moment: Moment, retention: Duration.Duration): string => {
  const { backoff, lastOpAt } = record
  if (lastOpAt === null) return "its last_op_at is NULL or infinite"
  if (backoff === null || !isExpired(record, moment)) return `due at ${dueAt(lastOpAt, retention)}`
  const { attempts, lastError, nextAttemptAt } = backoff
  return `failed ${attempts} times, last by ${printable(lastError)}; next attempt from ${new Date(nextAttemptAt).toISOString()}`
}

const kept = { containerId: null, action: "keep", errorCode: null, stuck: false } as const

const unusable = (row: string): PlannedGame => ({ ...kept, gameId: row, message: "the record does not decode" })

const uncleaned = ({ name, stopped }: UnknownEngine): PlannedGame => ({
  ...kept,
  gameId: `${stopped} stopped ${stopped === 1 ? "game" : "games"} on engine ${printable(name)}`,
  message: "no service has ever cleaned an engine of this name"
})
