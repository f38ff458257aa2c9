import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { microsText } from "../../domain/Micros.ts"
import type { AuditRow, CommitResult, Lease } from "../../ports/GameLeases.ts"
import type { StoreError } from "../../ports/StoreError.ts"
import { auditColumns, auditValues, millis } from "./audit.ts"
import { fence } from "./leaseStatements.ts"
import { isOfEngine } from "./rows.ts"
import { question, type Run } from "./run.ts"
import type { Share } from "./shared.ts"

export interface Commit {
  readonly lease: Lease
  readonly containerId: string | null
  readonly row: AuditRow
}

/** What the statement for one game found and did. */
export interface Committed {
  /** The lease was ours; now it is used up. */
  readonly leased: boolean
  /** The record was as expected when the statement began. */
  readonly seen: boolean
  readonly moved: boolean
}

/** The statements of a commit. Each is a single step in the database. */
export interface CommitStatements {
  readonly one: (commit: Commit) => Effect.Effect<ReadonlyArray<Committed>, SqlError>
  /** Says nothing of a game whose rows are locked or not as expected, and leaves it as it is. */
  readonly many: (
    commits: ReadonlyArray<Commit>
  ) => Effect.Effect<ReadonlyArray<{ gameId: string; token: bigint; moved: boolean }>, SqlError>
  /** Whether a commit by this lease is recorded, and what the record is now. */
  readonly readBack: (
    commit: Commit
  ) => Effect.Effect<ReadonlyArray<{ ours: boolean; removed: boolean; unchanged: boolean }>, SqlError>
}

interface Options {
  readonly run: Run
  readonly share: Share
  readonly statements: CommitStatements
  /** How long the first commit waits for others to share its statement. */
  readonly wait: Effect.Effect<void>
}

/**
 * Fails the whole statement where a record moved whose success row has silently not come into being, nor is there from
 * an earlier commit: a trigger, a rule or a unique constraint of the log has swallowed it.
 */
const isLogged = (schema: string, logged: string, game: string, container: string) => `case when ${logged} or exists (
        select from ${schema}.operation_log as l where l.game_id = ${game} and l.op_kind = 'cleanup_container'
          and l.outcome = 'success' and l.container_id = ${container}
      ) then 'true' else 'operation_log has not taken the success row, without a word' end::boolean`

/** `CommitStatements` in SQL, for the records of this engine. */
export const commitStatements = (
  sql: SqlClient,
  { engineName, quotedSchema }: { readonly engineName: string; readonly quotedSchema: string }
) => {
  const schema = sql.literal(quotedSchema)
  const stopped = sql`r.status = 'stopped' and ${isOfEngine(sql, engineName)}`
  const columns = sql.literal(auditColumns)

  const isAsExpected = (gameId: string, containerId: string | null) => sql`exists (
        select from ${schema}.runtime_records as r where r.game_id = ${gameId} and ${stopped}
          and r.current_container_id is not distinct from ${containerId}::text
      )`

  /** The delete is the fence and the release. Only its row lets the update through, and only the update's the log. */
  const one = ({ containerId, lease, row }: Commit) => sql<Committed>`
    with lease as (
      delete from ${schema}.game_leases
      where ${fence(sql, lease)}
      returning game_id
    ), moved as (
      update ${schema}.runtime_records as r
      set status = 'removed', removed_at = ${millis(sql, row.finishedAt)}, last_op_at = ${millis(sql, row.finishedAt)}
      from lease where r.game_id = lease.game_id and ${stopped}
        and r.current_container_id is not distinct from ${containerId}::text
      returning r.game_id, ${row.containerId}::text as container_id
    ), forgotten as (
      delete from ${schema}.cleanup_backoff as b using moved where b.game_id = moved.game_id
    ), logged as (
      insert into ${schema}.operation_log (${columns})
      select ${auditValues(sql, lease, "success", row)} from moved
      on conflict do nothing returning game_id
    ) select exists (select from lease) as leased, ${isAsExpected(lease.gameId, containerId)} as seen, coalesce((
        select ${sql.literal(isLogged(quotedSchema, "exists (select from logged)", "moved.game_id", "moved.container_id"))} from moved
      ), false) as moved`

  const readBack = ({ containerId, lease }: Commit) => sql<{ ours: boolean; removed: boolean; unchanged: boolean }>`
    select exists (
        select from ${schema}.operation_log where game_id = ${lease.gameId} and op_kind = 'cleanup_container'
          and outcome = 'success' and lease_owner = ${lease.owner}::uuid and lease_token = ${lease.token}
      ) as ours,
      exists (select from ${schema}.runtime_records where game_id = ${lease.gameId} and status = 'removed') as removed,
      ${isAsExpected(lease.gameId, containerId)} as unchanged`

  /** The same, with both rows of each game locked first, in the order of the games and without waiting for anyone. */
  const many = (commits: ReadonlyArray<Commit>) => sql<{ gameId: string; token: bigint; moved: boolean }>`
    with wanted as materialized (
      select * from json_to_recordset(${JSON.stringify(commits.map(toRow))}::json) as wanted (
        game_id text, owner uuid, token bigint, acquired_at timestamptz, current_container_id text, op_source text, source_ref text,
        container_id text, image_ref text, message text, trace_id text, started_at timestamptz, finished_at timestamptz
      )
    ), leased as materialized (
      select w.* from ${schema}.game_leases as l
        join wanted as w on w.game_id = l.game_id and w.owner = l.owner and w.token = l.token and w.acquired_at = l.acquired_at
      order by l.game_id collate "C" for update of l skip locked
    ), stopped as materialized (
      select leased.* from ${schema}.runtime_records as r join leased on leased.game_id = r.game_id
      where ${stopped} and r.current_container_id is not distinct from leased.current_container_id
      order by r.game_id collate "C" for update of r skip locked
    ), lease as (
      delete from ${schema}.game_leases as l using stopped as w
      where l.game_id = w.game_id and l.owner = w.owner and l.token = w.token
      returning w.*
    ), moved as (
      update ${schema}.runtime_records as r
      set status = 'removed', removed_at = lease.finished_at, last_op_at = lease.finished_at
      from lease where r.game_id = lease.game_id and ${stopped}
        and r.current_container_id is not distinct from lease.current_container_id
      returning lease.*
    ), forgotten as (
      delete from ${schema}.cleanup_backoff as b using moved where b.game_id = moved.game_id
    ), logged as (
      insert into ${schema}.operation_log (${columns})
      select game_id, 'cleanup_container', op_source, source_ref, container_id, image_ref, 'success', null, message,
        owner, token, trace_id, started_at, finished_at
      from moved order by game_id collate "C"
      on conflict do nothing returning game_id
    ) select game_id as "gameId", token, coalesce((
        select ${sql.literal(isLogged(quotedSchema, "moved.game_id in (select game_id from logged)", "moved.game_id", "moved.container_id"))}
        from moved where moved.game_id = lease.game_id
      ), false) as moved
      from lease`

  return { one, many, readBack }
}

/**
 * The fenced commit. Concurrent commits share one statement. It skips games whose rows are locked or not as expected; those
 * are retried alone, and only that retry can report a failure.
 */
export const makeCommit = ({ run, share, statements, wait }: Options) => {
  const { many, one, readBack } = statements

  const alone = Effect.fnUntraced(function* (commit: Commit): Effect.fn.Return<CommitResult, StoreError> {
    const [result] = yield* run("commit", "unanswered", one(commit))
    if (result?.moved) return "committed"
    // Nothing moved now; but an earlier sending whose answer was lost may have done it.
    const [found] = yield* run("readBack", question, readBack(commit))
    if (found?.ours) return "committed"
    // As expected before and after, so nobody has changed it: the database did not write, without a word.
    if (result?.leased && result.seen && found?.unchanged) return "not_recorded"
    return found?.removed ? "already_removed" : "record_moved"
  })

  const together = (commits: ReadonlyArray<Commit>) =>
    run("commit", "rolled_back", many(commits)).pipe(
      Effect.map((rows) =>
        commits.map(({ lease }) => {
          const found = rows.find(({ gameId, token }) => gameId === lease.gameId && token === lease.token)
          return found && (found.moved ? ("committed" as const) : ("not_recorded" as const))
        })
      ),
      Effect.orElseSucceed(() => [])
    )

  return share({ wait, together, alone, span: "rtmanager.cleanup.commit" })
}

const toRow = ({ containerId, lease, row }: Commit) => ({
  game_id: lease.gameId,
  owner: lease.owner,
  token: String(lease.token),
  acquired_at: microsText(lease.acquiredAt),
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
