import { Effect, Layer, Result } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { stuckAfter } from "../../domain/Backoff.ts"
import type { EngineName } from "../../domain/EngineName.ts"
import type { LeaseOn } from "../../domain/GameStory.ts"
import { type CountedBacklog, countLimit, type StatusEngine } from "../../domain/Status.ts"
import { Overview } from "../../ports/Overview.ts"
import { millis } from "./audit.ts"
import { Database } from "./Database.ts"
import { pageOf, selectGames } from "./games.ts"
import { decodeRecord, microsOf, type RecordRow, recordColumns, recordEngine, recordTables, sendable } from "./rows.ts"
import { question } from "./run.ts"
import { explain, isNoText } from "./storeError.ts"

/** One more than is counted shows that there are more. */
const limit = countLimit + 1

interface LeaseRow {
  readonly owner: string | null
  readonly since: Date
  readonly until: Date
}

const leaseOf = (row: LeaseRow | undefined): LeaseOn | undefined =>
  row === undefined || row.owner === null ? undefined : { owner: row.owner, since: row.since, until: row.until }

interface BacklogRow extends Record<keyof CountedBacklog, number> {
  readonly sawAllDue: boolean
  readonly sawAllBackoffs: boolean
  readonly sawAllHolds: boolean
  readonly sawAllLeases: boolean
  readonly next: ReadonlyArray<{
    readonly gameId: string
    readonly lastOpAt: string
    readonly nextAttemptAt: number | null
    readonly author: string | null
    readonly reason: string
    readonly until: number | null
  }>
}

const countOf = (count: number, isWhole: boolean) => ({ count: Math.min(count, countLimit), more: !isWhole })

const make = Effect.fnUntraced(function* ({ engineName }: { readonly engineName: EngineName }) {
  const { quotedSchema, run } = yield* Database
  const sql = yield* SqlClient
  const schema = sql.literal(quotedSchema)
  const leaseColumns = sql`owner, acquired_at as since, expires_at as until`
  const stopped = sql`r.status = 'stopped' and ${sql.literal(recordEngine)} = ${engineName}`
  const clock = sql`(select clock_timestamp() offset 0)`
  /** No retention brings it beyond PostgreSQL's last year. */
  const farAway = sql.literal("timestamptz '9999-12-31 00:00:00+00'")
  const micros = (expression: string) => sql.literal(microsOf(expression))

  return Overview.of({
    game: (gameId) => {
      const lease = sql<LeaseRow>`select ${leaseColumns} from ${schema}.game_leases where game_id = ${gameId}`
      return run(
        "findGame",
        question,
        sql<RecordRow & LeaseRow>`
          select record.*, lease.* from (select 1) as one
            left join lateral (select ${sql.literal(recordColumns)} from ${sql.literal(recordTables(quotedSchema))}
              where r.game_id = ${gameId} limit 1) as record on true
            left join lateral (${lease}) as lease on true`.pipe(
          Effect.map(([row]) => {
            const record = row === undefined || row.gameId === null ? undefined : decodeRecord(row)
            return {
              record: record && Result.getOrUndefined(record),
              problem: record && Result.isFailure(record) ? record.failure : undefined,
              lease: leaseOf(row)
            }
          }),
          Effect.catchIf(isNoText, (error) =>
            Effect.map(lease, ([row]) => ({ record: undefined, problem: explain(error), lease: leaseOf(row) }))
          )
        )
      )
    },

    backlog: ({ cutoff, now }, options) => {
      const expired = sql`r.last_op_at > '-infinity' and r.last_op_at < ${millis(sql, cutoff)}`
      const retention = sql`${now - cutoff}::float8 * interval '1 millisecond'`
      /** A look at what few games wait for is cheaper than one for each game, unless too many wait to be looked at together. */
      const mayBeIn = (few: "backoffs" | "holds") => {
        const waiting = sql.literal(few)
        return sql`(not (select ${waiting} from whole) or oldest.game_id in (select game_id from ${waiting}))`
      }
      const stoppedRecord = sql`cross join lateral (
        select * from ${schema}.runtime_records where game_id = few.game_id offset 0) as r where ${stopped}`
      const record = sql`${stoppedRecord} and ${expired}`
      return Effect.flatMap(
        run(
          "overview",
          question,
          // The games that come first are looked at with all that they wait for. Those that back off are found from the other
          // side, and only among the first where these are too many.
          sql<BacklogRow>`
            with oldest as materialized (
              select r.game_id, r.last_op_at, least(r.last_op_at, ${farAway}) + ${retention} as expires
              from ${schema}.runtime_records as r
              where ${stopped} and r.last_op_at > '-infinity' and r.game_id is not null
              order by r.last_op_at, r.game_id limit ${limit}
            ), backoffs as materialized (
              select * from ${schema}.cleanup_backoff limit ${limit}
            ), holds as materialized (
              select distinct game_id from ${schema}.cleanup_holds where until is null or until > ${clock} limit ${limit}
            ), leases as materialized (
              select game_id from ${schema}.game_leases where expires_at > ${clock} limit ${limit}
            ), whole as materialized (
              select (select count(*) < ${limit} from backoffs) as backoffs, (select count(*) < ${limit} from holds) as holds,
                (select count(*) < ${limit} from leases) as leases
            ), first as materialized (
              select oldest.game_id, last_op_at, last_op_at < ${millis(sql, cutoff)} as expired,
                case when next_attempt_at > ${millis(sql, now)} then next_attempt_at end as next_attempt_at,
                b.attempts, hold.game_id is not null as held, author, reason, until,
                greatest(expires, next_attempt_at, case when hold.game_id is not null then coalesce(until, 'infinity') end) as at
              from oldest
                left join lateral (
                  select next_attempt_at, attempts from ${schema}.cleanup_backoff
                  where game_id = oldest.game_id and ${mayBeIn("backoffs")} offset 0) as b on true
                left join lateral (select * from (
                  select * from ${schema}.cleanup_holds where game_id = oldest.game_id and (until is null or until > ${clock})
                  order by until desc nulls first limit 1) as longest where ${mayBeIn("holds")} offset 0) as hold on true
              where last_op_at < 'infinity'
            ), failing as (
              select few.attempts, few.next_attempt_at > ${millis(sql, now)} as waiting from backoffs as few ${record}
                and (select backoffs from whole)
              union all
              select attempts, next_attempt_at is not null from first
              where expired and attempts is not null and not (select backoffs from whole)
            ), seen as (
              select count(*) < ${limit} as all, max(last_op_at) as last, max(expires) as expires from oldest)
            select seen.all or seen.last >= ${millis(sql, cutoff)} as "sawAllDue",
              case when seen.all then (select count(*)::int from (
                select from ${schema}.runtime_records as r where ${stopped} and r.game_id is not null limit ${limit}) as few)
                else ${limit} end as stopped,
              (select count(*)::int from first where expired and next_attempt_at is null and not held) as due,
              (select count(*)::int from failing where waiting and attempts < ${stuckAfter}) as "backingOff",
              (select count(*)::int from failing where attempts >= ${stuckAfter}) as stuck,
              (select count(*)::int from holds as few ${stoppedRecord}) as held,
              (select count(*)::int from leases as few ${record}) as leased,
              whole.backoffs as "sawAllBackoffs", whole.holds as "sawAllHolds", whole.leases as "sawAllLeases",
              coalesce((select json_agg(game) from (
                select ${sql.literal(sendable("game_id"))} as "gameId", ${micros("last_op_at")} as "lastOpAt",
                  floor(extract(epoch from next_attempt_at) * 1000)::float8 as "nextAttemptAt",
                  case when held then ${sql.literal(sendable("author"))} end as author, ${sql.literal(sendable("reason"))} as reason,
                  floor(extract(epoch from until) * 1000)::float8 as until
                from first where at < 'infinity' and (seen.all or at <= seen.expires)
                order by at, last_op_at, game_id limit ${options.next}) as game), '[]') as next
            from seen cross join whole`
        ),
        ([row]) => {
          if (row === undefined) return Effect.die("a select of counts has one row")
          return Effect.succeed({
            counts: {
              stopped: countOf(row.stopped, row.stopped < limit),
              due: countOf(row.due, row.sawAllDue),
              backingOff: countOf(row.backingOff, row.sawAllBackoffs),
              held: countOf(row.held, row.sawAllHolds),
              leased: countOf(row.leased, row.sawAllLeases),
              stuck: countOf(row.stuck, row.sawAllBackoffs)
            },
            next: row.next.map(({ author, reason, until, ...game }) => ({
              ...game,
              lastOpAt: BigInt(game.lastOpAt),
              hold: author === null ? null : { author, reason, until: until === null ? null : new Date(until) }
            }))
          })
        }
      )
    },

    games: (query) =>
      run(
        "listGames",
        question,
        selectGames(sql, quotedSchema, query).pipe(
          Effect.map((rows) => pageOf(rows, query)),
          // Every text that is read can be sent, so it is the place's.
          Effect.catchIf(isNoText, () => Effect.succeed(undefined))
        )
      ),

    engines: run(
      "engines",
      question,
      sql<StatusEngine>`
        select name, identity as "engineId", braked_at is not null as braked,
          case when isfinite(accepted_at) then accepted_at end as "acceptedAt", last_pass_at as "lastPassAt",
          last_seen_at as "lastSeenAt"
        from ${schema}.cleanup_engines order by name`
    )
  })
})

export const layer = (options: { readonly engineName: EngineName }) => Layer.effect(Overview, make(options))
