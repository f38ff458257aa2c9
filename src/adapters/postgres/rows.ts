import { Result, Schema } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { defaultEngine } from "../../domain/EngineName.ts"
import { Hold } from "../../domain/Hold.ts"
import { printable } from "../../domain/printable.ts"
import { RuntimeRecord } from "../../domain/RuntimeRecord.ts"

const microsPerDay = 86_400_000_000n

/**
 * Microseconds since 1970 as a `timestamptz`, exact over PostgreSQL's whole range and in any session's time zone. Days
 * and the rest are passed separately, because an `interval` of that many microseconds would overflow and is computed as
 * a float.
 */
export const timestamp = (sql: SqlClient, micros: bigint): Fragment =>
  sql`((timestamp 'epoch' + make_interval(days => ${Number(micros / microsPerDay)}::int)
    + ${Number(micros % microsPerDay)}::float8 * interval '1 microsecond') at time zone 'UTC')`

/**
 * A `timestamptz` as microseconds since 1970, exact too: `extract` rounds in PostgreSQL's last years, but it does not
 * round the distance from 2000, where PostgreSQL's own count starts. The result is text, because a `bigint` ends before
 * those years, and a cast that fails on one row fails its page.
 */
export const microsOf = (expression: string): string =>
  `trunc(extract(epoch from ${expression} - timestamptz '2000-01-01 00:00:00+00') * 1000000 + 946684800000000)::text`

/** Text that can always be sent: outside a UTF8 database its bytes beyond ASCII are escaped. */
export const sendable = (expression: string): string =>
  `case when current_setting('server_encoding') = 'UTF8' then ${expression}
    else encode(convert_to(${expression}, 'SQL_ASCII'), 'escape') end`

/**
 * The text that has these bytes, given in hex, whatever the database's encoding. By way of JSON, because what `convert_from` gives
 * has the collation of its second argument: it would not be compared as the column is, and no index could serve that.
 */
export const fromBytes = (sql: SqlClient, hex: string): Fragment =>
  sql`(to_json(convert_from(decode(${hex}, 'hex'), 'SQL_ASCII')) #>> '{}')`

/** When a hold ends; NULL if never, or not in a year that a `Date` and its text can hold. */
export const holdUntil = (hold: string): string =>
  `case when ${hold}.until < timestamptz '9999-12-31' then ${hold}.until end`

/** Whether a hold of this alias has not ended, by the clock of the moment in which its row is looked at. */
export const inForce = (hold: string): string => `(${hold}.until is null or ${hold}.until > clock_timestamp())`

/**
 * The tables of `recordColumns`, in the schema of this quoted name: the record as `r`, its backoff as `b`, and as `h` the hold
 * in force that ends last. The joins are lateral, and `offset` or `limit` keeps them so. For a plain join the planner could
 * hash the whole backlog and sort it again for each page.
 */
export const recordTables = (schema: string): string => `${schema}.runtime_records as r
  left join lateral (select * from ${schema}.cleanup_backoff where game_id = r.game_id offset 0) as b on true
  left join lateral (select * from ${schema}.cleanup_holds as h where game_id = r.game_id and ${inForce("h")}
    order by until desc nulls first, author limit 1) as h on true`

/** NULL for an infinite time. */
export const lastOpAt = `case when isfinite(r.last_op_at) then ${microsOf("r.last_op_at")} end as "lastOpAt"`

/** The engine that a row of `runtime_records` names: a partial index begins with this expression. */
export const engineColumn = `coalesce(engine, '${defaultEngine}')`

/** The same of the record `r`, where other tables could have a column of this name. */
export const recordEngine = `coalesce(r.engine, '${defaultEngine}')`

/**
 * Whether a record `r` that is found by its game id is of this engine. Without statistics the planner would look for it among all
 * games of the engine, if an index could be used for this condition.
 */
export const isOfEngine = (sql: SqlClient, name: string): Fragment =>
  sql`${sql.literal(recordEngine)} is not distinct from ${name}::text`

/** The columns of a `RecordRow`. */
export const recordColumns = `r.game_id as "gameId", ${recordEngine} as engine, r.status as status, r.current_container_id as "containerId",
  r.current_image_ref as "imageRef", ${lastOpAt},
  b.attempts as attempts, b.last_error as "lastError",
  ceil(extract(epoch from least(b.next_attempt_at, timestamptz '9999-12-31')) * 1000)::float8 as "nextAttemptAt",
  h.author as "heldBy", h.reason as "holdReason",
  ceil(extract(epoch from ${holdUntil("h")}) * 1000)::float8 as "heldUntil"`

/** A row as it arrives. Only the columns' types are known: any of them can be NULL in a table that is not ours. */
export interface RecordRow {
  readonly gameId: string
  readonly engine: string | null
  readonly status: string | null
  readonly containerId: string | null
  readonly imageRef: string | null
  readonly lastOpAt: string | null
  readonly attempts: number | null
  readonly lastError: string | null
  readonly nextAttemptAt: number | null
  /** NULL if nobody holds the game. */
  readonly heldBy: string | null
  readonly holdReason: string | null
  readonly heldUntil: number | null
}

const decode = Schema.decodeUnknownResult(
  RuntimeRecord.mapFields((fields) => ({
    ...fields,
    lastOpAt: Schema.NullOr(Schema.BigIntFromString),
    hold: Schema.NullOr(Hold.mapFields((fields) => ({ ...fields, until: Schema.NullOr(Schema.DateFromMillis) })))
  }))
)

/** The record, or a short printable text that names the row and says what is wrong with it. */
export const decodeRecord = ({
  attempts,
  lastError,
  nextAttemptAt,
  heldBy,
  holdReason,
  heldUntil,
  ...row
}: RecordRow): Result.Result<RuntimeRecord, string> =>
  Result.mapError(
    decode({
      ...row,
      backoff: attempts === null ? null : { attempts, lastError, nextAttemptAt },
      hold: heldBy === null ? null : { author: heldBy, reason: holdReason, until: heldUntil }
    }),
    (error) => `game ${printable(row.gameId) || "(empty)"}: ${printable(error.message.replaceAll(/\s+/g, " "))}`
  )
