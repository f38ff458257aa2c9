import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { readIndexes, readRelations } from "../../../src/adapters/postgres/catalog.ts"
import { Database } from "../../../src/adapters/postgres/Database.ts"
import { checkVersion, migrate, version } from "../../../src/adapters/postgres/migrations.ts"
import { shapeOfIndex, shapeOfTable } from "../../../src/adapters/postgres/shape.ts"
import { type Index, indexes, type Table, tables } from "../../../src/adapters/postgres/tables.ts"
import { freshSchema, layerDatabase, postgresServer } from "../../support/postgres.ts"

interface Change {
  /** The version before has none of these tables, columns (`table.column`) and indexes. */
  readonly added: ReadonlyArray<string>
  /** What the version before had instead. */
  readonly before?: { readonly tables: ReadonlyArray<Table>; readonly indexes: ReadonlyArray<Index> }
}

const engineOfVersion2: Table = {
  name: "cleanup_engine",
  inserted: true,
  columns: {
    id: { type: "text", rest: "primary key", essential: true },
    accepted_at: { type: "timestamptz", rest: "not null", essential: true },
    braked_at: { type: "timestamptz", rest: "null" }
  }
}

/** What each version of the schema changed. */
const changes: Readonly<Record<number, Change>> = {
  3: {
    added: ["runtime_records.engine", "cleanup_engines", "runtime_records_engine_stopped"],
    before: {
      tables: [engineOfVersion2],
      indexes: [
        {
          name: "runtime_records_stopped",
          table: "runtime_records",
          unique: false,
          keys: ["last_op_at", "game_id"],
          where: "status = 'stopped'"
        },
        { name: "cleanup_engine_one", table: "cleanup_engine", unique: true, keys: ["(true)"] }
      ]
    }
  },
  4: {
    added: [
      "cleanup_engines.retention_millis",
      "cleanup_acts",
      "cleanup_holds",
      "cleanup_pause",
      "cleanup_passes",
      "operation_log_cleanup_outcome"
    ]
  },
  5: {
    added: ["cleanup_acts.idempotency_key", "cleanup_acts.request_hash", "cleanup_acts_key", "cleanup_passes_updated"]
  },
  6: { added: ["cleanup_passes.lag_max_millis"] }
}

const versions = Object.keys(changes).map(Number)
const after = (target: number) => versions.filter((one) => one > target)
const oldest = Math.min(...versions) - 1

/** What `migrate` of this version wants to find. */
const wantedBy = (target: number) => {
  const added = new Set(after(target).flatMap((one) => changes[one]?.added ?? []))
  const former = after(target).flatMap((one) => changes[one]?.before ?? [])
  const kept = tables.filter(({ name }) => !added.has(name))
  return {
    tables: [
      ...kept.map((table) => ({
        ...table,
        columns: Object.fromEntries(
          Object.entries(table.columns).filter(([column]) => !added.has(`${table.name}.${column}`))
        )
      })),
      ...former.flatMap((before) => before.tables)
    ],
    indexes: [
      ...indexes.filter(({ name, table }) => !added.has(name) && !added.has(table)),
      ...former.flatMap((before) => before.indexes)
    ]
  }
}

/** What that `migrate` would add, and what would stop it. */
const missing = Effect.fnUntraced(function* (target: number) {
  const { schema } = yield* Database
  const wanted = wantedBy(target)
  const names = [...wanted.tables, ...wanted.indexes].map(({ name }) => name)
  const relations = yield* readRelations(schema, names)
  const found = yield* readIndexes(
    schema,
    wanted.tables.map(({ name }) => name)
  )
  const shapes = [
    ...wanted.tables.map((table) => shapeOfTable(schema, table, relations.get(table.name))),
    ...wanted.indexes.map((index) => shapeOfIndex(schema, index, relations, found))
  ]
  return shapes.flatMap(({ problems, steps }) => [...problems, ...steps.map(({ what }) => what)])
})

const page = readFileSync("docs/rollback.md", "utf8")

/** The document's SQL for going back by one version: its parts, each with its statements, which begin at the start of a line. */
const documented = (from: number) => {
  const [, rest = ""] = page.split(`\n## From version ${from} to ${from - 1}\n`)
  const [section = ""] = rest.split("\n## ")
  return [...section.matchAll(/```sql\n([\s\S]*?)```/g)].map(([, part = ""]) =>
    part
      .split(/;\n(?=\S|$)/)
      .map((statement) => statement.trim())
      .filter((statement) => statement !== "")
  )
}

/** As psql does it, in the test's schema. */
const goBack = Effect.fnUntraced(function* (from: number) {
  const sql = yield* SqlClient
  const { schema } = yield* Database
  const parts = documented(from)
  assert.isNotEmpty(parts, `docs/rollback.md does not say how to go back from version ${from}`)
  for (const statements of parts) {
    const send = (some: ReadonlyArray<string>) =>
      Effect.forEach(some, (one) => sql.unsafe(one.replaceAll("rtmanager.", `${schema}.`)), { discard: true })
    if (statements.length === 1) yield* send(statements)
    else {
      assert.deepStrictEqual([statements.at(0), statements.at(-1)], ["begin", "commit"])
      yield* sql.withTransaction(send(statements.slice(1, -1)))
    }
  }
})

/** A row in each table. */
const fill = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* sql`insert into runtime_records (game_id, status, current_container_id, last_op_at, engine)
    values ('chess', 'stopped', 'c1', '2026-01-01', 'default'), ('go', 'running', 'c2', '2026-01-02', null)`
  yield* sql`insert into operation_log (game_id, op_kind, op_source, outcome, started_at, finished_at)
    values ('checkers', 'cleanup_container', 'auto_ttl', 'success', '2026-01-01', '2026-01-01')`
  yield* sql`insert into game_leases values ('chess', gen_random_uuid(), 7, '2026-01-01', '2026-01-02')`
  yield* sql`insert into cleanup_backoff values ('chess', 3, '2026-01-03', 'engine_error')`
  yield* sql`insert into cleanup_engines (name, identity, accepted_at, braked_at) values ('default', 'id', '2026-01-01', '2026-02-02')`
  yield* sql`insert into cleanup_acts (act, author, reason, asked_at, idempotency_key, request_hash)
    values ('pause', 'ann', 'a test', '2026-01-01', 'key', 'hash')`
  yield* sql`insert into cleanup_holds values ('chess', 'ann', 'a test', '2026-01-01', '2026-01-02')`
  yield* sql`insert into cleanup_pause values ('*', 'ann', 'a test', '2026-01-01', '2026-01-02')`
  yield* sql`insert into cleanup_passes (id, engine, trigger, owner, started_at, updated_at, listed, removed, already_absent, conflict, failed)
    values (gen_random_uuid(), 'default', 'schedule', gen_random_uuid(), '2026-01-01', '2026-01-01', 1, 1, 0, 0, 0)`
})

const rows = Effect.gen(function* () {
  const sql = yield* SqlClient
  return yield* Effect.forEach(tables, ({ name }) =>
    Effect.map(sql`select to_jsonb(t) as row from ${sql(name)} as t order by 1`, (rows) => [name, rows] as const)
  )
})

const recorded = Effect.flatMap(
  SqlClient,
  (sql) => sql`select max(migration_id) as version from cleanup_migrations`
).pipe(Effect.map(([row]) => row?.["version"]))

it.layer(postgresServer(), { excludeTestServices: true })("What the document on going back says", (it) => {
  const inSchema = <A, E, R>(body: Effect.Effect<A, E, R>) => Effect.provide(body, layerDatabase(freshSchema()))

  it("is said of the present version, and of each before it", () => {
    assert.deepStrictEqual(
      versions,
      Array.from({ length: version - oldest }, (_, i) => oldest + 1 + i)
    )
    const sections = [...page.matchAll(/^## From version (\d+) to (\d+)$/gm)].map(([, from, to]) => [
      +(from ?? 0),
      +(to ?? 0)
    ])
    assert.deepStrictEqual(sections, versions.map((one) => [one, one - 1]).reverse())
  })

  for (const target of after(oldest)
    .map((one) => one - 1)
    .reverse()) {
    it.effect(`leads to what version ${target} wants, and from there back with every row`, () =>
      inSchema(
        Effect.gen(function* () {
          yield* migrate
          yield* fill
          const before = yield* rows
          for (const from of after(target).reverse()) yield* goBack(from)
          assert.strictEqual(yield* recorded, target)
          assert.deepStrictEqual(yield* missing(target), [])
          assert.include((yield* Effect.flip(checkVersion)).message, `at version ${target}, not ${version}`)

          yield* Effect.provide(migrate, Layer.fresh(layerDatabase((yield* Database).schema)))
          yield* checkVersion
          assert.deepStrictEqual(yield* rows, before)
        })
      )
    )
  }

  it.effect.each([
    [4, "a game is held", "insert into cleanup_holds values ('chess', 'ann', 'a test', now(), null)", /games are held/],
    [
      4,
      "a game is held for a while",
      "insert into cleanup_holds values ('chess', 'ann', 'a test', now(), now() + interval '1 day')",
      /games are held/
    ],
    [4, "cleaning is paused", "insert into cleanup_pause values ('*', 'ann', 'a test', now(), null)", /is paused/],
    [
      3,
      "a game is on another engine",
      "insert into runtime_records (game_id, status, last_op_at, engine) values ('go', 'running', now(), 'host-2')",
      /games are on other engines/
    ]
  ] as const)("is refused from version %s while %s, and changes nothing", ([from, , statement, message]) =>
    inSchema(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* migrate
        for (const later of after(from).reverse()) yield* goBack(later)
        yield* sql.unsafe(statement)
        const before = yield* rows
        const error = yield* Effect.flip(goBack(from))
        assert.match(`${error.reason.cause}`, message)
        assert.strictEqual(yield* recorded, from)
        assert.deepStrictEqual(yield* rows, before)
      })
    )
  )
})
