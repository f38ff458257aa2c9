import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as EmbeddedPostgres from "../src/adapters/embedded/EmbeddedPostgres.ts"
import * as Database from "../src/adapters/postgres/Database.ts"
import { serverAt } from "../src/config/databaseUrl.ts"
import { type Environment, node, plain } from "./processes.ts"

const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "rtmanager-bench-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
)

/** A private server with its own defaults, in a folder that goes with it. */
export class Postgres extends Context.Service<Postgres, { readonly url: Redacted.Redacted }>()(
  "rtmanager/bench/Postgres"
) {
  static readonly layer = Layer.effect(Postgres, Effect.flatMap(temporaryFolder, EmbeddedPostgres.make))
}

/** A game whose container is to be removed. */
export interface Game {
  readonly gameId: string
  readonly containerId: string
}

/** Rows that no pass is to touch, or rows that are due without a container that anybody made. */
export interface Rows {
  readonly count: number
  readonly status?: string
  /** SQL for `last_op_at`; `i` counts the rows from 1. */
  readonly lastOpAt: string
  readonly prefix: string
}

/** A migrated schema of one section, which goes with the scope. */
export const tables = Effect.fnUntraced(function* (schema: string) {
  const { url } = yield* Postgres
  const env: Environment = {
    RTMANAGER_DATABASE_URL: Redacted.value(url),
    RTMANAGER_DATABASE_SCHEMA: schema,
    RTMANAGER_LOG_FORMAT: "json"
  }
  yield* node(plain("src/main.ts", "migrate"), env)
  const context = yield* Layer.build(Database.layer({ server: serverAt(url), schema, pool: 2, timeout: "10 minutes" }))
  const sql = Context.get(context, SqlClient)
  yield* Effect.addFinalizer(() => Effect.ignore(sql`drop schema ${sql(schema)} cascade`))

  const insert = ({ count, status = "stopped", lastOpAt, prefix }: Rows) => sql`
    insert into runtime_records (game_id, status, current_container_id, current_image_ref, last_op_at)
    select ${prefix} || i, ${status}, lpad(to_hex(i), 12, '0') || repeat('0', 52), 'registry.example/game:1',
      ${sql.literal(lastOpAt)}
    from generate_series(1, ${count}::int) as i`

  /** Exactly these rows, with nothing left for the server to do about them. */
  const fill = Effect.fnUntraced(function* (rows: ReadonlyArray<Rows>, games: ReadonlyArray<Game> = []) {
    yield* sql`truncate runtime_records, operation_log, game_leases, cleanup_backoff, cleanup_holds`
    yield* Effect.forEach(rows, insert, { discard: true })
    yield* sql`
      insert into runtime_records (game_id, status, current_container_id, current_image_ref, last_op_at)
      select "gameId", 'stopped', "containerId", 'registry.example/game:1', now() - interval '2 hours'
      from jsonb_to_recordset(${JSON.stringify(games)}::text::jsonb) as game("gameId" text, "containerId" text)`
    yield* sql`vacuum analyze runtime_records, operation_log, game_leases, cleanup_backoff, cleanup_holds`
    yield* sql`checkpoint`
  })

  return { env, sql, context, fill }
})

export type Tables = Effect.Success<ReturnType<typeof tables>>
