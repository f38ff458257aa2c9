import { assert, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { TestClock } from "effect/testing"
import * as Database from "../../../src/adapters/postgres/Database.ts"
import { migrate } from "../../../src/adapters/postgres/migrations.ts"
import * as RuntimeRecords from "../../../src/adapters/postgres/RuntimeRecords.ts"
import { serverAt } from "../../../src/config/databaseUrl.ts"
import { defaultEngine } from "../../../src/domain/EngineName.ts"
import * as Ports from "../../../src/ports/RuntimeRecords.ts"
import type { StoreError } from "../../../src/ports/StoreError.ts"
import { makePostgresProxy } from "../../support/PostgresProxy.ts"
import { freshSchema, layerDatabase, PostgresServer, postgresServer } from "../../support/postgres.ts"
import { momentAt } from "../../support/records.ts"
import { makeTracer } from "../../support/tracer.ts"

const options = { schema: "rtmanager", pool: 2, timeout: "1 minute" } as const

const reasonOf = (error: StoreError) => error.reason._tag

it.layer(postgresServer(), { excludeTestServices: true })("Database", (it) => {
  it.effect("gives each session its settings, and no schema but its own", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const settings = yield* sql<{ name: string; setting: string }>`
        select name, setting from pg_settings where name in ('search_path', 'statement_timeout', 'lock_timeout',
          'idle_in_transaction_session_timeout', 'default_transaction_isolation', 'TimeZone', 'jit', 'application_name')`
      assert.deepStrictEqual(Object.fromEntries(settings.map((row) => [row.name, row.setting])), {
        TimeZone: "UTC",
        application_name: "rtmanager-cleanup",
        default_transaction_isolation: "read committed",
        idle_in_transaction_session_timeout: "5000",
        lock_timeout: "4000",
        jit: "off",
        search_path: `"Odd ""name"", really", pg_temp`,
        statement_timeout: "5000"
      })
    }).pipe(Effect.provide(layerDatabase('Odd "name", really')))
  )

  it.effect("says that the schema is not migrated, and with which command to mend it", () =>
    Effect.gen(function* () {
      const { backlog, clock, listDue } = yield* Ports.RuntimeRecords
      const calls = [clock, backlog(momentAt(0)), listDue({ moment: momentAt(0), after: undefined, limit: 1 })]
      for (const call of calls.map((call) => Effect.asVoid<unknown, StoreError, never>(call))) {
        const error = yield* Effect.flip(call)
        assert.strictEqual(reasonOf(error), "NotMigrated")
        assert.include(error.message, "rtmanager-cleanup migrate")
      }
    }).pipe(
      Effect.provide(Layer.provide(RuntimeRecords.layer({ engineName: defaultEngine }), layerDatabase(freshSchema())))
    )
  )

  it.effect("is built while the server is down, and its errors do not tell the password", () =>
    Effect.gen(function* () {
      const { clock } = yield* Ports.RuntimeRecords
      const error = yield* Effect.flip(clock)
      assert.strictEqual(reasonOf(error), "Unavailable")
      assert.include(error.message, "ECONNREFUSED")
      assert.notInclude(JSON.stringify(error) + String(error.stack), "geheim")
    }).pipe(
      Effect.provide(
        Layer.provide(
          RuntimeRecords.layer({ engineName: defaultEngine }),
          Database.layer({ ...options, server: serverAt(Redacted.make("postgres://user:geheim@localhost:1/db")) })
        )
      )
    )
  )

  it.effect("event 17: recovers by itself when the server has cut every connection", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const database = yield* Database.Database
      const ask = database.run("test", "disconnected", sql<{ one: number }>`select 1 as one`)
      yield* Effect.replicateEffect(ask, 4, { concurrency: 4, discard: true })
      yield* sql`
        select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'recovers' and pid <> pg_backend_pid()`
      yield* Effect.replicateEffect(ask, 8, { concurrency: 4, discard: true })
    }).pipe(Effect.provide(layerDatabase("any", { applicationName: "recovers" })))
  )

  it.effect("names the operation, the server and the database in one span a statement, below the caller's", () =>
    Effect.gen(function* () {
      const { spans, tracer } = makeTracer()
      const sql = yield* SqlClient
      const { run } = yield* Database.Database
      yield* Effect.all([
        run("first", "disconnected", sql`select 1`),
        run("secondOne", "disconnected", sql`select 2`.unprepared)
      ]).pipe(Effect.withSpan("caller"), Effect.withTracer(tracer))
      const [caller, ...statements] = spans
      const { url } = yield* PostgresServer
      const { database, host } = serverAt(url)
      assert.deepStrictEqual(
        spans.map(({ name }) => name),
        ["caller", "rtmanager.cleanup.first", "rtmanager.cleanup.second_one"]
      )
      assert.deepStrictEqual(
        statements.map(({ attributes }) => attributes.get("db.operation.name")),
        ["first", "secondOne"]
      )
      for (const { attributes, kind, parent, status } of statements) {
        assert.strictEqual(parent._tag === "Some" ? parent.value.spanId : "", caller?.spanId)
        assert.strictEqual(kind, "client")
        assert.strictEqual(status._tag, "Ended")
        assert.strictEqual(attributes.get("db.system.name"), "postgresql")
        assert.strictEqual(attributes.get("db.namespace"), database)
        assert.strictEqual(attributes.get("server.address"), host)
      }
    }).pipe(Effect.provide(layerDatabase("any")))
  )

  it.effect("says on the span of a statement that failed what the server said", () =>
    Effect.gen(function* () {
      const { spans, tracer } = makeTracer()
      const sql = yield* SqlClient
      const { run } = yield* Database.Database
      yield* Effect.flip(run("test", "disconnected", sql`select from nowhere`)).pipe(Effect.withTracer(tracer))
      assert.deepStrictEqual(
        spans.map(({ attributes }) => attributes.get("error.type")),
        ["42P01"]
      )
    }).pipe(Effect.provide(layerDatabase("any")))
  )

  it.effect("leaves the spans of a transaction and of the caller's own steps their names", () =>
    Effect.gen(function* () {
      const { spans, tracer } = makeTracer()
      const sql = yield* SqlClient
      const { run } = yield* Database.Database
      const work = sql.withTransaction(Effect.withSpan(sql`select 1`, "step"))
      yield* Effect.withTracer(Effect.orDie(run("test", "disconnected", work)), tracer)
      assert.deepStrictEqual(
        spans.map(({ name }) => name),
        ["sql.transaction", "step", "rtmanager.cleanup.test"]
      )
    }).pipe(Effect.provide(layerDatabase("any")))
  )

  /** A database behind a proxy that has just frozen, with the clock in the test's hands. */
  const frozen = Effect.gen(function* () {
    const proxy = yield* makePostgresProxy((yield* PostgresServer).url)
    const context = yield* Layer.build(Database.layer({ ...options, server: serverAt(proxy.url) }))
    const { run } = Context.get(context, Database.Database)
    const { spans, tracer } = makeTracer()
    const ask = run("test", "disconnected", Context.get(context, SqlClient)`select 1`).pipe(Effect.withTracer(tracer))
    yield* ask
    proxy.frozen = true
    // The driver itself would wait seconds for its cancel before it closes.
    yield* Effect.addFinalizer(() => proxy.cut)
    const fiber = yield* Effect.forkChild(ask, { startImmediately: true })
    return { fiber, proxy, spans }
  })

  it.effect("event 17: waits for a frozen server a second longer than the statement may take", () =>
    Effect.gen(function* () {
      const { fiber, proxy, spans } = yield* frozen
      yield* TestClock.adjust("61 seconds")
      const error = yield* Effect.flip(Fiber.join(fiber))
      assert.strictEqual(error.message, "test: no answer from the database within 1m 1s")
      yield* proxy.cut
      const [, span] = spans
      yield* Effect.repeat(Effect.yieldNow, { until: () => span?.status._tag === "Ended" })
      assert.strictEqual(span?.attributes.get("error.type"), "StatementTimeoutError")
    }).pipe(Effect.provide(TestClock.layer()))
  )

  it.effect("stops waiting for a frozen server at once when interrupted", () =>
    Effect.gen(function* () {
      const interrupting = yield* Effect.forkChild(Fiber.interrupt((yield* frozen).fiber))
      yield* Effect.replicateEffect(Effect.yieldNow, 10)
      assert.isDefined(interrupting.pollUnsafe())
    }).pipe(Effect.provide(TestClock.layer()))
  )

  it.effect("event 17: gives up on a lock before the statement's own timeout, and says that it was the lock", () =>
    Effect.gen(function* () {
      const schema = freshSchema()
      const mine = yield* Layer.build(layerDatabase(schema))
      const other = yield* Layer.build(layerDatabase(schema, { pool: 1, timeout: "1 minute" }))
      yield* Effect.provide(migrate, mine)
      const sql = Context.get(mine, SqlClient)
      const { run } = Context.get(other, Database.Database)
      yield* Context.get(other, SqlClient)`set lock_timeout = '50ms'`
      const update = run(
        "test",
        "rolled_back",
        Context.get(other, SqlClient)`update cleanup_engines set identity = 'other'`
      )
      const error = yield* sql.withTransaction(Effect.andThen(sql`lock table cleanup_engines`, Effect.flip(update)))
      assert.include(error.message, "lock timeout")
    })
  )
})
