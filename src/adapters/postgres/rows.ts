import { Result, Schema } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { printable } from "../../domain/printable.ts"
import { RuntimeRecord } from "../../domain/RuntimeRecord.ts"

const microsPerDay = 86_400_000_000n

/**
 * Microseconds since 1970 as a `timestamptz`, exact over PostgreSQL's whole range and in any session's time zone. Days
 * and the rest go separately: an `interval` of that many microseconds would overflow, and its product is a float.
 */
export const timestamp = (sql: SqlClient, micros: bigint): Fragment =>
  sql`((timestamp 'epoch' + make_interval(days => ${Number(micros / microsPerDay)}::int)
    + ${Number(micros % microsPerDay)}::float8 * interval '1 microsecond') at time zone 'UTC')`

/**
 * A `timestamptz` as microseconds since 1970, exact too: `extract` rounds in PostgreSQL's last years, but not the
 * distance from 2000, where its own count starts. It goes as text, since a `bigint` ends earlier than those years, and
 * a cast that fails on one row fails its page.
 */
export const microsOf = (expression: string): string =>
  `trunc(extract(epoch from ${expression} - timestamptz '2000-01-01 00:00:00+00') * 1000000 + 946684800000000)::text`

/** The columns of a `RecordRow`. */
export const recordColumns = `game_id as "gameId", status, current_container_id as "containerId",
  current_image_ref as "imageRef", case when isfinite(last_op_at) then ${microsOf("last_op_at")} end as "lastOpAt"`

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
