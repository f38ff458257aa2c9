import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { stuckAfter } from "../../domain/Backoff.ts"
import type { GamePlace } from "../../domain/GameCursor.ts"
import type { GameState } from "../../domain/GamePage.ts"
import type { GamesQuery, StoppedGame } from "../../ports/Overview.ts"
import { millis } from "./audit.ts"
import { engineColumn, fromBytes, holdUntil, inForce, microsOf, type RecordRow, sendable, timestamp } from "./rows.ts"

/** How many rows of its list's index a page looks at. */
const window = 500

/** A row as it arrives: a game of the page, or the last one that was looked at. */
interface GameRow extends Omit<RecordRow, "status" | "containerId" | "imageRef"> {
  readonly matches: boolean | null
  /** Its number among those that were looked at. */
  readonly n: number
  readonly engineBytes: string | null
  readonly time: string | null
  readonly gameIdBytes: string
}

const gameOf = (row: GameRow): StoppedGame => ({
  gameId: row.gameId,
  engine: row.engine ?? "",
  status: "stopped",
  lastOpAt: row.lastOpAt === null ? null : BigInt(row.lastOpAt),
  backoff:
    row.attempts === null
      ? null
      : { attempts: row.attempts, nextAttemptAt: row.nextAttemptAt ?? 0, lastError: row.lastError ?? "" },
  hold:
    row.heldBy === null
      ? null
      : {
          author: row.heldBy,
          reason: row.holdReason ?? "",
          until: row.heldUntil === null ? null : new Date(row.heldUntil)
        }
})

/** The page that these rows are. */
export const pageOf = (rows: ReadonlyArray<GameRow>, { limit, state }: Pick<GamesQuery, "limit" | "state">) => {
  const last = rows.at(-1)
  return {
    games: rows.filter(({ matches }) => matches === true).map(gameOf),
    next:
      last !== undefined && (rows.length === limit || last.n === window)
        ? { state, engine: last.engineBytes ?? "", lastOpAt: last.time, gameId: last.gameIdBytes }
        : undefined
  }
}

const bytes = (expression: string) => `encode(convert_to(${expression}, 'SQL_ASCII'), 'hex')`

/**
 * Looks at the next rows of one index, and at no others. Only then are they joined and asked whether they are in the state. The
 * last one looked at is returned in any case, because the next page starts after it.
 */
export const selectGames = (
  sql: SqlClient,
  quotedSchema: string,
  { after, engine, limit, moment, state }: GamesQuery
) => {
  const schema = sql.literal(quotedSchema)
  const name = sql.literal(engineColumn)
  const cutoff = millis(sql, moment.cutoff)
  const expired = sql`last_op_at > '-infinity' and last_op_at < ${cutoff}`

  const stopped = (condition: Fragment) => sql`
    (select ${name} as engine, last_op_at, game_id from ${schema}.runtime_records
      where status = 'stopped' and game_id is not null and ${condition}
      order by ${name}, last_op_at, game_id limit ${window})`

  /** After the place, and of its engine those without a time, which no comparison finds. */
  const ranges = (place: GamePlace): ReadonlyArray<Fragment> => {
    const { gameId, lastOpAt } = place
    const its = engine === undefined ? fromBytes(sql, place.engine) : sql`${engine}`
    const ofEngine = sql`${name} = ${its}`
    const others = engine === undefined ? [sql`${name} > ${its}`] : []
    if (lastOpAt === null)
      return [sql`${ofEngine} and last_op_at is null and game_id > ${fromBytes(sql, gameId)}`, ...others]
    const time = lastOpAt.endsWith("infinity") ? sql`${lastOpAt}::timestamptz` : timestamp(sql, BigInt(lastOpAt))
    const later =
      engine === undefined
        ? sql`(${name}, last_op_at, game_id) > (${its}, ${time}, ${fromBytes(sql, gameId)})`
        : sql`${ofEngine} and (last_op_at, game_id) > (${time}, ${fromBytes(sql, gameId)})`
    return [later, sql`${ofEngine} and last_op_at is null`]
  }

  /** Of one engine, only what has expired. */
  const dueOf = (engine: string) => {
    const [later] = after === undefined ? [sql`${name} = ${engine} and last_op_at > '-infinity'`] : ranges(after)
    return [sql`${later} and last_op_at < ${cutoff}`]
  }

  const whole = engine === undefined ? sql`true` : sql`${name} = ${engine}`
  const byTime = (ranges: ReadonlyArray<Fragment>) => sql`
    select row_number() over (order by engine, last_op_at, game_id) as n, game_id, engine, last_op_at, true as stopped
    from (select * from (${sql.join(" union all ", false)(ranges.map(stopped))}) as ranges
      order by engine, last_op_at, game_id limit ${window}) as rows`

  const byId = (keys: Fragment) => sql`
    select n, keys.game_id, ${name} as engine, last_op_at, status = 'stopped' as stopped
    from (${keys}) as keys left join lateral (
      select engine, last_op_at, status from ${schema}.runtime_records where game_id = keys.game_id offset 0) as r on true`
  const beyond = after === undefined ? sql`true` : sql`game_id > ${fromBytes(sql, after.gameId)}`

  const sources: Record<GameState, () => Fragment> = {
    stopped: () => byTime(after === undefined ? [whole] : ranges(after)),
    due: () => byTime(engine !== undefined ? dueOf(engine) : after === undefined ? [whole] : ranges(after)),
    backing_off: () => byId(backoffs),
    stuck: () => byId(backoffs),
    held: () =>
      byId(sql`
        select game_id, max(n) as n from (
          select game_id, row_number() over (order by game_id) as n from (
            select game_id from ${schema}.cleanup_holds where ${beyond} order by game_id, author limit ${window}) as holds
        ) as numbered group by game_id`)
  }
  const backoffs = sql`
    select game_id, row_number() over (order by game_id) as n from (
      select game_id from ${schema}.cleanup_backoff where ${beyond} order by game_id limit ${window}) as backoffs`

  const waits = sql`b.next_attempt_at > ${millis(sql, moment.now)}`
  const conditions: Record<GameState, Fragment> = {
    stopped: sql`true`,
    due: sql`${expired} and ${waits} is not true and h.game_id is null`,
    backing_off: sql`${expired} and ${waits} and b.attempts < ${stuckAfter}`,
    stuck: sql`${expired} and b.attempts >= ${stuckAfter}`,
    held: sql`h.game_id is not null`
  }
  /** Without a time after what is not due: nothing that comes later on that engine is, so the next page starts on the next one. */
  const time = sql`case ${state === "due" ? sql`when last_op_at >= ${cutoff} then null` : sql``}
    when isfinite(last_op_at) then ${sql.literal(microsOf("last_op_at"))} else last_op_at::text end`
  const ofEngine = engine === undefined ? sql`true` : sql`looked.engine = ${engine}`

  return sql<GameRow>`
    with looked as materialized (${sources[state]()}), found as (
      select looked.*, b.attempts, b.last_error, b.next_attempt_at, h.author, h.reason, h.until,
        stopped and ${ofEngine} and ${conditions[state]} as matches
      from looked
        left join lateral (select * from ${schema}.cleanup_backoff where game_id = looked.game_id offset 0) as b on true
        left join lateral (select * from ${schema}.cleanup_holds as h where game_id = looked.game_id and ${sql.literal(inForce("h"))}
          order by until desc nulls first, author limit 1) as h on true
    )
    select matches, n::int as n, ${sql.literal(bytes("engine"))} as "engineBytes", ${time} as time,
      ${sql.literal(bytes("game_id"))} as "gameIdBytes", ${sql.literal(sendable("game_id"))} as "gameId",
      ${sql.literal(sendable("engine"))} as engine,
      case when isfinite(last_op_at) then ${sql.literal(microsOf("last_op_at"))} end as "lastOpAt",
      attempts, ${sql.literal(sendable("last_error"))} as "lastError",
      ceil(extract(epoch from least(next_attempt_at, timestamptz '9999-12-31')) * 1000)::float8 as "nextAttemptAt",
      ${sql.literal(sendable("author"))} as "heldBy", ${sql.literal(sendable("reason"))} as "holdReason",
      ceil(extract(epoch from ${sql.literal(holdUntil("found"))}) * 1000)::float8 as "heldUntil"
    from found where matches or n = ${window} order by found.n limit ${limit}`
}
