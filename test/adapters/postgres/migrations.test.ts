import { randomUUID } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Redacted, Schedule } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { Database } from "../../../src/adapters/postgres/Database.ts"
import { checkVersion, migrate, version } from "../../../src/adapters/postgres/migrations.ts"
import { serverAt } from "../../../src/config/databaseUrl.ts"
import { EngineName } from "../../../src/domain/EngineName.ts"
import { GameLeases } from "../../../src/ports/GameLeases.ts"
import { PassLog } from "../../../src/ports/PassLog.ts"
import { RuntimeRecords } from "../../../src/ports/RuntimeRecords.ts"
import { freshSchema, layerDatabase, layerPorts, PostgresServer, postgresServer } from "../../support/postgres.ts"
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

const host1 = EngineName.make("host-1")

/** A schema of version 5. */
const asVersion5 = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* migrate
  yield* sql`alter table cleanup_passes drop column lag_max_millis`
  yield* sql`delete from cleanup_migrations where migration_id > 5`
})

/** A schema with what version 2 had, in place of what came after it. */
const asVersion2 = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* migrate
  const statements = [
    "alter table runtime_records drop column engine",
    "create index runtime_records_stopped on runtime_records (last_op_at, game_id) where status = 'stopped'",
    "drop table cleanup_engines",
    "create table cleanup_engine (id text primary key, accepted_at timestamptz not null, braked_at timestamptz)",
    "create unique index cleanup_engine_one on cleanup_engine ((true))",
    "delete from cleanup_migrations where migration_id > 2"
  ]
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
      [`a log that does not take our rows: ${what}`, [foreignLog, change], ["the tables do not take our rows"]] as const
  ),
  [
    "several things in both tables",
    ["create table runtime_records (game_id text)", "create table operation_log (id uuid)"],
    ["runtime_records has no column status", "operation_log.id has type uuid", "operation_log has no column op_kind"]
  ]
]

/** What became of a schema at the present version, and what `migrate` adds to it. */
const added: ReadonlyArray<readonly [string, ReadonlyArray<string>, ReadonlyArray<string>]> = [
  ["a column", ["alter table runtime_records drop column removed_at"], ["added column runtime_records.removed_at"]],
  [
    "a column, and with it an index",
    ["alter table operation_log drop column container_id"],
    ["added column operation_log.container_id", "created unique index operation_log_cleanup_success"]
  ],
  ["the sequence", ["drop sequence game_leases_token"], ["created sequence game_leases_token"]],
  ["an index", ["drop index runtime_records_engine_stopped"], ["created index runtime_records_engine_stopped"]],
  [
    "a primary key",
    ["alter table cleanup_backoff drop constraint cleanup_backoff_pkey"],
    ["created unique index cleanup_backoff_game_id"]
  ],
  [
    "an index whose building was interrupted, built again",
    ["update pg_index set indisvalid = false where indexrelid = 'runtime_records_engine_stopped'::regclass"],
    ["created index runtime_records_engine_stopped"]
  ],
  ["a table", ["drop table game_leases"], ["created table game_leases"]],
  ["nothing where an index has another name", ["alter index runtime_records_engine_stopped rename to other"], []],
  [
    "nothing where the columns are short texts",
    ["alter table runtime_records alter status type varchar(20), alter game_id type varchar(200)"],
    []
  ],
  [
    "its own index beside one for another order",
    [
      "drop index runtime_records_engine_stopped",
      "create index mine on runtime_records (coalesce(engine, 'default'), last_op_at desc, game_id) where status = 'stopped'"
    ],
    ["created index runtime_records_engine_stopped"]
  ],
  [
    "its own index beside one for another state",
    [
      "drop index runtime_records_engine_stopped",
      "create index mine on runtime_records (coalesce(engine, 'default'), last_op_at, game_id) where status = 'Stopped'"
    ],
    ["created index runtime_records_engine_stopped"]
  ],
  [
    "its own index beside one that cannot sort",
    [
      "drop index runtime_records_engine_stopped",
      "create index mine on runtime_records (coalesce(engine, 'default'), last_op_at, game_id text_pattern_ops) where status = 'stopped'",
      `create index other on runtime_records (coalesce(engine, 'default'), last_op_at, game_id collate "POSIX") where status = 'stopped'`
    ],
    ["created index runtime_records_engine_stopped"]
  ],
  [
    "an index to each part of a log that is in parts by game",
    [
      "drop table operation_log",
      `create table operation_log (id bigserial, game_id text not null, op_kind text not null, outcome text not null,
        container_id text) partition by hash (game_id)`,
      "create table operation_log_0 partition of operation_log for values with (modulus 1, remainder 0)"
    ],
    [
      ...["op_source", "source_ref", "image_ref", "error_code", "error_message", "lease_owner", "lease_token"],
      ...["trace_id", "started_at", "finished_at"]
    ]
      .map((column) => `added column operation_log.${column}`)
      .concat("created unique index operation_log_cleanup_success", "created index operation_log_cleanup_last")
      .concat("created index operation_log_cleanup_outcome")
  ]
]

/** What became of a schema at the present version, and what `migrate` says of it. */
const drifts: ReadonlyArray<readonly [string, ReadonlyArray<string>, ReadonlyArray<string>]> = [
  [
    "a foreign table with an index's name",
    [
      "drop index runtime_records_engine_stopped",
      "create foreign data wrapper nowhere",
      "create server nowhere foreign data wrapper nowhere",
      "create foreign table runtime_records_engine_stopped (id int) server nowhere"
    ],
    ["runtime_records_engine_stopped is a foreign table, not an index of runtime_records"]
  ],
  [
    "a view in place of the sequence",
    ["drop sequence game_leases_token", "create view game_leases_token as select 1 as id"],
    ["game_leases_token is a view, not a sequence"]
  ],
  [
    "a sequence that ends",
    ["drop sequence game_leases_token", "create sequence game_leases_token as smallint"],
    ["sequence game_leases_token does not count through all of bigint"]
  ],
  [
    "a sequence that begins again",
    ["alter sequence game_leases_token cycle"],
    ["sequence game_leases_token does not count through all of bigint"]
  ],
  [
    "an index of other columns",
    [
      "drop index runtime_records_engine_stopped",
      "create index runtime_records_engine_stopped on runtime_records (game_id)"
    ],
    [
      "index runtime_records_engine_stopped must be on runtime_records (coalesce(engine, 'default'), last_op_at, game_id) include (engine) where status = 'stopped', but",
      "USING btree (game_id)"
    ]
  ],
  [
    "an index of another table",
    [
      "drop index runtime_records_engine_stopped",
      "create index runtime_records_engine_stopped on operation_log (game_id)"
    ],
    ["index runtime_records_engine_stopped must be on runtime_records", "operation_log"]
  ],
  [
    "an index of a table that is not ours",
    [
      "drop index runtime_records_engine_stopped",
      "create table players (id int)",
      "create index runtime_records_engine_stopped on players (id)"
    ],
    ["runtime_records_engine_stopped is an index of another table, not an index of runtime_records"]
  ],
  [
    "an index that is not unique, and one with another condition",
    [
      "drop index operation_log_cleanup_success",
      `create index operation_log_cleanup_success on operation_log (game_id, container_id)
        where op_kind = 'cleanup_container' and outcome = 'success' and container_id is not null`,
      "drop index operation_log_cleanup_last",
      "create index operation_log_cleanup_last on operation_log (game_id, id) where op_kind <> 'cleanup_container'"
    ],
    [
      "unique index operation_log_cleanup_success must be on operation_log (game_id, container_id)",
      "index operation_log_cleanup_last must be on operation_log (game_id, id)"
    ]
  ],
  [
    "a unique index that was never finished",
    ["update pg_index set indisvalid = false where indexrelid = 'operation_log_cleanup_success'::regclass"],
    ["unique index operation_log_cleanup_success is invalid or deferrable"]
  ],
  [
    "leases whose key is checked late",
    ["alter table game_leases drop constraint game_leases_pkey, add unique (game_id) deferrable"],
    ["the tables do not take our rows: ON CONFLICT does not support deferrable unique constraints"]
  ],
  [
    "a trigger that lets no record move",
    [
      "create function keep() returns trigger language plpgsql as 'begin return null; end'",
      "create trigger keep before update on runtime_records for each row execute function keep()"
    ],
    ["the tables do not take our rows: something has silently swallowed the change of runtime_records"]
  ],
  [
    "a column of the leases that is gone",
    ["alter table game_leases drop column token"],
    ["table game_leases has no column token (bigint)"]
  ],
  [
    "columns of other types",
    ["alter table cleanup_engines alter identity type name", "alter table game_leases alter token type integer"],
    ["column cleanup_engines.identity has type name, but text", "column game_leases.token has type integer, but bigint"]
  ],
  [
    "a column that computes itself",
    [
      "alter table runtime_records drop column removed_at",
      "alter table runtime_records add removed_at timestamptz generated always as (last_op_at) stored"
    ],
    ["column runtime_records.removed_at is generated, but we write it"]
  ],
  [
    "a token that numbers itself",
    ["alter table game_leases alter token add generated always as identity"],
    ["column game_leases.token is generated always as identity, but we write it"]
  ],
  [
    "a log whose rows nobody numbers",
    ["alter table operation_log drop constraint operation_log_pkey, alter id drop identity, alter id drop not null"],
    ["column operation_log.id has neither a default nor an identity"]
  ],
  [
    "a brake that cannot be let go of",
    ["alter table cleanup_engines alter braked_at set not null"],
    ["column cleanup_engines.braked_at is NOT NULL, but we write NULL"]
  ],
  [
    "a table that a crash empties",
    ["alter table game_leases set unlogged"],
    ["table game_leases is unlogged: after a crash the server empties it"]
  ],
  [
    "records in child tables",
    ["create table archived () inherits (runtime_records)"],
    ["table runtime_records has child tables"]
  ],
  [
    "a foreign table of versions",
    ["drop table cleanup_migrations", "create table cleanup_migrations (id int primary key)"],
    ["table cleanup_migrations has no column migration_id (integer)"]
  ],
  [
    "a log in parts by time, and a table that is none, all at once",
    [
      "drop table operation_log",
      `create table operation_log (id bigserial, game_id text not null, op_kind text not null, outcome text not null,
        finished_at timestamptz not null) partition by range (finished_at)`,
      "create table operation_log_all partition of operation_log default",
      "drop table cleanup_backoff",
      "create materialized view cleanup_backoff as select 1 as attempts"
    ],
    [
      "table operation_log cannot take the unique index operation_log_cleanup_success",
      "it is partitioned by finished_at, and a unique index of a partitioned table must include the partition key",
      "cleanup_backoff is a materialized view, not a table"
    ]
  ]
]

it.layer(server, { excludeTestServices: true })("Migrations", (it) => {
  it.effect("create what is missing, say what they did, and do nothing the second time", () =>
    inSchema(
      Effect.gen(function* () {
        const first = yield* migrate
        assert.include(first.changes, "created table runtime_records")
        assert.include(first.changes, "created unique index operation_log_cleanup_success")
        assert.strictEqual(first.changes.length, 23)
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
        assert(acquired._tag === "Leased")
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

  for (const [what, statements, changes] of added) {
    it.effect(`event 37: add at the present version ${what}`, () =>
      inSchema(
        Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* migrate
          yield* Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
          // A session of its own, as no plan outlives a column's type.
          const later = Effect.provide(migrate, Layer.fresh(layerDatabase((yield* Database).schema)))
          assert.deepStrictEqual((yield* later).changes, changes)
          assert.deepStrictEqual((yield* later).changes, [])
        })
      )
    )
  }

  for (const [what, statements, problems] of drifts) {
    it.effect(`event 37: report at the present version ${what}, and leave nothing half done`, () =>
      inSchema(
        Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* migrate
          yield* sql`alter table runtime_records drop column created_at`
          yield* Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
          const error = yield* Effect.flip(migrate)
          assert.strictEqual(error.reason._tag, "NotMigrated")
          for (const problem of problems) assert.include(error.message, problem)
          const [column] = yield* sql`
            select 1 from information_schema.columns
            where table_schema = current_schema() and table_name = 'runtime_records' and column_name = 'created_at'`
          assert.isUndefined(column)
        })
      )
    )
  }

  it.effect("event 37: say in one sentence what a role that owns no table cannot add", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { schema } = yield* Database
      yield* migrate
      yield* sql`drop index runtime_records_engine_stopped`
      // Roles are the same for every database of the server.
      const name = `rtmanager_test_${randomUUID()}`
      const role = sql(name)
      const server = serverAt((yield* PostgresServer).url)
      const password =
        server.password === undefined ? sql`` : sql.literal(`password '${Redacted.value(server.password)}'`)
      yield* Effect.acquireRelease(sql`create role ${role} login ${password}`, () =>
        Effect.orDie(Effect.all([sql`drop owned by ${role}`, sql`drop role ${role}`]))
      )
      yield* sql`grant usage, create on schema ${sql(schema)} to ${role}`
      yield* sql`grant select, insert on all tables in schema ${sql(schema)} to ${role}`
      const theirs = layerDatabase(schema, { server: { ...server, user: name } })
      yield* Effect.gen(function* () {
        assert.strictEqual(
          (yield* Effect.flip(Effect.provide(migrate, Layer.fresh(theirs)))).message,
          "migrate: the schema does not fit: index runtime_records_engine_stopped cannot be created: must be owner of table runtime_records"
        )
        yield* migrate
        assert.deepStrictEqual((yield* Effect.provide(migrate, Layer.fresh(theirs))).changes, [])
      })
    }).pipe(Effect.scoped, Effect.provide(Layer.fresh(layerDatabase(freshSchema()))))
  )

  it.effect("event 37: wait for nobody where nothing is missing", () =>
    inSchema(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* migrate
        yield* sql.withTransaction(
          Effect.gen(function* () {
            for (const table of yield* relations) yield* sql`lock table ${sql(table)} in row exclusive mode`
            const other = Layer.fresh(layerDatabase((yield* Database).schema))
            assert.deepStrictEqual((yield* Effect.provide(migrate, other)).changes, [])
          })
        )
      })
    )
  )

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
        yield* asVersion2
        yield* sql`drop table cleanup_backoff`
        yield* sql`alter table cleanup_engine drop column braked_at`
        yield* sql`insert into cleanup_engine (id, accepted_at) values ('engine', now())`
        yield* sql`delete from cleanup_migrations where migration_id > 1`
        assert.include((yield* Effect.flip(checkVersion)).message, "at version 1, not 6")
        const { changes } = yield* migrate
        assert.deepStrictEqual(changes, [
          "added column runtime_records.engine",
          "created table cleanup_engines",
          "created table cleanup_backoff",
          "created unique index cleanup_engines_identity",
          "created index runtime_records_engine_stopped"
        ])
        yield* checkVersion
        assert.deepStrictEqual(yield* sql`select name, identity, braked_at from cleanup_engines`, [
          { name: "default", identity: "engine", braked_at: null }
        ])
      })
    )
  )

  it.effect("give the acts of version 4 a place for the keys of requests, and keep them", () =>
    inSchema(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* asVersion5
        yield* sql`alter table cleanup_acts drop column idempotency_key, drop column request_hash`
        yield* sql`drop index cleanup_passes_updated`
        yield* sql`delete from cleanup_migrations where migration_id > 4`
        yield* sql`insert into cleanup_acts (act, author, reason, asked_at) values ('pause', 'anna', 'a test', now())`
        assert.include((yield* Effect.flip(checkVersion)).message, "at version 4, not 6")
        const { changes } = yield* migrate
        assert.deepStrictEqual(changes, [
          "added column cleanup_acts.idempotency_key",
          "added column cleanup_acts.request_hash",
          "added column cleanup_passes.lag_max_millis",
          "created unique index cleanup_acts_key",
          "created index cleanup_passes_updated"
        ])
        yield* checkVersion
        assert.deepStrictEqual(yield* sql`select author, idempotency_key from cleanup_acts`, [
          { author: "anna", idempotency_key: null }
        ])
      })
    )
  )

  it.effect("give the passes of version 5 a place for their lag, and keep them", () =>
    inSchema(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* asVersion5
        yield* sql`insert into cleanup_passes select gen_random_uuid(), 'default', 'schedule', gen_random_uuid(), now(), now(), now(),
          'success', null, null, 5, 5, 4, 1, 0, 0`
        assert.include((yield* Effect.flip(checkVersion)).message, "at version 5, not 6")
        assert.deepStrictEqual((yield* migrate).changes, ["added column cleanup_passes.lag_max_millis"])
        yield* checkVersion
        const { hours, recent } = Context.get(yield* Layer.build(layerPorts()), PassLog)
        const [pass] = yield* recent(2)
        assert.deepInclude(pass, { result: "success", removed: 4, alreadyAbsent: 1, lagMax: null })
        assert.deepInclude(
          (yield* hours(2)).findLast(({ passes }) => passes > 0),
          { removed: 4, lagMax: null }
        )
      })
    )
  )

  it.effect("give the engine of version 2 the name default, with its brake, and keep every record", () =>
    inSchema(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* asVersion2
        yield* sql`insert into cleanup_engine values ('engine', '2026-01-01', '2026-02-02')`
        yield* sql`insert into runtime_records (game_id, status, last_op_at) values ('chess', 'stopped', '2025-01-01')`
        yield* migrate
        assert.deepStrictEqual(
          yield* sql`select name, identity, accepted_at = '2026-01-01' and braked_at = '2026-02-02' as same from cleanup_engines`,
          [{ name: "default", identity: "engine", same: true }]
        )
        assert.notInclude(yield* relations, "cleanup_engine")
        const { clock, listDue } = Context.get(yield* Layer.build(layerPorts()), RuntimeRecords)
        const page = yield* listDue({ moment: momentAt(yield* clock), after: undefined, limit: 10 })
        assert.deepStrictEqual(
          page.records.map(({ engine, gameId }) => [gameId, engine]),
          [["chess", "default"]]
        )
      })
    )
  )

  it.effect.each([
    ["without an index for it", []],
    [
      "with its index",
      [
        "create index mine on runtime_records (coalesce(engine, 'default'), last_op_at, game_id) where status = 'stopped'"
      ]
    ],
    ["of short texts", ["alter table runtime_records alter engine type varchar(63)"]]
  ] as const)("adopt a column engine that is there already, %s", ([_, statements]) =>
    inSchema(
      Effect.gen(function* () {
        yield* withTables(
          `create table runtime_records (game_id text primary key, status text, current_container_id text,
            last_op_at timestamptz, engine text not null default 'host-1')`,
          "insert into runtime_records values ('chess', 'stopped', null, '2025-01-01')",
          "insert into runtime_records values ('go', 'stopped', null, '2025-01-01', 'host-2')",
          ...statements
        )
        const { changes } = yield* migrate
        assert.notInclude(changes.join(), "column runtime_records.engine")
        assert.strictEqual(
          changes.join().includes("runtime_records_engine_stopped"),
          statements[0]?.includes("index") !== true
        )
        const { clock, listDue } = Context.get(yield* Layer.build(layerPorts({ engineName: host1 })), RuntimeRecords)
        const page = yield* listDue({ moment: momentAt(yield* clock), after: undefined, limit: 10 })
        assert.deepStrictEqual(
          page.records.map(({ gameId }) => gameId),
          ["chess"]
        )
        assert.deepStrictEqual((yield* migrate).changes, [])
      })
    )
  )

  it.effect("event 45: finish once when several start at the same time over tables of version 2", () =>
    inSchema(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* asVersion2
        yield* sql`insert into runtime_records (game_id, status, last_op_at)
          select 'game-' || i, 'stopped', '2025-01-01' from generate_series(1, 1000) as i`
        const separate = Effect.provide(migrate, Layer.fresh(layerDatabase((yield* Database).schema, { pool: 2 })))
        const reports = yield* Effect.replicateEffect(separate, 4, { concurrency: 4 })
        const built = reports.filter(({ changes }) => changes.includes("created index runtime_records_engine_stopped"))
        assert.lengthOf(built, 1)
        yield* checkVersion
        assert.deepStrictEqual((yield* separate).changes, [])
      })
    )
  )

  it.effect("event 45: record no version before the index is there, and go on after an interruption", () =>
    inSchema(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* asVersion2
        const late = layerDatabase((yield* Database).schema, { applicationName: "late", forMigration: true })
        const interrupted = yield* sql.withTransaction(
          Effect.gen(function* () {
            // A build waits for everybody who can see older rows.
            yield* sql`set transaction isolation level repeatable read`
            yield* sql`select 1`
            const migrating = yield* Effect.forkChild(Effect.provide(migrate, Layer.fresh(late)))
            const other = Context.get(
              yield* Layer.build(Layer.fresh(layerDatabase((yield* Database).schema))),
              SqlClient
            )
            yield* Effect.repeat(
              other<{ ended: boolean }>`
                select pg_terminate_backend(pid) as ended from pg_stat_activity
                where datname = current_database() and application_name = 'late' and query like 'create index concurrently%'
                  and wait_event = 'virtualxid'`,
              { until: (rows) => rows.length > 0, schedule: Schedule.spaced("5 millis") }
            )
            return yield* Effect.flip(Fiber.join(migrating))
          })
        )
        assert.strictEqual(interrupted.reason._tag, "Unavailable")
        assert.include((yield* Effect.flip(checkVersion)).message, "at version 2")
        assert.deepStrictEqual((yield* migrate).changes, ["created index runtime_records_engine_stopped"])
        yield* checkVersion
      })
    )
  )

  it.effect("event 45: let others write to the records while they wait for a long transaction", () =>
    inSchema(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* asVersion2
        const write = (gameId: string) =>
          sql`insert into runtime_records (game_id, status, last_op_at) values (${gameId}, 'running', now())`
        const migrating = yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* write("long")
            const migrating = yield* Effect.forkChild(
              Effect.provide(migrate, Layer.fresh(layerDatabase((yield* Database).schema, { applicationName: "late" })))
            )
            yield* Effect.repeat(
              Effect.andThen(
                sql`select pg_stat_clear_snapshot()`,
                sql`select from pg_stat_activity where datname = current_database() and application_name = 'late'
                  and wait_event_type = 'Lock'`
              ),
              { until: (rows) => rows.length > 0, schedule: Schedule.spaced("5 millis") }
            )
            // The writers' own timeout is longer than the wait behind the migration.
            yield* Effect.provide(
              Effect.flatMap(
                SqlClient,
                (other) =>
                  other`insert into runtime_records (game_id, status, last_op_at) values ('short', 'running', now())`
              ),
              Layer.fresh(layerDatabase((yield* Database).schema))
            )
            assert.include((yield* Effect.flip(checkVersion)).message, "at version 2")
            return migrating
          })
        )
        yield* Fiber.join(migrating)
        yield* checkVersion
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
        assert.include((yield* Effect.flip(checkVersion)).message, "at version 0, not 6")
      })
    )
  )

  /** A migration in a fresh schema that has waited for another longer than a statement may take; that ends after `then`. */
  const whileAnotherRuns = (then: (sql: SqlClient, pid: number) => Effect.Effect<unknown, SqlError>) =>
    Effect.gen(function* () {
      const schema = freshSchema()
      const sql = Context.get(yield* Layer.build(layerDatabase(schema)), SqlClient)
      return yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`select pg_advisory_xact_lock(hashtext('rtmanager.migrate'), hashtext(${schema}))`
          const late = layerDatabase(schema, { timeout: "1 second", applicationName: "late" })
          const fiber = yield* Effect.forkChild(Effect.provide(migrate, late))
          const waiting = sql<{ pid: number }>`
            select pid from pg_stat_activity
            where datname = current_database() and application_name = 'late' and wait_event_type = 'Lock'
              and clock_timestamp() - query_start > interval '1100 milliseconds'`
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
