import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Backlog } from "../../domain/Backlog.ts"
import { stuckAfter } from "../../domain/Backoff.ts"
import type { EngineName } from "../../domain/EngineName.ts"
import type { Moment } from "../../domain/Expiry.ts"
import { conditions, toMicros } from "./conditions.ts"
import { inForce, microsOf, sendable } from "./rows.ts"

interface BacklogRow extends Record<"due" | "leased" | "held" | "backingOff" | "stuck" | "noTime" | "future", bigint> {
  readonly oldest: string | null
  readonly oldestLeased: string | null
  readonly stuckGames: ReadonlyArray<string>
}

/** Seconds from a time in microseconds until now. */
const ageOf = (micros: string | null | undefined, { now }: Moment) =>
  typeof micros === "string" ? Number(toMicros(now) - BigInt(micros)) / 1e6 : 0

/** The engine's stopped records, counted. Each count reads a range of the partial index, or one of our small tables. */
export const backlog = (
  sql: SqlClient,
  { engineName, quotedSchema }: { readonly engineName: EngineName; readonly quotedSchema: string },
  moment: Moment
): Effect.Effect<Backlog, SqlError> => {
  const schema = sql.literal(quotedSchema)
  const { expired, ready, stopped, timed } = conditions(sql, engineName)

  /** When an expired record that nobody holds any more could first be tried: `dueSince` in SQL, or the end of the last hold. */
  const since = sql`greatest(r.last_op_at + ${moment.now - moment.cutoff}::float8 * interval '1 millisecond', b.next_attempt_at, h.ended)`

  return Effect.map(
    sql<BacklogRow>`
      with holds as (
        select game_id, bool_or(${sql.literal(inForce("h"))}) as held, max(until) as ended
        from ${schema}.cleanup_holds as h group by game_id
      ), due as (
        select count(*) as count, count(l.game_id) as leased,
          min(${since}) filter (where l.game_id is null) as oldest,
          min(${since}) filter (where l.game_id is not null) as "oldestLeased"
        from ${schema}.runtime_records as r left join ${schema}.cleanup_backoff as b on b.game_id = r.game_id
          left join ${schema}.game_leases as l
            on l.game_id = r.game_id and l.expires_at > (select clock_timestamp() offset 0)
          left join holds as h on h.game_id = r.game_id
        where ${expired(moment)} and ${ready(moment)} and h.held is not true
      ), failing as (
        select r.game_id, b.attempts, b.attempts >= ${stuckAfter} as stuck, not ${ready(moment)} and h.held is not true as waiting
        from ${schema}.cleanup_backoff as b left join holds as h on h.game_id = b.game_id
          cross join lateral (select * from ${schema}.runtime_records where game_id = b.game_id offset 0) as r
        where ${expired(moment)}
      )
      select due.count as due, due.leased as leased, ${sql.literal(microsOf("due.oldest"))} as oldest,
        ${sql.literal(microsOf('due."oldestLeased"'))} as "oldestLeased",
        (select count(*) from holds
          cross join lateral (select * from ${schema}.runtime_records where game_id = holds.game_id offset 0) as r
          where held and ${expired(moment)}) as held,
        (select count(*) from failing where waiting and not stuck) as "backingOff",
        (select count(*) from failing where stuck) as stuck,
        array(select ${sql.literal(sendable("game_id"))} from failing where stuck order by attempts desc, game_id limit 5) as "stuckGames",
        (select count(*) from ${schema}.runtime_records as r where ${stopped} and r.last_op_at is null)
          + (select count(*) from ${schema}.runtime_records as r where ${stopped} and r.last_op_at = '-infinity')
          + (select count(*) from ${schema}.runtime_records as r where ${stopped} and r.last_op_at = 'infinity') as "noTime",
        (select count(*) from ${schema}.runtime_records as r
          where ${timed()} and r.last_op_at > (select clock_timestamp() offset 0)) as future
      from due`,
    ([row]) => ({
      due: Number(row?.due),
      leased: Number(row?.leased),
      held: Number(row?.held),
      backingOff: Number(row?.backingOff),
      stuck: Number(row?.stuck),
      stuckGames: row?.stuckGames ?? [],
      oldestDueAge: ageOf(row?.oldest, moment),
      oldestLeasedAge: ageOf(row?.oldestLeased, moment),
      noTime: Number(row?.noTime),
      future: Number(row?.future)
    })
  )
}
