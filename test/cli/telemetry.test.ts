import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schedule } from "effect"
import { describeEngine } from "../support/docker.ts"
import { game, layerEngine, world } from "../support/e2e.ts"
import { makeOtlpSink, type OtlpSink } from "../support/OtlpSink.ts"
import type { Span } from "../support/otlp.ts"
import { postgresServer } from "../support/postgres.ts"
import { command, start } from "../support/service.ts"

/** OTLP's numbers for a span's kind and status. */
const client = 3
const status = { unset: 0, error: 2 }

const one = (spans: ReadonlyArray<Span>, what: string): Span => {
  assert.strictEqual(spans.length, 1, what)
  return spans[0] as Span
}

const gameSpan = (sink: OtlpSink, gameId: string) =>
  one(
    sink.spansNamed("rtmanager.cleanup.game").filter((span) => span.attributes["rtmanager.game.id"] === gameId),
    gameId
  )

const names = (spans: ReadonlyArray<Span>) => spans.map(({ name }) => name).sort()

describeEngine("the telemetry of a pass", () => {
  it.layer(Layer.merge(postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
    it.effect("is the span tree with its attributes and statuses, the counters, and logs with their trace", () =>
      Effect.gen(function* () {
        const here = yield* world()
        const sink = yield* makeOtlpSink()
        const containerId = yield* game(here, "expired", "exited")
        yield* game(here, "running", "running")
        const { code } = yield* command(["run"], { ...here.env, OTEL_EXPORTER_OTLP_ENDPOINT: sink.endpoint })
        assert.strictEqual(code, 1)

        const pass = one(sink.spansNamed("rtmanager.cleanup.pass"), "pass")
        assert.strictEqual(pass.parentSpanId, "")
        assert.strictEqual(pass.status, status.unset)
        assert.include(pass.attributes, {
          "rtmanager.cleanup.trigger": "manual",
          "rtmanager.cleanup.result": "partial",
          "rtmanager.cleanup.listed": 2,
          "rtmanager.cleanup.games.removed": 1,
          "rtmanager.cleanup.games.failed": 1,
          "rtmanager.cleanup.dry_run": false
        })
        assert.strictEqual(sink.childrenOf(pass).filter(({ name }) => name === "rtmanager.cleanup.list_due").length, 1)

        const expired = gameSpan(sink, "expired")
        assert.strictEqual(expired.parentSpanId, pass.spanId)
        assert.strictEqual(expired.status, status.unset)
        assert.include(expired.attributes, {
          "container.id": containerId,
          "container.image.name": "games/chess:1",
          "rtmanager.cleanup.outcome": "removed",
          "rtmanager.cleanup.op_source": "auto_ttl"
        })
        assert.closeTo(Number(expired.attributes["rtmanager.cleanup.lag"]), 10 * 86_400, 120)
        const steps = sink.childrenOf(expired)
        assert.deepStrictEqual(names(steps), [
          "rtmanager.cleanup.commit",
          "rtmanager.cleanup.inspect",
          "rtmanager.cleanup.lease",
          "rtmanager.cleanup.remove"
        ])
        const remove = one(
          steps.filter(({ name }) => name === "rtmanager.cleanup.remove"),
          "remove"
        )
        assert.strictEqual(remove.kind, client)
        assert.include(remove.attributes, {
          "http.request.method": "DELETE",
          "url.template": "/containers/{id}",
          "http.response.status_code": 204,
          "server.address": here.proxy.socketPath
        })
        const statements = steps
          .filter(({ name }) => /lease|commit/.test(name))
          .flatMap((step) => sink.childrenOf(step))
        assert.deepStrictEqual(names(statements), ["acquire", "commit", "reread"])
        for (const { attributes, name } of statements) {
          assert.include(attributes, { "db.system.name": "postgresql", "db.operation.name": name })
        }

        const running = gameSpan(sink, "running")
        assert.strictEqual(running.status, status.error)
        assert.match(running.statusMessage, /running/)
        assert.include(running.attributes, {
          "error.type": "container_running",
          "rtmanager.cleanup.error_code": "container_running"
        })

        const games = (outcome: string, error_code: string) =>
          sink.valueOf("rtmanager.cleanup.games", { outcome, error_code, op_source: "auto_ttl" })
        assert.strictEqual(games("removed", "none"), 1)
        assert.strictEqual(games("failed", "container_running"), 1)
        assert.strictEqual(games("failed", "internal_error"), 0)
        assert.strictEqual(sink.valueOf("rtmanager.cleanup.in_flight"), 0)
        assert.strictEqual(sink.valueOf("rtmanager.cleanup.backlog", { state: "due" }), 0)
        assert.strictEqual(sink.valueOf("rtmanager.cleanup.backlog", { state: "backing_off" }), 1)

        const [row] = yield* here.store.log("expired")
        assert.strictEqual(row?.traceId, expired.traceId)
        const line = sink.logs.find(({ body }) => body === "cleanup.game.removed")
        assert.strictEqual(line?.traceId, expired.traceId)
      })
    )

    it.effect("calls a pass that could do nothing an error, and says why", () =>
      Effect.gen(function* () {
        const here = yield* world()
        const sink = yield* makeOtlpSink()
        const env = { ...here.env, OTEL_EXPORTER_OTLP_ENDPOINT: sink.endpoint, DOCKER_HOST: "unix:///nowhere.sock" }
        assert.strictEqual((yield* command(["run"], env)).code, 3)
        const pass = one(sink.spansNamed("rtmanager.cleanup.pass"), "pass")
        assert.strictEqual(pass.status, status.error)
        assert.include(pass.attributes, { "error.type": "engine_down", "rtmanager.cleanup.result": "refused" })
        assert.strictEqual(sink.valueOf("rtmanager.cleanup.pass.refused", { reason: "engine_down" }), 1)
      })
    )

    it.effect("is flushed when the service is told to stop", () =>
      Effect.gen(function* () {
        const here = yield* world()
        const sink = yield* makeOtlpSink()
        yield* game(here, "expired", "exited")
        const service = yield* start(["serve"], { ...here.env, OTEL_EXPORTER_OTLP_ENDPOINT: sink.endpoint })
        yield* service.event("cleanup.pass.success")
        yield* service.signal("SIGTERM")
        assert.strictEqual((yield* service.ended).code, 0)
        const roots = sink.spans.filter(({ parentSpanId }) => parentSpanId === "")
        assert.deepStrictEqual(names(roots), ["rtmanager.cleanup.pass"])
        assert.strictEqual(gameSpan(sink, "expired").attributes["rtmanager.cleanup.outcome"], "removed")
        assert.isTrue(sink.logs.some(({ body }) => body === "service.stopped"))
        assert.isAbove(Number(sink.valueOf("rtmanager.cleanup.pass.last_success")), 1.7e9)
      })
    )

    it.effect("event 40: has the gauges of the backlog while the service is paused, without a pass", () =>
      Effect.gen(function* () {
        const here = yield* world()
        const sink = yield* makeOtlpSink()
        yield* game(here, "due", "exited")
        yield* game(here, "recent", "exited", { daysAgo: 1 })
        const service = yield* start(["serve"], {
          ...here.env,
          RTMANAGER_CLEANUP_MODE: "paused",
          OTEL_EXPORTER_OTLP_ENDPOINT: sink.endpoint,
          OTEL_METRIC_EXPORT_INTERVAL: "100"
        })
        const due = yield* Effect.sync(() => sink.valueOf("rtmanager.cleanup.backlog", { state: "due" })).pipe(
          Effect.repeat({ until: (value) => value !== undefined, schedule: Schedule.spaced("50 millis") })
        )
        assert.strictEqual(due, 1)
        assert.closeTo(Number(sink.valueOf("rtmanager.cleanup.oldest_due_age")), 10 * 86_400, 120)
        yield* service.signal("SIGTERM")
        const { log } = yield* service.ended
        assert.deepStrictEqual(
          log.filter(({ event }) => event === "cleanup.backlog.unknown"),
          []
        )
      })
    )

    it.effect("event 23: changes nothing about a pass when there is no collector", () =>
      Effect.gen(function* () {
        const here = yield* world()
        yield* game(here, "expired", "exited")
        const env = { ...here.env, OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" }
        const { code, log } = yield* command(["run"], env)
        assert.strictEqual(code, 0)
        assert.deepStrictEqual(
          (yield* here.store.log("expired")).map(({ outcome }) => outcome),
          ["success"]
        )
        assert.isAtMost(log.filter(({ event }) => event === "telemetry.problem").length, 1)
      })
    )
  })
})
