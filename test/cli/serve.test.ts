import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted, Schedule } from "effect"
import { describeEngine } from "../support/docker.ts"
import { dump, game, layerEngine, type World, world } from "../support/e2e.ts"
import { makePostgresProxy } from "../support/PostgresProxy.ts"
import { postgresServer } from "../support/postgres.ts"
import { type Process, start } from "../support/service.ts"

interface Health {
  readonly status: number
  readonly body: {
    readonly status: string
    readonly engineName: string
    readonly mode: string
    readonly reasons: Record<string, string>
  }
}

const get = (service: Process, path: string) =>
  Effect.flatMap(service.event("service.started"), ({ http }) =>
    Effect.promise(async (): Promise<Health> => {
      const response = await fetch(`${http}${path}`)
      return { status: response.status, body: (await response.json()) as Health["body"] }
    })
  )

/** Asks until the answer has this status: the probes behind it run in the background. */
const becomes = (service: Process, path: string, status: number) =>
  get(service, path).pipe(
    Effect.repeat({ until: (health) => health.status === status, schedule: Schedule.spaced("50 millis") })
  )

const leases = ({ sql }: World) =>
  Effect.map(sql<{ game_id: string }>`select game_id from game_leases`, (rows) => rows.map((row) => row.game_id))

describeEngine("serve", () => {
  it.layer(Layer.merge(postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
    it.effect("cleans at once, is alive and ready, says at start what it is about to do, and ends with 0", () =>
      Effect.gen(function* () {
        const here = yield* world()
        yield* game(here, "expired", "exited")
        const service = yield* start(["serve"], here.env)
        const started = yield* service.event("service.started")
        assert.include(started, { due: 1, mode: "enforce", retention: "720h", interval: "1h" })
        assert.notInclude(JSON.stringify(started), "password")
        yield* service.event("cleanup.pass.success")
        assert.deepStrictEqual(yield* here.engine.left, [])
        assert.strictEqual((yield* get(service, "/healthz")).status, 200)
        assert.strictEqual((yield* becomes(service, "/readyz", 200)).body.status, "ready")
        yield* service.signal("SIGTERM")
        const { code, log } = yield* service.ended
        assert.strictEqual(code, 0)
        assert.include(log.at(-1), { event: "service.stopped" })
        assert.deepStrictEqual(log.at(-1)?.["unresolved_removals"], [])
      })
    )

    it.effect("event 4: stops in mid-pass after its grace, and keeps only the lease of the removal that it names", () =>
      Effect.gen(function* () {
        const here = yield* world()
        const stuck = yield* game(here, "stuck", "exited")
        yield* Effect.forEach(["a", "b", "c"], (gameId) => game(here, gameId, "exited"))
        here.proxy.holdAnswers(new RegExp(`^DELETE .*${stuck}`))
        // Without the grace it would wait as long as a call may take.
        const service = yield* start(["serve"], {
          ...here.env,
          RTMANAGER_ENGINE_TIMEOUT: "1m",
          RTMANAGER_GAME_LEASE_TTL: "5m"
        })
        yield* here.proxy.asked(/^DELETE/, 4)
        const since = performance.now()
        yield* service.signal("SIGTERM")
        const { code, log } = yield* service.ended
        assert.strictEqual(code, 0)
        assert.isBelow(performance.now() - since, 30_000)
        assert.deepStrictEqual(log.at(-1)?.["unresolved_removals"], ["stuck"])
        assert.deepStrictEqual(yield* leases(here), ["stuck"])
        assert.deepStrictEqual(yield* here.store.log("stuck"), [])
        for (const gameId of ["a", "b", "c"]) {
          assert.deepStrictEqual(
            (yield* here.store.log(gameId)).map(({ outcome }) => outcome),
            ["success"]
          )
        }
        assert.deepStrictEqual(yield* here.engine.left, [])
      })
    )

    it.effect("event 15: stays up while the database is away: alive, not ready, with the reason", () =>
      Effect.gen(function* () {
        const here = yield* world()
        const away = { ...here.env, RTMANAGER_DATABASE_URL: "postgres://nobody@127.0.0.1:1/nowhere" }
        const service = yield* start(["serve"], away)
        assert.include(yield* service.event("service.started"), { due: "unknown" })
        const ready = yield* becomes(service, "/readyz", 503)
        assert.isString(ready.body.reasons["database"])
        assert.strictEqual((yield* get(service, "/healthz")).status, 200)
        yield* service.signal("SIGINT")
        assert.strictEqual((yield* service.ended).code, 0)
      })
    )

    it.effect("event 24: answers at once while the database hangs: alive, and not ready", () =>
      Effect.gen(function* () {
        const here = yield* world()
        const proxy = yield* makePostgresProxy(Redacted.make(here.env.RTMANAGER_DATABASE_URL))
        // As long as an answer would take that asked the database.
        const service = yield* start(["serve"], {
          ...here.env,
          RTMANAGER_DATABASE_URL: Redacted.value(proxy.url),
          RTMANAGER_DATABASE_TIMEOUT: "1m",
          RTMANAGER_GAME_LEASE_TTL: "5m"
        })
        yield* becomes(service, "/readyz", 200)
        proxy.frozen = true
        // On a loaded machine the engine may be late as well, and its reason come first.
        const { status } = yield* get(service, "/readyz").pipe(
          Effect.repeat({
            until: ({ body }) => /no answer/.test(body.reasons?.["database"] ?? ""),
            schedule: Schedule.spaced("50 millis")
          })
        )
        assert.strictEqual(status, 503)
        const [passed, health] = yield* Effect.timed(get(service, "/healthz"))
        assert.strictEqual(health.status, 200)
        assert.isBelow(Duration.toMillis(passed), 20_000)
      })
    )

    it.effect("makes no pass while paused, and says so, and for which engine, where readiness is asked", () =>
      Effect.gen(function* () {
        const here = yield* world()
        yield* game(here, "expired", "exited", { engine: "host-17" })
        const service = yield* start(["serve"], {
          ...here.env,
          RTMANAGER_CLEANUP_MODE: "paused",
          RTMANAGER_ENGINE_NAME: "host-17"
        })
        assert.include((yield* becomes(service, "/readyz", 200)).body, { mode: "paused", engineName: "host-17" })
        yield* service.event("cleanup.pass.refused")
        assert.strictEqual((yield* here.engine.left).length, 1)
        assert.deepStrictEqual(yield* dump(here, "operation_log"), [])
      })
    )

    it.effect("refuses to start where its address is taken, before it touches anything", () =>
      Effect.gen(function* () {
        const here = yield* world()
        yield* game(here, "expired", "exited")
        const first = yield* start(["serve"], { ...here.env, RTMANAGER_CLEANUP_MODE: "paused" })
        const { http } = yield* first.event("service.started")
        const second = yield* start(["serve"], {
          ...here.env,
          RTMANAGER_HTTP_ADDR: String(http).replace("http://", "")
        })
        const { code, log } = yield* second.ended
        assert.strictEqual(code, 2)
        assert.match(String(log.at(-1)?.["text"]), /RTMANAGER_HTTP_ADDR/)
        assert.strictEqual((yield* here.engine.left).length, 1)
      })
    )
  })
})
