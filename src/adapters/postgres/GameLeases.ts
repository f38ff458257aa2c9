import { Clock, Duration, Effect, Layer, Result } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { Acquired, GameLeases, type Lease, type SettledEnd } from "../../ports/GameLeases.ts"
import { auditColumns, auditValues, millis } from "./audit.ts"
import { makeCommit } from "./commit.ts"
import { Database } from "./Database.ts"
import { decodeRecord, type RecordRow, recordColumns, recordTables } from "./rows.ts"
import { shared } from "./shared.ts"
import { isRefused } from "./storeError.ts"

export interface Options {
  /** One UUID per process. */
  readonly owner: string
  readonly leaseTtl: Duration.Input
}

interface Taken {
  readonly token: bigint
  readonly leftBy: "us" | "another" | null
}

/**
 * How long the first waits for others. A commit holds nothing up meanwhile; games that end together let as many begin.
 * Nobody waits whose game is the only one under way.
 */
const waits = { acquire: "2 millis", commit: "20 millis" } as const

const make = Effect.fnUntraced(function* ({ owner, leaseTtl }: Options) {
  const database = yield* Database
  const sql = yield* SqlClient
  const clock = yield* Clock.Clock
  const wait = (duration: Duration.Input) => Effect.provideService(Effect.sleep(duration), Clock.Clock, clock)
  /** The tokens of the leases that we hold. One that is lost without a word costs a short wait and no more. */
  const underWay = new Set<bigint>()
  const columns = sql.literal(auditColumns)
  const ttl = sql`${Duration.toMillis(leaseTtl)}::float8 * interval '1 millisecond'`

  /** The lease's row, if the lease is still ours. */
  const fence = (lease: Lease) =>
    sql`game_id = ${lease.gameId} and owner = ${lease.owner}::uuid and token = ${lease.token}`

  const release = (lease: Lease) =>
    database.run("release", "unanswered", sql`delete from game_leases where ${fence(lease)}`)

  /** In the order of the games, as every statement that may wait for more than one row. */
  const take = (gameIds: ReadonlyArray<string>) =>
    sql<{ gameId: string; token: bigint; leftBy: Taken["leftBy"] }>`
      with wanted as (
        select value as game_id from json_array_elements_text(${JSON.stringify(gameIds)}::json)
      ), expired as (
        select game_id, owner from game_leases natural join wanted where expires_at <= clock_timestamp()
      ), taken as (
        insert into game_leases (game_id, owner, token, acquired_at, expires_at)
        select game_id, ${owner}::uuid, nextval('game_leases_token'), clock_timestamp(), clock_timestamp() + ${ttl}
        from (select game_id from wanted order by game_id collate "C") as sorted
        on conflict (game_id) do update set owner = excluded.owner, token = excluded.token,
          acquired_at = excluded.acquired_at, expires_at = excluded.expires_at
        where game_leases.expires_at <= clock_timestamp()
        returning game_id, token
      ) select game_id as "gameId", token,
          (select case when owner = ${owner}::uuid then 'us' else 'another' end from expired
            where expired.game_id = taken.game_id) as "leftBy"
        from taken`

  const readRecords = (gameIds: ReadonlyArray<string>) =>
    sql<RecordRow>`
      select ${sql.literal(recordColumns)} from ${sql.literal(recordTables)}
      where r.game_id = any (array(select json_array_elements_text(${JSON.stringify(gameIds)}::json)))`

  const takeLease = shared<string, Taken | "busy">({
    wait: Effect.suspend(() => (underWay.size > 0 ? wait(waits.acquire) : Effect.yieldNow)),
    together: (gameIds) =>
      Effect.map(
        database.run(
          "acquire",
          "rolled_back",
          Effect.catchIf(take(gameIds), isRefused, () => Effect.succeed(undefined))
        ),
        (rows) =>
          rows === undefined ? [] : gameIds.map((gameId) => rows.find((row) => row.gameId === gameId) ?? "busy")
      ),
    alone: (gameId) =>
      // An answer that was lost may have been ours: asking again would find our own lease and call the game busy.
      Effect.map(database.run("acquire", "rolled_back", take([gameId])), ([taken]) => taken ?? "busy")
  })

  const readRecord = shared<string, ReadonlyArray<RecordRow>>({
    // Those whose leases came together ask in the same moment.
    wait: Effect.yieldNow,
    together: (gameIds) =>
      database.run("reread", "rolled_back", readRecords(gameIds)).pipe(
        Effect.map((rows) => gameIds.map((gameId) => rows.filter((row) => row.gameId === gameId))),
        Effect.orElseSucceed(() => [])
      ),
    alone: (gameId) => database.run("reread", "disconnected", readRecords([gameId]))
  })

  const acquire = Effect.fnUntraced(function* (gameId: string) {
    const taken = yield* takeLease(gameId)
    if (taken === "busy") return Acquired.Busy()
    const lease: Lease = { gameId, owner, token: taken.token }
    const rows = yield* readRecord(gameId).pipe(Effect.onError(() => Effect.ignore(release(lease))))
    const [row] = rows
    const record = row === undefined ? Result.succeed(undefined) : decodeRecord(row)
    if (Result.isSuccess(record) && rows.length < 2) {
      underWay.add(lease.token)
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
            select game_id, ${backoff.attempts}::integer, ${millis(sql, backoff.nextAttemptAt)}, ${backoff.lastError}::text
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
          insert into operation_log (${columns})
          select ${auditValues(sql, lease, "failure", failure)}
          where (exists (select from held) or ${afterCommit}::boolean) and not exists (
            select from last where container_id is not distinct from ${failure.containerId}::text
              and error_code is not distinct from ${failure.errorCode}::text
              and finished_at > ${millis(sql, failure.finishedAt)} - interval '24 hours'
          )`
      )
    )
  }

  const commit = makeCommit({
    database,
    sql,
    wait: Effect.suspend(() => (underWay.size > 1 ? wait(waits.commit) : Effect.void))
  })
  const ended = ({ token }: Lease) => Effect.sync(() => underWay.delete(token))

  return GameLeases.of({
    acquire,
    renew,
    commit: (lease, { containerId }, row) => Effect.ensuring(commit({ lease, containerId, row }), ended(lease)),
    settle: (lease, end) => Effect.ensuring(settle(lease, end), ended(lease))
  })
})

/** The leases by the database's clock, and the fenced writes. */
export const layer = (options: Options) => Layer.effect(GameLeases, make(options))
