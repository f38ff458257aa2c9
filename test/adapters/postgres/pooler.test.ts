import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Database from "../../../src/adapters/postgres/Database.ts"
import { migrate } from "../../../src/adapters/postgres/migrations.ts"
import * as Records from "../../../src/adapters/postgres/RuntimeRecords.ts"
import { tables } from "../../../src/adapters/postgres/tables.ts"
import { serverAt } from "../../../src/config/databaseUrl.ts"
import { defaultEngine } from "../../../src/domain/EngineName.ts"
import { GameLeases } from "../../../src/ports/GameLeases.ts"
import { RuntimeRecords } from "../../../src/ports/RuntimeRecords.ts"
import * as GameLeasesSuite from "../../ports/GameLeasesSuite.ts"
import * as KnownEngineSuite from "../../ports/KnownEngineSuite.ts"
import * as RuntimeRecordsSuite from "../../ports/RuntimeRecordsSuite.ts"
import { describePgBouncer, documented, modes, type PoolerOptions, servePgBouncer } from "../../support/pgbouncer.ts"
import { freshSchema, layerDatabase, layerFixture, layerPorts, postgresServer } from "../../support/postgres.ts"
import { asked, stopped } from "../../support/records.ts"

const server = postgresServer()
const timeout = Duration.seconds(5)

const decoysOf = (schema: string) => `${schema}_decoys`

/** Other tables of the same names, in a schema of their own. */
const makeDecoys = Effect.gen(function* () {
  const { schema } = yield* Database.Database
  const sql = yield* SqlClient
  const decoys = decoysOf(schema)
  yield* sql`create schema ${sql(decoys)}`
  yield* sql`create sequence ${sql(`${decoys}.game_leases_token`)}`
  for (const { name } of [...tables, { name: "cleanup_migrations" }]) {
    yield* sql`create table ${sql(`${decoys}.${name}`)} (like ${sql(`${schema}.${name}`)} including all)`
  }
})

/** A database through a pooler, for a role whose search path finds the other tables. */
const pooled = (schema: string, options: PoolerOptions) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const settings = { ...options.settings, search_path: decoysOf(schema) }
      const { url } = yield* servePgBouncer({ ...options, settings })
      return Database.layer({ server: serverAt(url), schema, pool: 10, timeout })
    })
  )

/** The ports through the pooler, and the fixture without it. */
const layerPooled = (mode: PoolerOptions["mode"]) => {
  const schema = freshSchema()
  const direct = layerDatabase(schema)
  const prepared = Layer.effectDiscard(
    Effect.gen(function* () {
      yield* migrate
      yield* (yield* SqlClient)`alter table runtime_records alter last_op_at drop not null`
      yield* makeDecoys
    })
  )
  return Layer.merge(
    layerPorts().pipe(Layer.provide(pooled(schema, { ...documented, mode }))),
    layerFixture.pipe(Layer.provide(direct))
  ).pipe(Layer.provideMerge(Layer.provide(prepared, direct)))
}

describePgBouncer("behind PgBouncer, before a schema with other tables of the same names", () => {
  for (const mode of modes) {
    const layer = () => Layer.provide(layerPooled(mode), postgresServer())
    RuntimeRecordsSuite.suite(`event 27: RuntimeRecords in ${mode} mode keeps the contract`, layer())
    GameLeasesSuite.suite(`event 27: GameLeases in ${mode} mode keeps the contract`, layer())
    KnownEngineSuite.suite(`event 27: KnownEngine in ${mode} mode keeps the contract`, layer())
  }

  it.layer(server, { excludeTestServices: true })("the first question of a pass", (it) => {
    const ask = Effect.flatMap(RuntimeRecords, ({ clock }) => clock)
    const records = (options: PoolerOptions) =>
      Layer.provideMerge(Records.layer({ engineName: defaultEngine }), pooled(freshSchema(), options))
    const ports = (options: PoolerOptions) => Layer.provideMerge(layerPorts(), pooled(freshSchema(), options))
    const refusal = Effect.map(Effect.flip(ask), ({ reason, message }) => ({ reason: reason._tag, message }))
    const bounds = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"]

    it.effect.each(modes)("event 27: is refused, with every setting that was dropped, in %s mode", (mode) =>
      Effect.gen(function* () {
        yield* migrate
        const { message, reason } = yield* refusal
        assert.strictEqual(reason, "UnsafeSession")
        for (const name of bounds) assert.include(message, `${name} is 0`)
        assert.include(message, "set statement_timeout = '5000';")
        assert.notInclude(message, "TimeZone")
      }).pipe(Effect.provide(records({ ...documented, mode, settings: {} })))
    )

    it.effect.each(modes)(
      "event 27: says where to read what a pooler needs that refuses our sessions, in %s mode",
      (mode) =>
        Effect.gen(function* () {
          for (const error of [yield* Effect.flip(ask), yield* Effect.flip(migrate)]) {
            assert.strictEqual(error.reason._tag, "UnsafeSession")
            assert.include(error.message, "unsupported startup parameter: search_path")
            assert.include(error.message, "docs/pgbouncer.md")
          }
        }).pipe(Effect.provide(records({ ...documented, mode, ignored: ["extra_float_digits"] })))
    )

    it.effect("event 27: rehearses in a session that lacks the statements which another one has prepared", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* migrate
        yield* sql`insert into ${sql((yield* Database.Database).schema)}.runtime_records (game_id, status, last_op_at)
          values ('game', 'stopped', now())`
        const game = { ...stopped("game"), containerId: null }
        const leases = yield* GameLeases
        const other = yield* sql.reserve
        assert.isTrue(yield* leases.rehearse(game, asked))
        yield* other.executeUnprepared("begin", [], undefined)
        assert.isTrue(yield* leases.rehearse(game, asked))
        yield* other.executeUnprepared("rollback", [], undefined)
      }).pipe(Effect.scoped, Effect.provide(ports({ ...documented, mode: "transaction", sessions: 2 })))
    )

    it.effect("event 27: finds what another client of the same session has left behind", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* migrate
        const before = yield* ask
        yield* sql`create temporary table runtime_records (game_id text)`
        yield* sql`create temporary table cleanup_migrations (migration_id int)`
        assert.isAtLeast(yield* ask, before)
        yield* sql`set statement_timeout = 0`
        assert.include((yield* refusal).message, "statement_timeout is 0")
      }).pipe(Effect.provide(records({ ...documented, mode: "transaction", sessions: 1 })))
    )
  })
})
