import { Duration, Effect, Layer, Result } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { Acquired, type AuditRow, GameLeases, type Lease, type SettledEnd } from "../../ports/GameLeases.ts"
import { Database } from "./Database.ts"
import { decodeRecord, type RecordRow, recordColumns, recordTables, timestamp } from "./rows.ts"

export interface Options {
  /** One UUID per process. */
  readonly owner: string
  readonly leaseTtl: Duration.Input
}

const make = Effect.fnUntraced(function* ({ owner, leaseTtl }: Options) {
  const database = yield* Database
  const sql = yield* SqlClient
  const ttl = sql`${Duration.toMillis(leaseTtl)}::float8 * interval '1 millisecond'`

  /** The lease's row, if the lease is still ours. */
  const fence = (lease: Lease) =>
    sql`game_id = ${lease.gameId} and owner = ${lease.owner}::uuid and token = ${lease.token}`

  const release = (lease: Lease) =>
    database.run("release", "unanswered", sql`delete from game_leases where ${fence(lease)}`)

  /** The columns that `auditValues` gives, for one `insert`. */
  const auditColumns = sql.literal(`game_id, op_kind, op_source, source_ref, container_id, image_ref, outcome,
    error_code, error_message, lease_owner, lease_token, trace_id, started_at, finished_at`)

  const millis = (time: number) => timestamp(sql, BigInt(Math.floor(time)) * 1000n)

  const auditValues = (lease: Lease, outcome: "success" | "failure", row: AuditRow) =>
    sql`${lease.gameId}::text, 'cleanup_container', ${row.opSource}::text, ${row.sourceRef}::text,
      ${row.containerId}::text, ${row.imageRef}::text, ${outcome}::text, ${row.errorCode}::text, ${row.message}::text,
      ${lease.owner}::uuid, ${lease.token}::bigint, ${row.traceId}::text, ${millis(row.startedAt)},
      ${millis(row.finishedAt)}`

  const take = (gameId: string) =>
    database.run(
      "acquire",
      // An answer that was lost may have been ours: asking again would find our own lease and call the game busy.
      "rolled_back",
      sql<{ token: bigint; leftBy: "us" | "another" | null }>`
        with expired as (
          select owner from game_leases where game_id = ${gameId} and expires_at <= clock_timestamp()
        ), taken as (
          insert into game_leases (game_id, owner, token, acquired_at, expires_at)
          values (${gameId}, ${owner}::uuid, nextval('game_leases_token'), clock_timestamp(), clock_timestamp() + ${ttl})
          on conflict (game_id) do update set owner = excluded.owner, token = excluded.token,
            acquired_at = excluded.acquired_at, expires_at = excluded.expires_at
          where game_leases.expires_at <= clock_timestamp()
          returning token
        ) select token,
            (select case when owner = ${owner}::uuid then 'us' else 'another' end from expired) as "leftBy"
          from taken`
    )

  const readRecord = (gameId: string) =>
    database.run(
      "reread",
      "disconnected",
      sql<RecordRow>`
        select ${sql.literal(recordColumns)} from ${sql.literal(recordTables)} where r.game_id = ${gameId} limit 2`
    )

  const acquire = Effect.fnUntraced(function* (gameId: string) {
    const [taken] = yield* take(gameId)
    if (taken === undefined) return Acquired.Busy()
    const lease: Lease = { gameId, owner, token: taken.token }
    const rows = yield* readRecord(gameId).pipe(Effect.onError(() => Effect.ignore(release(lease))))
    const [row] = rows
    const record = row === undefined ? Result.succeed(undefined) : decodeRecord(row)
    if (Result.isSuccess(record) && rows.length < 2) {
      return Acquired.Held({ lease, record: record.success, leftBy: taken.leftBy ?? undefined })
    }
    yield* release(lease)
    return Acquired.Undecodable({
      detail: Result.isFailure(record) ? record.failure : "there is more than one record of this game"
    })
    // Interrupted between its statements it would leave a lease behind that nobody knows of.
  }, Effect.uninterruptible)

  const renew = (lease: Lease) =>
    Effect.map(
      database.run(
        "renew",
        "unanswered",
        sql`
          update game_leases set expires_at = clock_timestamp() + ${ttl}
          where ${fence(lease)} and expires_at > clock_timestamp() returning token`
      ),
      (rows) => rows.length > 0
    )

  const commit = Effect.fnUntraced(function* (
    lease: Lease,
    { containerId }: { readonly containerId: string | null },
    row: AuditRow
  ) {
    const [result] = yield* database.run(
      "commit",
      "unanswered",
      // The delete is the fence and the release. Only its row lets the update through, and only the update's the log.
      sql<{ moved: boolean }>`
        with lease as (
          delete from game_leases where ${fence(lease)} returning game_id
        ), moved as (
          update runtime_records as r
          set status = 'removed', removed_at = ${millis(row.finishedAt)}, last_op_at = ${millis(row.finishedAt)}
          from lease where r.game_id = lease.game_id and r.status = 'stopped'
            and r.current_container_id is not distinct from ${containerId}::text
          returning r.game_id
        ), forgotten as (
          delete from cleanup_backoff as b using moved where b.game_id = moved.game_id
        ), logged as (
          insert into operation_log (${auditColumns})
          select ${auditValues(lease, "success", row)} from moved
          on conflict do nothing
        ) select exists (select from moved) as moved`
    )
    if (result?.moved) return "committed"
    // Nothing moved now; but an earlier sending whose answer was lost may have done it.
    const [found] = yield* database.run(
      "commit",
      "disconnected",
      sql<{ ours: boolean; removed: boolean }>`
        select exists (
            select from operation_log where game_id = ${lease.gameId} and op_kind = 'cleanup_container'
              and outcome = 'success' and lease_owner = ${lease.owner}::uuid and lease_token = ${lease.token}
          ) as ours,
          exists (select from runtime_records where game_id = ${lease.gameId} and status = 'removed') as removed`
    )
    if (found?.ours) return "committed"
    return found?.removed ? "already_removed" : "record_moved"
  })

  const settle = (lease: Lease, { afterCommit = false, backoff, failure, keep }: SettledEnd) => {
    if (failure === undefined) return keep ? Effect.void : Effect.asVoid(release(lease))
    const held = keep
      ? sql`select game_id from game_leases where ${fence(lease)} for update`
      : sql`delete from game_leases where ${fence(lease)} returning game_id`
    const backedOff =
      backoff === undefined
        ? sql``
        : sql`, backed_off as (
            insert into cleanup_backoff (game_id, attempts, next_attempt_at, last_error)
            select game_id, ${backoff.attempts}::integer, ${millis(backoff.nextAttemptAt)}, ${backoff.lastError}::text
            from held
            on conflict (game_id) do update set attempts = excluded.attempts,
              next_attempt_at = excluded.next_attempt_at, last_error = excluded.last_error
          )`
    return Effect.asVoid(
      database.run(
        "settle",
        "unanswered",
        sql`
          with held as (${held})${backedOff}, last as (
            select container_id, error_code, finished_at from operation_log
            where game_id = ${lease.gameId} and op_kind = 'cleanup_container' order by id desc limit 1
          )
          insert into operation_log (${auditColumns})
          select ${auditValues(lease, "failure", failure)}
          where (exists (select from held) or ${afterCommit}::boolean) and not exists (
            select from last where container_id is not distinct from ${failure.containerId}::text
              and error_code is not distinct from ${failure.errorCode}::text
              and finished_at > ${millis(failure.finishedAt)} - interval '24 hours'
          )`
      )
    )
  }

  return GameLeases.of({ acquire, renew, commit, settle })
})

/** The leases by the database's clock, and the fenced writes. */
export const layer = (options: Options) => Layer.effect(GameLeases, make(options))
