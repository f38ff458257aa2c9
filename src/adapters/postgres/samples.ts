import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { defaultEngine } from "../../domain/EngineName.ts"
import type { RuntimeRecord } from "../../domain/RuntimeRecord.ts"
import { millis } from "./audit.ts"
import { Database } from "./Database.ts"
import { timestamp } from "./rows.ts"

/**
 * A week of passes, one an hour, with the games that they removed and those that failed at first. How many is made up of the hour of
 * the day, and differs from hour to hour. Gives back how many games there were: `game-1` is the first.
 */
const history = (sql: SqlClient, schema: Fragment) => sql<{ games: number }>`
  with hours as (
    select hour, date_trunc('hour', now()) - hour * interval '1 hour' as at, gen_random_uuid() as id, gen_random_uuid() as owner,
      (300 + 200 * sin((extract(hour from now()) - hour) * pi() / 12) + abs(hashint4(hour)) % 60)::int as removed,
      case when hour > 1 and abs(hashint4(hour)) % 9 = 0 then abs(hashint4(hour)) % 7 + 2 else 0 end as failed
    from generate_series(1, 168) as hour
  ), passes as (
    insert into ${schema}.cleanup_passes (id, engine, trigger, owner, started_at, updated_at, ended_at, result, due, listed,
      removed, already_absent, conflict, failed, lag_max_millis)
    select id, ${defaultEngine}, 'schedule', owner, at, ended_at, ended_at, case when failed > 0 then 'partial' else 'success' end,
      removed + failed, removed + failed, removed, 0, 0, failed,
      case when lead(failed) over (order by hour) > 0 then 7200000 else 3600000 end - abs(hashint4(hour)) % 600000
    from hours cross join lateral (select at + (removed + 1) * interval '100 milliseconds' as ended_at) as ended
  ), games as (
    select hours.*, 'game-' || row_number() over (order by hour desc, n) as game_id, n,
      at + n * interval '100 milliseconds' as removed_at
    from hours, generate_series(1, removed) as n
  ), records as (
    insert into ${schema}.runtime_records (game_id, status, current_container_id, current_image_ref, last_op_at, removed_at)
    select game_id, 'removed', encode(sha256(game_id::bytea), 'hex'), 'galaxy/game:1.3', removed_at, removed_at from games
  ), operations as (
    select game_id, 'success' as outcome, null as error_code, 'the container was removed' as error_message, owner, removed_at as at from games
    union all
    select games.game_id, 'failure', 'engine_error', 'the engine answered 500: device or resource busy', hours.owner, hours.at
      + games.n * interval '100 milliseconds'
    from hours join games on games.hour = hours.hour - 1 and games.n <= hours.failed
  ), logged as (
    insert into ${schema}.operation_log (game_id, op_kind, op_source, source_ref, container_id, image_ref, outcome, error_code,
      error_message, lease_owner, started_at, finished_at)
    select game_id, 'cleanup_container', 'auto_ttl', 'schedule', encode(sha256(game_id::bytea), 'hex'), 'galaxy/game:1.3', outcome,
      error_code, error_message, owner, at - interval '50 milliseconds', at
    from operations order by at
  ) select count(*)::int as games from games`

/** Writes and reads the demo's games; the service itself never creates a record. */
export const sampleRecords = Effect.gen(function* () {
  const database = yield* Database
  const sql = yield* SqlClient
  const schema = sql.literal(database.quotedSchema)
  return {
    put: ({ backoff, gameId, status, containerId, imageRef, lastOpAt }: RuntimeRecord) =>
      database.run(
        "put sample",
        "rolled_back",
        sql`with backoff as (
              insert into ${schema}.cleanup_backoff (game_id, attempts, next_attempt_at, last_error)
              select ${gameId}, ${backoff?.attempts ?? 0}::int, ${millis(sql, backoff?.nextAttemptAt ?? 0)},
                ${backoff?.lastError ?? ""} where ${backoff !== null}::boolean
            )
            insert into ${schema}.runtime_records (game_id, status, current_container_id, current_image_ref, last_op_at)
            values (${gameId}, ${status}, ${containerId}, ${imageRef}, ${timestamp(sql, lastOpAt ?? 0n)})`
      ),
    putHistory: Effect.map(
      database.run("put history", "rolled_back", history(sql, schema)),
      ([row]) => row?.games ?? 0
    ),
    look: Effect.fnUntraced(function* (gameId: string) {
      const [record] = yield* database.run(
        "look at sample",
        "disconnected",
        sql<{ status: string }>`select status from ${schema}.runtime_records where game_id = ${gameId}`
      )
      const [reason] = yield* database.run(
        "look at sample",
        "disconnected",
        sql<{ errorCode: string | null; message: string }>`
          select error_code as "errorCode", coalesce(error_message, outcome) as message
          from ${schema}.operation_log where game_id = ${gameId} order by id desc limit 1`
      )
      return { status: record?.status ?? "gone", reason }
    })
  }
})
