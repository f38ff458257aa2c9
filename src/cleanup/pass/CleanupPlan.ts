import { Array as Arr, Duration, Effect, identity, Option, Stream } from "effect"
import { isStuck } from "../../domain/Backoff.ts"
import { ruleOf, whyNotDue } from "../../domain/Due.ts"
import { isDue } from "../../domain/Expiry.ts"
import { isReached } from "../../domain/Micros.ts"
import { type EndedAttempt, type Outcome, type Refused, rules } from "../../domain/Outcome.ts"
import type { PassRefused } from "../../domain/PassRefused.ts"
import type { PlannedGame } from "../../domain/PlannedGame.ts"
import type { RuntimeRecord } from "../../domain/RuntimeRecord.ts"
import { judgeRecord, type Question } from "../../domain/Verdict.ts"
import { ContainerEngine } from "../../ports/ContainerEngine.ts"
import { GameLeases } from "../../ports/GameLeases.ts"
import { type Cursor, type Page, RuntimeRecords, type UnknownEngine } from "../../ports/RuntimeRecords.ts"
import { blameByPing, type Found, find } from "../game/inspect.ts"
import * as Recording from "../game/Recording.ts"
import { openPass } from "./openPass.ts"

/** How the attempt of a pass would end. */
const endOf = (found: Found | Refused, byHand = false): Pick<EndedAttempt, "outcome" | "errorCode" | "message"> => {
  switch (found._tag) {
    case "Removable":
      return { outcome: "removed", errorCode: null, message: byHand ? "a person asks for it" : "its retention is over" }
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
  options: Question & { readonly maxClockSkew: Duration.Duration }
) => {
  const question = { ...options, gameId: record.gameId, patience: Duration.zero, aside: identity }
  return Effect.fromResult(judgeRecord(record, options)).pipe(
    Effect.flatMap(({ containerId }) => find(engine, containerId, question)),
    Effect.tap(() => recording.check(record)),
    Effect.catchTag("ContainerEngineError", blameByPing(engine)),
    Effect.catchTag("Refused", Effect.succeed),
    Effect.map((found) => endOf(found, options.byHand))
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

/** Which games are planned: all stopped ones of this engine, or one of any status. */
export interface PlanOptions {
  readonly retention: Duration.Duration
  readonly maxClockSkew: Duration.Duration
  readonly pageSize: number
  readonly concurrency: number
  readonly gameId?: string | undefined
}

/**
 * What would become of each stopped record of this engine in a pass that began now, oldest first, page by page; then, as one entry for
 * each engine, the records that no service cleans. Touches nothing. If only one game is asked for, its one entry, or none. `page` gives
 * one page alone, and `undefined` for a place that no page has given.
 */
export const plan = Effect.fnUntraced(function* (options: PlanOptions) {
  const records = yield* RuntimeRecords
  const engine = yield* ContainerEngine
  const opened = yield* (yield* openPass)({ ...options, touch: false })
  const { engineName, moment } = opened
  const recording = yield* Recording.make(yield* GameLeases, records)

  const planned = Effect.fnUntraced(function* (record: RuntimeRecord): Effect.fn.Return<PlannedGame, PassRefused> {
    const { backoff, containerId, gameId } = record
    const lastOpAt = record.lastOpAt !== null && isReached(record.lastOpAt) ? record.lastOpAt : null
    const game = { gameId, engine: record.engine, containerId, lastOpAt, stuck: isStuck(backoff) }
    const isOurs = record.status === "stopped" && record.engine === engineName
    const rule = isOurs ? ruleOf(record, moment) : null
    if (isOurs && !isDue(record, moment)) {
      const errorCode = record.hold === null ? null : "held"
      return { ...game, rule, action: "keep", errorCode, message: whyNotDue(record, moment) }
    }
    const { errorCode, message, outcome } = yield* judge(engine, recording, record, { ...options, ...opened })
    return { ...game, rule, action: actions[outcome], errorCode, message }
  })

  const plannedPage = Effect.fnUntraced(function* (page: Pick<Page, "records" | "undecodable">) {
    yield* recording.rehearse(page.records.filter((record) => isDue(record, moment)))
    const games = yield* Effect.forEach(page.records, planned, { concurrency: options.concurrency })
    return [...games, ...page.undecodable.map((row) => unusable(row, engineName))]
  })

  const { gameId } = options
  const page = Effect.fnUntraced(function* (after: Cursor | undefined) {
    if (gameId !== undefined) return { games: yield* plannedPage(yield* records.find([gameId])), next: undefined }
    const found = yield* records.listStopped({ after, limit: options.pageSize })
    if (found === undefined) return undefined
    const games = yield* plannedPage(found)
    const others = found.next === undefined ? Arr.map(yield* records.unknownEngines, uncleaned) : []
    return { games: [...games, ...others], next: found.next }
  })

  const games = Stream.paginate(undefined as Cursor | undefined, (after) =>
    Effect.flatMap(page(after), (found) =>
      found === undefined
        ? Effect.die("a page has given no place")
        : Effect.succeed([found.games, Option.fromUndefinedOr(found.next)] as const)
    )
  )
  return { opened, page, games }
})

const kept = {
  gameId: null,
  containerId: null,
  lastOpAt: null,
  action: "keep",
  errorCode: null,
  stuck: false,
  rule: null
} as const

const unusable = (row: string, engine: string): PlannedGame => ({
  ...kept,
  engine,
  message: `the record does not decode: ${row}`
})

const uncleaned = ({ name, stopped }: UnknownEngine): PlannedGame => ({
  ...kept,
  engine: name,
  message: `${stopped} stopped ${stopped === 1 ? "game" : "games"}; no service has ever cleaned an engine of this name`
})
