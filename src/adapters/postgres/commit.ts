import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { AuditRow, CommitResult, Lease } from "../../ports/GameLeases.ts"
import type { StoreError } from "../../ports/StoreError.ts"
import { auditColumns, auditValues, millis } from "./audit.ts"
import type { Database } from "./Database.ts"
import { shared } from "./shared.ts"

interface Commit {
  readonly lease: Lease
  readonly containerId: string | null
  readonly row: AuditRow
}

interface Options {
  readonly database: Database["Service"]
  readonly sql: SqlClient
  /** How long the first commit waits for others to share its statement. */
  readonly wait: Effect.Effect<void>
}

/**
 * The fenced commit. Those that come together share one statement, which passes over every game whose rows are not just
 * as expected or that somebody else has locked. Only the statement of the game alone says that it was not committed.
 */
export const makeCommit = ({ database, sql, wait }: Options) => {
  const columns = sql.literal(auditColumns)

  /** The delete is the fence and the release. Only its row lets the update through, and only the update's the log. */
  const one = ({ containerId, lease, row }: Commit) => sql<{ moved: boolean }>`
    with lease as (
      delete from game_leases
      where game_id = ${lease.gameId} and owner = ${lease.owner}::uuid and token = ${lease.token}
      returning game_id
    ), moved as (
      update runtime_records as r
      set status = 'removed', removed_at = ${millis(sql, row.finishedAt)}, last_op_at = ${millis(sql, row.finishedAt)}
      from lease where r.game_id = lease.game_id and r.status = 'stopped'
        and r.current_container_id is not distinct from ${containerId}::text
      returning r.game_id
    ), forgotten as (
      delete from cleanup_backoff as b using moved where b.game_id = moved.game_id
    ), logged as (
      insert into operation_log (${columns})
      select ${auditValues(sql, lease, "success", row)} from moved
      on conflict do nothing
    ) select exists (select from moved) as moved`

  const readBack = (lease: Lease) => sql<{ ours: boolean; removed: boolean }>`
    select exists (
        select from operation_log where game_id = ${lease.gameId} and op_kind = 'cleanup_container'
          and outcome = 'success' and lease_owner = ${lease.owner}::uuid and lease_token = ${lease.token}
      ) as ours,
      exists (select from runtime_records where game_id = ${lease.gameId} and status = 'removed') as removed`

  const alone = Effect.fnUntraced(function* (commit: Commit): Effect.fn.Return<CommitResult, StoreError> {
    const [result] = yield* database.run("commit", "unanswered", one(commit))
    if (result?.moved) return "committed"
    // Nothing moved now; but an earlier sending whose answer was lost may have done it.
    const [found] = yield* database.run("commit", "disconnected", readBack(commit.lease))
    if (found?.ours) return "committed"
    return found?.removed ? "already_removed" : "record_moved"
  })

  /** The same, with both rows of each game locked first, in the order of the games and without waiting for anyone. */
  const many = (commits: ReadonlyArray<Commit>) => sql<{ gameId: string; token: bigint }>`
    with wanted as materialized (
      select * from json_to_recordset(${JSON.stringify(commits.map(toRow))}::json) as wanted (
        game_id text, owner uuid, token bigint, current_container_id text, op_source text, source_ref text,
        container_id text, image_ref text, message text, trace_id text, started_at timestamptz, finished_at timestamptz
      )
    ), held as materialized (
      select w.* from game_leases as l
        join wanted as w on w.game_id = l.game_id and w.owner = l.owner and w.token = l.token
      order by l.game_id collate "C" for update of l skip locked
    ), stopped as materialized (
      select held.* from runtime_records as r join held on held.game_id = r.game_id
      where r.status = 'stopped' and r.current_container_id is not distinct from held.current_container_id
      order by r.game_id collate "C" for update of r skip locked
    ), lease as (
      delete from game_leases as l using stopped as w
      where l.game_id = w.game_id and l.owner = w.owner and l.token = w.token
      returning w.*
    ), moved as (
      update runtime_records as r
      set status = 'removed', removed_at = lease.finished_at, last_op_at = lease.finished_at
      from lease where r.game_id = lease.game_id and r.status = 'stopped'
        and r.current_container_id is not distinct from lease.current_container_id
      returning lease.*
    ), forgotten as (
      delete from cleanup_backoff as b using moved where b.game_id = moved.game_id
    ), logged as (
      insert into operation_log (${columns})
      select game_id, 'cleanup_container', op_source, source_ref, container_id, image_ref, 'success', null, message,
        owner, token, trace_id, started_at, finished_at
      from moved order by game_id collate "C"
      on conflict do nothing
    ) select game_id as "gameId", token from moved`

  const together = (commits: ReadonlyArray<Commit>) =>
    database.run("commit", "rolled_back", many(commits)).pipe(
      Effect.map((rows) =>
        commits.map(({ lease }) => {
          const moved = rows.some(({ gameId, token }) => gameId === lease.gameId && token === lease.token)
          return moved ? ("committed" as const) : undefined
        })
      ),
      Effect.orElseSucceed(() => [])
    )

  return shared({ wait, together, alone })
}

const toRow = ({ containerId, lease, row }: Commit) => ({
  game_id: lease.gameId,
  owner: lease.owner,
  token: String(lease.token),
  current_container_id: containerId,
  op_source: row.opSource,
  source_ref: row.sourceRef,
  container_id: row.containerId,
  image_ref: row.imageRef,
  message: row.message,
  trace_id: row.traceId,
  started_at: new Date(row.startedAt),
  finished_at: new Date(row.finishedAt)
})
