import { assert, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Schedule } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { checkVersion, migrate, version } from "../../../src/adapters/postgres/migrations.ts"
import { GameLeases } from "../../../src/ports/GameLeases.ts"
import { RuntimeRecords } from "../../../src/ports/RuntimeRecords.ts"
import { freshSchema, layerDatabase, layerPorts, postgresServer } from "../../support/postgres.ts"
import { auditRow, momentAt } from "../../support/records.ts"

const server = postgresServer()

/** Runs the test in a schema of its own. */
const inSchema = <A, E, R>(body: Effect.Effect<A, E, R>) => Effect.provide(body, layerDatabase(freshSchema()))

const withTables = Effect.fnUntraced(function* (...statements: ReadonlyArray<string>) {
  const sql = yield* SqlClient
  const [row] = yield* sql<{ path: string }>`select current_setting('search_path') as path`
  yield* sql.unsafe(`create schema ${row?.path.split(",")[0]}`)
  yield* Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
})

const relations = Effect.gen(function* () {
  const sql = yield* SqlClient
  const rows = yield* sql<{ name: string }>`
    select relname as name from pg_class where relnamespace = current_schema()::regnamespace and relkind = 'r' order by 1`
  return rows.map((row) => row.name)
})

/** As another system may keep it: its own columns, no NOT NULL, no primary key. */
const foreignRecords = `create table runtime_records (game_id varchar(200), status text, current_container_id text,
  last_op_at timestamptz, shard int not null default 3)`
const foreignLog = `create table operation_log (id bigserial primary key, game_id text not null, op_kind text not null,
  outcome text not null, container_id text, note text)`

const misfits: ReadonlyArray<readonly [string, ReadonlyArray<string>, ReadonlyArray<string>]> = [
  [
    "a column of another type",
    ["create table runtime_records (game_id text, status text, current_container_id text, last_op_at timestamp)"],
    ["column runtime_records.last_op_at has type timestamp without time zone, but timestamptz is needed"]
  ],
  [
    "a table that is another one",
    ["create table runtime_records (id int)"],
    ["table runtime_records has no column game_id", "table runtime_records has no column last_op_at"]
  ],
  ["a view", ["create view operation_log as select 1 as id"], ["operation_log is a view, not a table"]],
  [
    "two records of one game",
    [
      foreignRecords,
      "insert into runtime_records values ('chess', 'stopped'), ('chess', 'running'), ('go', 'running')"
    ],
    ["table runtime_records has more than one row with the same game_id: chess"]
  ],
  [
    "two success rows of one container",
    [
      foreignLog,
      `insert into operation_log (game_id, op_kind, outcome, container_id)
       select 'chess', 'cleanup_container', 'success', 'c1' from generate_series(1, 2)`
    ],
    ["table operation_log has more than one row with the same game_id, container_id", "chess, c1"]
  ],
  [
    "a column that we have no value for",
    [foreignLog, "alter table operation_log add actor text not null"],
    ["column operation_log.actor is NOT NULL without a default"]
  ],
  [
    "a log that does not number its rows",
    [foreignLog, "alter table operation_log alter id drop default"],
    ["column operation_log.id is NOT NULL without a default"]
  ],
  ...(
    [
      ["an error code that must not be NULL", "alter table operation_log add error_code text not null default ''"],
      ["a short column", "alter table operation_log alter op_kind type varchar(16)"],
      ["a closed set of codes", "alter table operation_log add error_code text check (error_code in ('conflict'))"],
      ["a closed set of kinds", "alter table operation_log add check (op_kind in ('start', 'stop', 'remove'))"]
    ] as const
  ).map(
    ([what, change]) =>
      [
        `a log that does not take our rows: ${what}`,
        [foreignLog, change],
        ["operation_log does not take our rows"]
      ] as const
  ),
  [
    "several things in both tables",
    ["create table runtime_records (game_id text)", "create table operation_log (id uuid)"],
    ["runtime_records has no column status", "operation_log.id has type uuid", "operation_log has no column op_kind"]
  ]
]

it.layer(server, { timeout: "30 seconds", excludeTestServices: true })("Migrations", (it) => {
  it.effect("create what is missing, say what they did, and do nothing the second time", () =>
    inSchema(
      Effect.gen(function* () {
        const first = yield* migrate
        assert.include(first.changes, "created table runtime_records")
        assert.include(first.changes, "created unique index operation_log_cleanup_success")
        assert.strictEqual(first.changes.length, 10)
        assert.deepStrictEqual((yield* migrate).changes, [])
        yield* checkVersion
      })
    )
  )

  it.effect("run once when four start at the same time", () =>
    inSchema(
      Effect.gen(function* () {
        const reports = yield* Effect.replicateEffect(migrate, 4, { concurrency: 4 })
        assert.strictEqual(reports.filter((report) => report.changes.length > 0).length, 1)
      })
    )
  )

  it.effect("leave existing tables as they are and add what they lack", () =>
    inSchema(
      Effect.gen(function* () {
        yield* withTables(
          foreignRecords,
          "insert into runtime_records values ('chess', 'stopped', null, '2025-01-01', 7)",
          foreignLog,
          "insert into operation_log (game_id, op_kind, outcome) values ('chess', 'start', 'success')"
        )
        const { changes } = yield* migrate
        assert.include(changes, "added column runtime_records.removed_at")
        assert.include(changes, "added column operation_log.lease_owner")
        assert.include(changes, "created unique index runtime_records_game_id")
        assert.notInclude(changes.join(), "created table runtime_records")
        const sql = yield* SqlClient
        const [record] =
          yield* sql`select shard, status, last_op_at = '2025-01-01'::timestamptz as same from runtime_records`
        assert.deepStrictEqual(record, { shard: 7, status: "stopped", same: true })

        const context = yield* Layer.build(layerPorts())
        const { clock, listDue } = Context.get(context, RuntimeRecords)
        const { acquire, commit } = Context.get(context, GameLeases)
        const page = yield* listDue({ moment: momentAt(yield* clock), after: undefined, limit: 10 })
        assert.strictEqual(page.records[0]?.gameId, "chess")
        const acquired = yield* acquire("chess")
        assert(acquired._tag === "Held")
        assert.strictEqual(yield* commit(acquired.lease, { containerId: null }, auditRow()), "committed")
      })
    )
  )

  it.effect("add no second index where the primary key will do", () =>
    inSchema(
      Effect.gen(function* () {
        const { changes } = yield* migrate
        assert.notInclude(changes.join(), "runtime_records_game_id")
      })
    )
  )

  for (const [what, statements, problems] of misfits) {
    it.effect(`report ${what} and leave nothing half done`, () =>
      inSchema(
        Effect.gen(function* () {
          yield* withTables(...statements)
          const before = yield* relations
          const error = yield* Effect.flip(migrate)
          assert.strictEqual(error.reason._tag, "NotMigrated")
          for (const problem of problems) assert.include(error.message, problem)
          assert.deepStrictEqual(yield* relations, before)
        })
      )
    )
  }

  it.effect("leave a log that refers to the records and bounds its columns as it is", () =>
    inSchema(
      Effect.gen(function* () {
        yield* withTables(
          "create table runtime_records (game_id text primary key, status text, current_container_id text, last_op_at timestamptz)",
          `create table operation_log (id bigserial primary key, op_kind text not null, outcome text not null,
            game_id text not null references runtime_records check (game_id <> ''), container_id varchar(64),
            error_message text check (length(error_message) <= 300))`
        )
        yield* migrate
        const sql = yield* SqlClient
        assert.deepStrictEqual(yield* sql`select * from operation_log`, [])
        yield* sql`insert into runtime_records values ('game', 'stopped')`
        yield* sql`delete from cleanup_migrations`
        yield* migrate
      })
    )
  )

  it.effect("bring a schema of version 1 to this version, and keep what it holds", () =>
    inSchema(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* migrate
        yield* sql`drop table cleanup_backoff`
        yield* sql`alter table cleanup_engine drop column braked_at`
        yield* sql`insert into cleanup_engine (id, accepted_at) values ('engine', now())`
        yield* sql`delete from cleanup_migrations where migration_id > 1`
        assert.include((yield* Effect.flip(checkVersion)).message, "at version 1, not 2")
        const { changes } = yield* migrate
        assert.deepStrictEqual(changes, ["added column cleanup_engine.braked_at", "created table cleanup_backoff"])
        yield* checkVersion
        assert.deepStrictEqual(yield* sql`select id, braked_at from cleanup_engine`, [
          { id: "engine", braked_at: null }
        ])
      })
    )
  )

  it.effect("refuse a schema that is newer than this build, as every other call does", () =>
    inSchema(
      Effect.gen(function* () {
        yield* migrate
        yield* (yield* SqlClient)`insert into cleanup_migrations (migration_id, name) values (99, 'future')`
        const { clock } = Context.get(yield* Layer.build(layerPorts()), RuntimeRecords)
        for (const call of [migrate, checkVersion, clock]) {
          const error = yield* Effect.flip(Effect.asVoid(call))
          assert.strictEqual(error.reason._tag, "NotMigrated")
          assert.include(error.message, `newer than ${version}`)
        }
      })
    )
  )

  it.effect("are asked for where the schema is missing or empty", () =>
    inSchema(
      Effect.gen(function* () {
        assert.include((yield* Effect.flip(checkVersion)).message, "rtmanager-cleanup migrate")
        yield* migrate
        yield* (yield* SqlClient)`delete from cleanup_migrations`
        assert.include((yield* Effect.flip(checkVersion)).message, "at version 0, not 2")
      })
    )
  )

  /** A migration in a fresh schema that has waited 60 ms for another to end, which it does after `then`. */
  const whileAnotherRuns = (then: (sql: SqlClient, pid: number) => Effect.Effect<unknown, SqlError>) =>
    Effect.gen(function* () {
      const schema = freshSchema()
      const sql = Context.get(yield* Layer.build(layerDatabase(schema)), SqlClient)
      return yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`select pg_advisory_xact_lock(hashtext('rtmanager.migrate'), hashtext(${schema}))`
          const late = layerDatabase(schema, { timeout: "20 millis", applicationName: "late" })
          const fiber = yield* Effect.forkChild(Effect.provide(migrate, late))
          const waiting = sql<{ pid: number }>`
            select pid from pg_stat_activity
            where datname = current_database() and application_name = 'late' and wait_event_type = 'Lock'
              and clock_timestamp() - query_start > interval '60 milliseconds'`
          // A transaction sees one picture of the sessions unless it asks for more.
          const [backend] = yield* Effect.repeat(Effect.andThen(sql`select pg_stat_clear_snapshot()`, waiting), {
            until: (rows) => rows.length > 0,
            schedule: Schedule.spaced("5 millis")
          })
          yield* then(sql, backend?.pid ?? 0)
          return fiber
        })
      )
    })

  it.effect("wait for another migration longer than a statement may take", () =>
    Effect.gen(function* () {
      const migrating = yield* whileAnotherRuns(() => Effect.void)
      assert.isNotEmpty((yield* Fiber.join(migrating)).changes)
    })
  )

  it.effect("fail without a crash when the server cuts the connection", () =>
    Effect.gen(function* () {
      const migrating = yield* whileAnotherRuns((sql, pid) => sql`select pg_terminate_backend(${pid}::int)`)
      const error = yield* Effect.flip(Fiber.join(migrating))
      assert.strictEqual(error.reason._tag, "Unavailable")
    })
  )
})
