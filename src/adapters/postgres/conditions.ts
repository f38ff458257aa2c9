import type { SqlClient } from "effect/sql/SqlClient"
import type { EngineName } from "../../domain/EngineName.ts"
import type { Moment } from "../../domain/Expiry.ts"
import type { Cursor } from "../../ports/RuntimeRecords.ts"
import { idOf } from "./listing.ts"
import { recordEngine, timestamp } from "./rows.ts"

/** Unix milliseconds as microseconds. */
export const toMicros = (millis: number) => BigInt(Math.floor(millis)) * 1000n

/** What the listings and the counts ask of a record, in the aliases of `recordTables`. A record is due if it is expired, ready and free. */
export const conditions = (sql: SqlClient, engineName: EngineName) => {
  const ours = sql`${sql.literal(recordEngine)} = ${engineName}`
  const stopped = sql`r.status = 'stopped' and ${ours}`

  /**
   * Stopped, with a finite time, after the cursor. This is a range of the partial index with only one lower bound,
   * because an index scan begins at the first bound that it is given. A row without a game id is no game's record.
   */
  const timed = (cursor?: Cursor) => sql`${stopped} and r.last_op_at < 'infinity' and r.game_id is not null
    and ${cursor === undefined ? sql`r.last_op_at > '-infinity'` : after(cursor)}`

  const after = (cursor: Cursor) =>
    cursor.lastOpAt === null
      ? sql`false`
      : sql`(r.last_op_at, r.game_id) > (${timestamp(sql, cursor.lastOpAt)}, ${idOf(sql, cursor)})`

  const expired = ({ cutoff }: Moment, cursor?: Cursor) =>
    sql`${timed(cursor)} and r.last_op_at < ${timestamp(sql, toMicros(cutoff))}`
  const ready = ({ now }: Moment) =>
    sql`(b.next_attempt_at is null or b.next_attempt_at <= ${timestamp(sql, toMicros(now))})`
  const free = sql`h.game_id is null`

  return { stopped, timed, expired, ready, free }
}
