import { assert, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Schedule } from "effect"
import { describeEngine } from "../support/docker.ts"
import { dump, game, layerEngine, world } from "../support/e2e.ts"
import { describePgBouncer, documented, modes, type PoolerOptions, servePgBouncer } from "../support/pgbouncer.ts"
import { freshSchema, postgresServer } from "../support/postgres.ts"
import { command, start } from "../support/service.ts"

/** A world reached through a pooler, and in `public` a record of a game that is none of ours: expired, with a container. */
const pooledWorld = Effect.fnUntraced(function* (mode: PoolerOptions["mode"], settings = documented.settings) {
  const here = yield* world()
  const { url } = yield* servePgBouncer({ ...documented, mode, settings })
  yield* game(here, "ours", "exited")
  const id = yield* here.engine.create({ gameId: "foreign", state: "exited" })
  yield* here.sql`create table if not exists public.runtime_records
    (game_id text, status text, current_container_id text, last_op_at timestamptz)`
  yield* here.sql`insert into public.runtime_records values ('foreign', 'stopped', ${id}, '2020-01-01')`
  yield* Effect.addFinalizer(() => Effect.ignore(here.sql`drop table public.runtime_records`))
  const env = { ...here.env, RTMANAGER_DATABASE_URL: Redacted.value(url), RTMANAGER_LOG_FORMAT: "json" }
  return { ...here, env, foreign: dump(here, "public.runtime_records") }
})

describePgBouncer("the service behind PgBouncer", () => {
  describeEngine("over a real engine", () => {
    it.layer(Layer.merge(postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
      it.effect.each(modes)("event 27: works with its own tables alone, in %s mode", (mode) =>
        Effect.gen(function* () {
          const here = yield* pooledWorld(mode)
          const before = yield* here.foreign
          const migrated = yield* command(["migrate"], { ...here.env, RTMANAGER_DATABASE_SCHEMA: freshSchema() })
          assert.include(migrated.stdout, "created table runtime_records")
          assert.include((yield* command(["plan"], here.env)).stdout, "ours")
          const run = yield* command(["run", "--json"], here.env)
          assert.strictEqual(run.code, 0, JSON.stringify(run.log))
          assert.include(JSON.parse(run.stdout).outcomes, { removed: 1 })
          assert.deepStrictEqual(
            (yield* here.engine.left).map(({ gameId }) => gameId),
            ["foreign"]
          )
          assert.deepStrictEqual(yield* here.foreign, before)
          assert.strictEqual((yield* command(["engine", "accept", "--reason=a test"], here.env)).code, 0)
        })
      )

      it.effect.each(modes)("event 27: touches nothing while its settings are dropped, in %s mode", (mode) =>
        Effect.gen(function* () {
          const here = yield* pooledWorld(mode, {})
          const before = yield* here.foreign
          for (const args of [["run"], ["plan"], ["engine", "accept", "--reason=a test"]]) {
            const { code, log } = yield* command(args, here.env)
            assert.strictEqual(code, 3)
            assert.include(JSON.stringify(log), "set statement_timeout = '5000'")
          }
          const service = yield* start(["serve"], here.env)
          const { http } = yield* service.event("service.started")
          const ready = Effect.promise(async () => {
            const response = await fetch(`${http}/readyz`)
            return { status: response.status, text: await response.text() }
          })
          const notReady = yield* Effect.repeat(ready, {
            until: ({ text }) => text.includes("statement_timeout is 0"),
            schedule: Schedule.spaced("50 millis")
          })
          assert.strictEqual(notReady.status, 503)
          yield* service.event("cleanup.pass.failure")
          assert.lengthOf(yield* here.engine.left, 2)
          assert.deepStrictEqual(yield* dump(here, "cleanup_engines"), [])
          assert.deepStrictEqual(yield* here.foreign, before)
        })
      )
    })
  })
})
