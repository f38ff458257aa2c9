import { Duration, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { longestReason } from "../../domain/Act.ts"
import type { PlacedHold, SeenHold } from "../../domain/Hold.ts"
import { Holds, type Removal } from "../../ports/Holds.ts"
import { millis } from "./audit.ts"
import { Database } from "./Database.ts"
import { holdUntil, inForce } from "./rows.ts"
import { question, type Run } from "./run.ts"
import { inWords } from "./words.ts"

type Port = Holds["Service"]

/** The statements about `cleanup_holds`. Each is a single step in the database. */
export interface HoldStatements {
  /** A row unless the end is over. */
  readonly place: (hold: Parameters<Port["place"]>[0]) => Effect.Effect<ReadonlyArray<PlacedHold>, SqlError>
  readonly release: (...args: Parameters<Port["release"]>) => Effect.Effect<ReadonlyArray<PlacedHold>, SqlError>
  readonly withdraw: (...args: Parameters<Port["withdraw"]>) => Effect.Effect<unknown, SqlError>
  readonly removedBy: (gameId: string) => Effect.Effect<ReadonlyArray<Removal>, SqlError>
  readonly of: (gameId: string) => Effect.Effect<ReadonlyArray<PlacedHold>, SqlError>
  readonly list: (page: Parameters<Port["list"]>[0]) => Effect.Effect<ReadonlyArray<PlacedHold>, SqlError>
  readonly count: Effect.Effect<ReadonlyArray<{ readonly count: number }>, SqlError>
}

/** The port, over any implementation of the statements. */
export const makeHolds = (run: Run, statements: HoldStatements) =>
  Holds.of({
    place: (hold) => {
      const statement = inWords((words) => statements.place({ ...hold, reason: words(hold.reason, longestReason) }))
      return Effect.map(run("placeHold", "unanswered", statement), ([placed]) => placed)
    },
    // Sent twice, it might not find the hold that it has ended.
    release: (gameId, options) => run("releaseHolds", "rolled_back", statements.release(gameId, options)),
    withdraw: (placed, former) => Effect.asVoid(run("withdrawHold", "unanswered", statements.withdraw(placed, former))),
    removedBy: (gameId) => Effect.map(run("removedBy", question, statements.removedBy(gameId)), ([removal]) => removal),
    of: (gameId) => run("holdsOf", question, statements.of(gameId)),
    list: (page) => run("listHolds", question, statements.list(page)),
    count: Effect.map(run("countHolds", question, statements.count), ([row]) => row?.count ?? 0)
  })

const seenRow = ({ author, placedAt }: SeenHold) => ({ author, placed_at: placedAt.getTime() })

const holdStatements = (sql: SqlClient, quotedSchema: string): HoldStatements => {
  const table = sql.literal(`${quotedSchema}.cleanup_holds`)
  const columns = sql.literal(
    `h.game_id as "gameId", h.author, h.reason, h.placed_at as "placedAt", ${holdUntil("h")} as until`
  )
  const current = sql.literal(inForce("h"))
  const fromNow = (duration: Duration.Duration) =>
    sql`clock_timestamp() + ${Duration.toMillis(duration)}::float8 * interval '1 millisecond'`

  return {
    place: ({ author, end, gameId, reason }) => {
      const until =
        end === null ? sql`null::timestamptz` : end instanceof Date ? millis(sql, end.getTime()) : fromNow(end)
      return sql<PlacedHold>`
        insert into ${table} as h (game_id, author, reason, placed_at, until)
        select * from (
          select ${gameId}::text, ${author}::text, ${reason}::text, date_trunc('milliseconds', clock_timestamp()), ${until} as until
        ) as h where ${current}
        on conflict (game_id, author) do update set reason = excluded.reason, placed_at = excluded.placed_at, until = excluded.until
        returning ${columns}`
    },
    release: (gameId, { author, grace, seen }) => {
      const asked = sql`h.game_id = ${gameId} and ${author === undefined ? sql`true` : sql`h.author = ${author}`} and ${current}`
      const isSeen = sql`exists (
        select from json_to_recordset(${JSON.stringify((seen ?? []).map(seenRow))}::json) as seen (author text, placed_at float8)
        where seen.author = h.author and seen.placed_at = floor(extract(epoch from h.placed_at) * 1000)::float8)`
      // One that is placed meanwhile is not in the picture that the condition is about, but it is not seen, either.
      const asSeen =
        seen === undefined
          ? sql`true`
          : sql`${isSeen} and not exists (select from ${table} as h where ${asked} and not ${isSeen})`
      return sql<PlacedHold>`
        with released as (
          update ${table} as h set until = least(h.until, ${fromNow(grace)}) where ${asked} and ${asSeen} returning h.*
        ) select ${columns} from released as h order by h.author`
    },
    withdraw: ({ author, gameId, placedAt }, former) => {
      const placed = sql`game_id = ${gameId} and author = ${author} and placed_at = ${millis(sql, placedAt.getTime())}`
      if (former === undefined) return sql`delete from ${table} where ${placed}`
      const until = former.until === null ? sql`null` : millis(sql, former.until.getTime())
      return sql`update ${table} set reason = ${former.reason}, placed_at = ${millis(sql, former.placedAt.getTime())}, until = ${until}
        where ${placed}`
    },
    removedBy: (gameId) => sql<Removal>`
      select id, container_id as "containerId", coalesce(op_source, 'unknown') as "opSource",
        case when isfinite(finished_at) then finished_at end as "finishedAt", trace_id as "traceId"
      from ${sql.literal(quotedSchema)}.operation_log
      where game_id = ${gameId} and op_kind = 'cleanup_container' and outcome = 'success' order by id desc limit 1`,
    of: (gameId) => sql<PlacedHold>`
      select ${columns} from ${table} as h where h.game_id = ${gameId} and ${current} order by h.author`,
    list: ({ after, limit }) => sql<PlacedHold>`
      select ${columns} from ${table} as h
      where ${after === undefined ? sql`true` : sql`(h.game_id, h.author) > (${after.gameId}, ${after.author})`} and ${current}
      order by h.game_id, h.author limit ${limit}`,
    count: sql<{ count: number }>`select count(*)::int as count from ${table} as h where ${current}`
  }
}

export const layer = Layer.effect(
  Holds,
  Effect.gen(function* () {
    const { quotedSchema, run } = yield* Database
    return makeHolds(run, holdStatements(yield* SqlClient, quotedSchema))
  })
)
