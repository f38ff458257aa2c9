import { Result, Schema } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { printable } from "../../domain/printable.ts"
import { RuntimeRecord } from "../../domain/RuntimeRecord.ts"

const microsPerDay = 86_400_000_000n

/**
 * Microseconds since 1970 as a `timestamptz`, exact over PostgreSQL's whole range: `interval` is multiplied in floating
 * point, so days and the rest go separately. A day is 24 hours here, whatever the session's time zone.
 */
export const timestamp = (sql: SqlClient, micros: bigint): Fragment =>
  sql`(timestamptz 'epoch' + ${Number(micros / microsPerDay)}::float8 * interval '24 hours'
    + ${Number(micros % microsPerDay)}::float8 * interval '1 microsecond')`

/**
 * The columns of a `RuntimeRow`. The time goes as text: as a number of microseconds, PostgreSQL's last years are more
 * than a `bigint` holds, and a cast that fails on one row fails the page.
 */
export const recordColumns = `game_id as "gameId", status, current_container_id as "containerId",
  current_image_ref as "imageRef",
  case when isfinite(last_op_at) then trunc(extract(epoch from last_op_at) * 1000000)::text end as "lastOpAt"`

/** A row as it came. Only the columns' types are known: any of them may be NULL in a table that is not ours. */
export interface RecordRow {
  readonly gameId: string
  readonly status: string | null
  readonly containerId: string | null
  readonly imageRef: string | null
  readonly lastOpAt: string | null
}

const decode = Schema.decodeUnknownResult(
  RuntimeRecord.mapFields((fields) => ({ ...fields, lastOpAt: Schema.NullOr(Schema.BigIntFromString) }))
)

/** The record, or a short printable text that names the row and says what is wrong with it. */
export const decodeRecord = (row: RecordRow): Result.Result<RuntimeRecord, string> =>
  Result.mapError(
    decode(row),
    (error) => `game ${printable(row.gameId) || "(empty)"}: ${printable(error.message.replaceAll(/\s+/g, " "))}`
  )
