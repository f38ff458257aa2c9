import { Effect, Option, Stream } from "effect"
import type { Moment } from "../domain/Expiry.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"
import { type Cursor, type Page, RuntimeRecords } from "../ports/RuntimeRecords.ts"
import { Heartbeat } from "./Heartbeat.ts"
import type { Tally } from "./PassReport.ts"
import type { Recording } from "./Recording.ts"

interface DueGamesOptions {
  readonly pageSize: number
  /** The most games that one pass attempts. */
  readonly maxRemovals: number | undefined
}

/**
 * The games that a pass is to attempt, page by page, oldest first. Under a limit those that failed before come last, or
 * they would use it up for the others. What is listed is counted, and each page is a sign of life. None is handed out
 * before the recording of removals is rehearsed.
 */
export const dueGames = Effect.fnUntraced(function* ({ maxRemovals, pageSize }: DueGamesOptions) {
  const records = yield* RuntimeRecords
  const heartbeat = yield* Heartbeat
  const limit = maxRemovals ?? Infinity
  const waits = ({ backoff }: RuntimeRecord) => backoff !== null && maxRemovals !== undefined

  return (moment: Moment, tally: Tally, recording: Recording) => {
    const waiting: Array<RuntimeRecord> = []
    const claim = (page: Page) => {
      tally.page(page)
      waiting.push(...page.records.filter(waits).slice(0, limit - waiting.length))
      const first = page.records.filter((record) => !waits(record))
      const claimed = [...first, ...(page.next === undefined ? waiting : [])].slice(0, limit - tally.claimed)
      tally.claimed += claimed.length
      return [claimed, Option.fromUndefinedOr(tally.claimed === maxRemovals ? undefined : page.next)] as const
    }
    return Stream.paginate(undefined as Cursor | undefined, (after) =>
      records.listDue({ moment, after, limit: pageSize }).pipe(
        Effect.withSpan("rtmanager.cleanup.list_due"),
        Effect.tap(heartbeat.beat),
        Effect.flatMap((page) => Effect.as(recording.rehearse(page.records), claim(page)))
      )
    )
  }
})
