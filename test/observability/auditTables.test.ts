import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { panels } from "../support/dashboard.ts"
import { postgresServer } from "../support/postgres.ts"
import { layerRole, layerRoles } from "../support/roles.ts"

const range = { from: "2026-11-01T03:00:00Z", to: "2026-11-01T06:00:00Z" }

/** A text box's text as Grafana quotes it. */
const quoted = (text: string) => `'${text.replaceAll("'", "''").replaceAll('"', '\\"')}'`

/** With Grafana's macros filled in. */
const filled = (rawSql: string, game: string) =>
  rawSql
    .replaceAll(/\$__timeFilter\((\w+)\)/g, (_, column) => `${column} between '${range.from}' and '${range.to}'`)
    .replaceAll(/\$\{game:sqlstring\}/g, () => quoted(game))

const hostile = "it's' or '1'='1"

const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const log = (gameId: string, finishedAt: string, opKind = "cleanup_container") => sql`
      insert into operation_log (game_id, op_kind, op_source, outcome, error_code, started_at, finished_at)
      values (${gameId}, ${opKind}, 'auto_ttl', 'failure', 'engine_error', now(), ${finishedAt}::text::timestamptz)`
    yield* log("chess", "2026-11-01T02:59:59Z")
    yield* log("chess", range.from)
    yield* log("chess", range.to, "start_container")
    yield* log(hostile, range.to)
    yield* sql`
      insert into runtime_records (game_id, status, last_op_at, current_container_id)
      values ('chess', 'stopped', '2026-10-02', 'c1'), (${hostile}, 'stopped', '2026-10-01', 'c2'),
        ('running', 'running', '2026-10-01', 'c3')`
    yield* sql`
      insert into game_leases (game_id, owner, token, acquired_at, expires_at)
      select game_id, '0a0a0a0a-0000-4000-8000-000000000000', id, now() + (id || ' s')::interval, now() + (late || ' min')::interval
      from (values ('chess', 2, 10), (${hostile}, 1, 10), ('running', 0, 10)) as leases (game_id, id, late)`
    yield* sql`
      insert into cleanup_backoff (game_id, attempts, next_attempt_at, last_error)
      values ('chess', 2, now(), 'engine_error'), (${hostile}, 10, now(), 'container_running')`
    yield* sql`
      insert into cleanup_acts (act, target, author, reason, asked_at)
      values ('hold', 'chess', 'ann@shell', 'a complaint', now()), ('clean', ${hostile}, 'ann@shell', 'it may go', now())`
    yield* sql`
      insert into cleanup_holds (game_id, author, reason, placed_at, until)
      values ('chess', 'ann@shell', 'a complaint', now() - interval '2 days', 'infinity'),
        (${hostile}, 'ann@shell', 'a complaint', now() - interval '1 day', now() + interval '1 day'),
        ('running', 'ann@shell', 'a complaint', now(), now())`
    yield* sql`
      insert into cleanup_pause (engine, author, reason, paused_at, until)
      values ('*', 'ann@shell', 'a complaint', now(), null), ('host-2', 'ben@shell', 'of yesterday', now(), now())`
    yield* sql`
      insert into cleanup_passes (id, engine, trigger, owner, started_at, updated_at, ended_at, result, reason, due, listed, removed,
        already_absent, conflict, failed)
      select gen_random_uuid(), 'default', 'schedule', gen_random_uuid(), '2026-11-01', '2026-11-01T00:01:30Z', ended, result, null,
        5, 5, 4, 0, 0, 1
      from (values ('2026-11-01T00:01:30Z'::timestamptz, 'partial'), (null, null)) as passes (ended, result)`
  })
).pipe(Layer.provideMerge(layerRoles), Layer.provideMerge(postgresServer()))

/** Those that are about no game. */
const others: Readonly<Record<string, (rows: ReadonlyArray<Readonly<Record<string, unknown>>>) => void>> = {
  Pause: (rows) => {
    assert.lengthOf(rows, 1)
    assert.deepInclude(rows[0], { author: "ann@shell", reason: "a complaint", until: null })
  },
  "Last passes": (rows) => {
    assert.deepStrictEqual(new Set(rows.map(({ result }) => result)), new Set(["partial", null]))
    assert.deepInclude(rows[0], { engine: "default", due: 5, removed: 4, failed: 1, seconds: 90 })
  }
}

const tables = panels.filter(({ datasourceUid }) => datasourceUid === "audit")
const ofGames = tables.filter(({ title }) => !(title in others))

/** Those with more than one row of a game. */
const logs = ["Audit rows", "Failed games"]

/** Asks as the reader's role, in Grafana's session, which knows nothing of the schema. */
const asReader = ({ targets }: (typeof tables)[number]) =>
  Effect.map(Layer.build(layerRole("rtmanager_reader")), (context) => {
    const sql = Context.get(context, SqlClient)
    return (game: string) =>
      Effect.forEach(targets, ({ rawSql = "" }) =>
        sql.withTransaction(
          Effect.andThen(
            sql`set local search_path to ''`,
            sql.unsafe<Readonly<Record<string, unknown>>>(filled(rawSql, game))
          )
        )
      ).pipe(Effect.map((rows) => rows.flat()))
  })

it.layer(layer, { excludeTestServices: true })("the tables of the dashboard", (it) => {
  it.effect.each(ofGames)("$title shows its rows to the reader's role, or all of one game", (table) =>
    Effect.gen(function* () {
      const rowsOf = yield* asReader(table)
      const gamesOf = (game: string) =>
        Effect.map(rowsOf(game), (rows) => rows.map(({ game_id, target }) => game_id ?? target))

      assert.deepStrictEqual(yield* gamesOf(""), [hostile, "chess"])
      // The one outside of the range, too: a game that fails has a row a day.
      assert.deepStrictEqual(yield* gamesOf("chess"), logs.includes(table.title) ? ["chess", "chess"] : ["chess"])
      assert.deepStrictEqual(yield* gamesOf(hostile), [hostile])
      assert.deepStrictEqual(yield* gamesOf("x' or '1'='1"), [])
      const [row] = yield* rowsOf("chess")
      assert.includeMembers(Object.keys(row ?? {}), table.named)
    })
  )

  it.effect.each(tables.filter(({ title }) => title in others))("$title shows its rows to the reader's role", (table) =>
    Effect.gen(function* () {
      const rows = yield* (yield* asReader(table))("")
      others[table.title]?.(rows)
      assert.includeMembers(Object.keys(rows[0] ?? {}), table.named)
    })
  )
})
