import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schedule } from "effect"
import { defaultEngine } from "../../src/domain/EngineName.ts"
import { instruments } from "../../src/observability/Metrics.ts"
import { describeEngine } from "../support/docker.ts"
import { game, layerEngine, world } from "../support/e2e.ts"
import { makeOtlpSink, type OtlpSink } from "../support/OtlpSink.ts"
import type { Attributes, Span } from "../support/otlp.ts"
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

const ofEngine = (name: string) => ({ "rtmanager.engine.name": name })

/** The latest value of a series, of a service that was not told which engine it cleans. */
const latest = (sink: OtlpSink, metric: string, attributes: Attributes = {}) =>
  sink.valueOf(metric, { ...attributes, ...ofEngine(defaultEngine) })

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
          "rtmanager.cleanup.op_source": "auto_ttl",
          "rtmanager.cleanup.attempt": 1,
          "rtmanager.cleanup.rule": "retention 30d"
        })
        const due = Date.parse(String(expired.attributes["rtmanager.cleanup.due_since"]))
        assert.closeTo(Date.now() - due, 10 * 86_400_000, 120_000)
        assert.closeTo(Number(expired.attributes["rtmanager.cleanup.lag"]), 10 * 86_400, 120)
        const steps = sink.childrenOf(expired)
        assert.deepStrictEqual(names(steps), [
          "rtmanager.cleanup.commit",
          // Of many games, one a second asks for all.
          "rtmanager.cleanup.current_pause",
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
        for (const span of sink.spans.filter(({ attributes }) => "db.system.name" in attributes)) {
          assert.strictEqual(span.kind, client)
          assert.match(span.name, /^rtmanager\.cleanup\.[a-z_]+$/)
          assert.isString(span.attributes["db.operation.name"])
          assert.notProperty(span.attributes, "db.query.text")
        }

        const running = gameSpan(sink, "running")
        assert.strictEqual(running.status, status.error)
        assert.match(running.statusMessage, /running/)
        assert.include(running.attributes, {
          "error.type": "container_running",
          "rtmanager.cleanup.error_code": "container_running"
        })

        const games = (outcome: string, error_code: string) =>
          latest(sink, "rtmanager.cleanup.games", { outcome, error_code, op_source: "auto_ttl" })
        assert.strictEqual(games("removed", "none"), 1)
        assert.strictEqual(games("failed", "container_running"), 1)
        assert.strictEqual(games("failed", "internal_error"), 0)
        assert.strictEqual(latest(sink, "rtmanager.cleanup.in_flight"), 0)
        assert.strictEqual(latest(sink, "rtmanager.cleanup.backlog", { state: "due" }), 0)
        assert.strictEqual(latest(sink, "rtmanager.cleanup.backlog", { state: "backing_off" }), 1)

        const [row] = yield* here.store.log("expired")
        assert.strictEqual(row?.traceId, expired.traceId)
        const line = sink.logs.find(({ body }) => body === "cleanup.game.removed")
        assert.strictEqual(line?.traceId, expired.traceId)
      })
    )

    it.effect("names its engine on every span, log line and metric, also on counters that are still 0", () =>
      Effect.gen(function* () {
        const here = yield* world()
        const sink = yield* makeOtlpSink()
        const engine = "host-17"
        yield* Effect.forEach(["one", "two", "three"], (gameId) => game(here, gameId, "exited", { engine }))
        const service = yield* start(["serve"], {
          ...here.env,
          RTMANAGER_ENGINE_NAME: engine,
          OTEL_EXPORTER_OTLP_ENDPOINT: sink.endpoint
        })
        yield* service.event("cleanup.pass.success")
        yield* service.signal("SIGTERM")
        assert.strictEqual((yield* service.ended).code, 0)
        assert.lengthOf(sink.spansNamed("rtmanager.cleanup.game"), 3)
        for (const { attributes, name } of sink.spans) assert.include(attributes, ofEngine(engine), name)
        for (const { attributes, body } of sink.logs) assert.include(attributes, ofEngine(engine), String(body))
        const own = new Set<string>(Object.values(instruments).map(({ name }) => name))
        const points = sink.points.filter(({ metric }) => own.has(metric))
        assert.isTrue(points.some(({ metric, value }) => metric === "rtmanager.cleanup.games" && value === 0))
        for (const { attributes, metric } of points) assert.include(attributes, ofEngine(engine), metric)
      })
    )

    it.effect("gives statements that several games share a span beside them, with a link to each", () =>
      Effect.gen(function* () {
        const here = yield* world()
        const sink = yield* makeOtlpSink()
        const count = 32
        yield* Effect.forEach(Array.from({ length: count }), (_, i) => game(here, `game-${i}`, "created"), {
          concurrency: 8
        })
        const env = { ...here.env, OTEL_EXPORTER_OTLP_ENDPOINT: sink.endpoint }
        assert.strictEqual((yield* command(["run"], env)).code, 0)
        const pass = one(sink.spansNamed("rtmanager.cleanup.pass"), "pass")
        const games = sink.spansNamed("rtmanager.cleanup.game").map(({ spanId }) => spanId)
        assert.strictEqual(games.length, count)
        const shared = sink.spans.filter(({ links, name }) => links.length > 0 && name !== "rtmanager.cleanup.batch")
        assert.includeMembers(names(shared), ["rtmanager.cleanup.acquire", "rtmanager.cleanup.commit"])
        for (const { attributes, kind, links, parentSpanId } of shared) {
          assert.deepStrictEqual([kind, parentSpanId], [client, pass.spanId])
          assert.strictEqual(attributes["db.operation.batch.size"], links.length)
          assert.includeMembers(
            games,
            links.map(({ spanId }) => spanId)
          )
        }
        const committed = sink
          .spansNamed("rtmanager.cleanup.commit")
          .filter(({ kind }) => kind === client)
          .flatMap(({ links, parentSpanId }) => (links.length > 0 ? links.map(({ spanId }) => spanId) : [parentSpanId]))
        assert.strictEqual(committed.length, count)
        const own = sink.spans.filter(({ parentSpanId }) => parentSpanId !== "" && parentSpanId !== pass.spanId)
        assert.isAtMost((own.length + shared.length) / count + 1, 8, "spans a game")
        const bytes = sink.sizes.filter(({ path }) => path === "/v1/traces").reduce((sum, { bytes }) => sum + bytes, 0)
        assert.isAtMost(bytes / count, 2500, "bytes a game")
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
        assert.strictEqual(latest(sink, "rtmanager.cleanup.pass.refused", { reason: "engine_down" }), 1)
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
        assert.isAbove(Number(latest(sink, "rtmanager.cleanup.pass.last_success")), 1.7e9)
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
        const due = yield* Effect.sync(() => latest(sink, "rtmanager.cleanup.backlog", { state: "due" })).pipe(
          Effect.repeat({ until: (value) => value !== undefined, schedule: Schedule.spaced("50 millis") })
        )
        assert.strictEqual(due, 1)
        assert.closeTo(Number(latest(sink, "rtmanager.cleanup.oldest_due_age", { state: "due" })), 10 * 86_400, 120)
        const modes = ["enforce", "dry_run", "paused"].map((mode) => latest(sink, "rtmanager.cleanup.mode", { mode }))
        assert.deepStrictEqual(modes, [0, 0, 1])
        assert.strictEqual(latest(sink, "rtmanager.cleanup.interval"), 3600)
        assert.strictEqual(latest(sink, "rtmanager.cleanup.retention"), 30 * 86_400)
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
