import { Duration, type Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import type { AuditRow, Lease, SettledEnd } from "../../ports/GameLeases.ts"
import { auditColumns, auditValues, millis } from "./audit.ts"
import { microsOf, type RecordRow, recordColumns, recordTables, timestamp } from "./rows.ts"

interface Options {
  /** One UUID per process. */
  readonly owner: string
  readonly leaseTtl: Duration.Input
  readonly quotedSchema: string
}

/** A lease that has just been taken, as it arrives. */
export interface Taken {
  readonly gameId: string
  readonly token: bigint
  /** Microseconds since 1970. */
  readonly acquiredAt: string
  readonly leftBy: "us" | "another" | null
}

export const leaseOf = (owner: string, { acquiredAt, gameId, token }: Taken): Lease => ({
  gameId,
  owner,
  token,
  acquiredAt: BigInt(acquiredAt)
})

/** The condition on `game_leases` that this lease is still ours. */
export const fence = (sql: SqlClient, { acquiredAt, gameId, owner, token }: Lease): Fragment =>
  sql`game_id = ${gameId} and owner = ${owner}::uuid and token = ${token} and acquired_at = ${timestamp(sql, acquiredAt)}`

/** How an attempt that failed ends. */
export type FailedEnd = SettledEnd & { readonly failure: AuditRow }

/** The statements of leases, and of every end of an attempt but the commit. Each is a single step in the database. */
export interface LeaseStatements {
  /** A row for each game whose lease is ours now. */
  readonly take: (gameIds: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Taken>, SqlError>
  readonly readRecords: (gameIds: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<RecordRow>, SqlError>
  /** A row if the lease runs on. */
  readonly renew: (lease: Lease) => Effect.Effect<ReadonlyArray<unknown>, SqlError>
  readonly release: (lease: Lease) => Effect.Effect<unknown, SqlError>
  readonly settle: (lease: Lease, end: FailedEnd) => Effect.Effect<unknown, SqlError>
}

/** `LeaseStatements` in SQL. */
export const leaseStatements = (sql: SqlClient, { leaseTtl, owner, quotedSchema }: Options) => {
  const schema = sql.literal(quotedSchema)
  const sequence = `${quotedSchema}.game_leases_token`
  const columns = sql.literal(auditColumns)
  const ttl = sql`${Duration.toMillis(leaseTtl)}::float8 * interval '1 millisecond'`

  /** In the order of the games, as every statement that may wait for more than one row. */
  const take = (gameIds: ReadonlyArray<string>) =>
    sql<Taken>`
      with wanted as (
        select value as game_id from json_array_elements_text(${JSON.stringify(gameIds)}::json)
      ), expired as (
        select game_id, owner from ${schema}.game_leases natural join wanted where expires_at <= clock_timestamp()
      ), taken as (
        insert into ${schema}.game_leases (game_id, owner, token, acquired_at, expires_at)
        select game_id, ${owner}::uuid, nextval(${sequence}::text::regclass), clock_timestamp(), clock_timestamp() + ${ttl}
        from (select game_id from wanted order by game_id collate "C") as sorted
        on conflict (game_id) do update set owner = excluded.owner, token = excluded.token,
          acquired_at = excluded.acquired_at, expires_at = excluded.expires_at
        where game_leases.expires_at <= clock_timestamp()
        returning game_id, token, acquired_at
      ) select game_id as "gameId", token, ${sql.literal(microsOf("acquired_at"))} as "acquiredAt",
          (select case when owner = ${owner}::uuid then 'us' else 'another' end from expired
            where expired.game_id = taken.game_id) as "leftBy"
        from taken`

  const readRecords = (gameIds: ReadonlyArray<string>) =>
    sql<RecordRow>`
      select ${sql.literal(recordColumns)} from ${sql.literal(recordTables(quotedSchema))}
      where r.game_id = any (array(select json_array_elements_text(${JSON.stringify(gameIds)}::json)))`

  const renew = (lease: Lease) => sql`
    update ${schema}.game_leases set expires_at = clock_timestamp() + ${ttl}
    where ${fence(sql, lease)} and expires_at > clock_timestamp() returning token`

  const release = (lease: Lease) => sql`delete from ${schema}.game_leases where ${fence(sql, lease)}`

  /** A failure row, unless the game's last one is the same and not a day old; the backoff and the lease with it. */
  const settle = (lease: Lease, { afterCommit = false, backoff, failure, keep }: FailedEnd) => {
    const leased = keep
      ? sql`select game_id from ${schema}.game_leases where ${fence(sql, lease)} for update`
      : sql`delete from ${schema}.game_leases where ${fence(sql, lease)} returning game_id`
    const backedOff =
      backoff === undefined
        ? sql``
        : sql`, backed_off as (
            insert into ${schema}.cleanup_backoff (game_id, attempts, next_attempt_at, last_error)
            select game_id, ${backoff.attempts}::integer, ${millis(sql, backoff.nextAttemptAt)}, ${backoff.lastError}::text
            from leased
            on conflict (game_id) do update set attempts = excluded.attempts,
              next_attempt_at = excluded.next_attempt_at, last_error = excluded.last_error
          )`
    return sql`
      with leased as (${leased})${backedOff}, last as (
        select container_id, error_code, finished_at from ${schema}.operation_log
        where game_id = ${lease.gameId} and op_kind = 'cleanup_container' order by id desc limit 1
      )
      insert into ${schema}.operation_log (${columns})
      select ${auditValues(sql, lease, "failure", failure)}
      where (exists (select from leased) or ${afterCommit}::boolean) and not exists (
        select from last where container_id is not distinct from ${failure.containerId}::text
          and error_code is not distinct from ${failure.errorCode}::text
          and finished_at > ${millis(sql, failure.finishedAt)} - interval '24 hours'
      )`
  }

  return { take, readRecords, renew, release, settle }
}
