import { assert, describe, it } from "@effect/vitest"
import { Console, Deferred, Duration, Effect, FileSystem, Layer, Metric, Schedule, Schema } from "effect"
import { decode } from "../../src/config/Settings.ts"
import { layer as logging } from "../../src/observability/logging.ts"
import { gamesFor, instruments, lag, lastSuccess } from "../../src/observability/Metrics.ts"
import { sdkInstruments } from "../../src/observability/sdkInstruments.ts"
import { layer } from "../../src/observability/Telemetry.ts"
import { makeOtlpSink, type OtlpSink } from "../support/OtlpSink.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", { message: Schema.String }) {}

const settings = (env: Record<string, string>) =>
  decode({ RTMANAGER_DATABASE_URL: "embedded:none", ...env }).pipe(Effect.provide(FileSystem.layerNoop({})))

/** Runs an effect under telemetry as a process would, then flushes. Returns what was written to stderr. */
const under = <A, E>(self: Effect.Effect<A, E>, env: Record<string, string>) =>
  Effect.gen(function* () {
    const { otel } = yield* settings(env)
    const lines: Array<string> = []
    const console: Console.Console = { ...globalThis.console, error: (line: string) => lines.push(line) }
    const telemetry = layer({ otel, serviceVersion: "1.2.3", instanceId: "instance-1" })
    yield* self.pipe(
      Effect.provide(Layer.provideMerge(telemetry, logging({ level: "Info", format: "json" }))),
      Effect.provideService(Console.Console, console),
      Effect.provideService(Metric.MetricRegistry, new Map()),
      Effect.scoped
    )
    return lines
  })

const exported = Effect.fnUntraced(function* <A, E>(self: Effect.Effect<A, E>, env: Record<string, string> = {}) {
  const sink = yield* makeOtlpSink()
  yield* under(self, { OTEL_EXPORTER_OTLP_ENDPOINT: sink.endpoint, ...env })
  return sink
})

/** Variables that the SDK reads by itself, until the scope closes. */
const withVariables = (variables: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync(() => Object.assign(process.env, variables)),
    () =>
      Effect.sync(() => {
        for (const name of Object.keys(variables)) delete process.env[name]
      })
  )

describe("spans", () => {
  const game = Effect.logInfo("cleanup.removed").pipe(
    Effect.andThen(Effect.void.pipe(Effect.withSpan("remove", { kind: "client" }))),
    Effect.withSpan("game", { attributes: { "rtmanager.game.id": "g-1" } })
  )

  it.effect("arrive as the tree they were, with the status unset on success and no log line as an event", () =>
    Effect.gen(function* () {
      const sink = yield* exported(game.pipe(Effect.withSpan("pass")))
      const [pass] = sink.spansNamed("pass")
      assert.isDefined(pass)
      const [child, ...others] = sink.childrenOf(pass)
      assert.isDefined(child)
      const [remove] = sink.childrenOf(child)
      assert.deepStrictEqual([pass.parentSpanId, child.name, remove?.name, others], ["", "game", "remove", []])
      assert.deepStrictEqual([child.traceId, remove?.traceId], [pass.traceId, pass.traceId])
      assert.deepStrictEqual([child.attributes["rtmanager.game.id"], remove?.kind], ["g-1", 3])
      assert.deepStrictEqual(
        sink.spans.flatMap(({ status, events }) => [status, ...events]),
        [0, 0, 0]
      )
    })
  )

  it.effect("have the status Error, its message and error.type on failure, but keep an error.type that was set", () =>
    Effect.gen(function* () {
      const failing = Effect.fail(new Refused({ message: "no luck" }))
      const sink = yield* exported(
        Effect.all([
          failing.pipe(Effect.withSpan("plain"), Effect.ignore),
          failing.pipe(Effect.withSpan("named", { attributes: { "error.type": "engine_error" } }), Effect.ignore),
          Effect.die("boom").pipe(Effect.withSpan("defect"), Effect.ignoreCause),
          Effect.interrupt.pipe(Effect.withSpan("interrupted"), Effect.ignoreCause)
        ])
      )
      const told = (name: string) =>
        sink.spansNamed(name).map((span) => [span.status, span.statusMessage, span.attributes["error.type"]])
      assert.deepStrictEqual(told("plain"), [[2, "no luck", "Refused"]])
      assert.deepStrictEqual(told("named"), [[2, "no luck", "engine_error"]])
      assert.deepStrictEqual(told("defect"), [[2, "boom", "Error"]])
      assert.deepStrictEqual(told("interrupted"), [[0, "", undefined]])
    })
  )
})

describe("what is sent", () => {
  const statement = (name: string, end: Effect.Effect<void, Refused>) =>
    end.pipe(Effect.withSpan(name, { kind: "client", attributes: { "db.query.text": "select 1" } }), Effect.ignore)

  it.effect("has the text of a statement only if it failed", () =>
    Effect.gen(function* () {
      const sink = yield* exported(
        Effect.all([statement("good", Effect.void), statement("bad", Effect.fail(new Refused({ message: "no luck" })))])
      )
      const texts = sink.spans.map(({ attributes, name }) => [name, attributes["db.query.text"]])
      assert.deepStrictEqual(texts, [
        ["good", undefined],
        ["bad", "select 1"]
      ])
    })
  )

  it.effect.each([
    [{}, true],
    [{ OTEL_EXPORTER_OTLP_COMPRESSION: "none" }, false],
    [{ OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: "none" }, false],
    [{ OTEL_EXPORTER_OTLP_METRICS_COMPRESSION: "none" }, true]
  ] as const)("is compressed unless a variable says otherwise: %j", ([variables, isCompressed]) =>
    Effect.gen(function* () {
      yield* withVariables(variables)
      const sink = yield* exported(Effect.void.pipe(Effect.withSpan("pass")), variables)
      const traces = sink.sizes.filter(({ path }) => path === "/v1/traces")
      assert.deepStrictEqual(
        traces.map((size) => size.isCompressed),
        [isCompressed]
      )
    })
  )
})

const sdkNames = Object.values<{ readonly name: string }>(sdkInstruments).map(({ name }) => name)
/** What the service says, without what the SDK says of itself. */
const own = (sink: OtlpSink) => sink.points.filter(({ metric }) => !sdkNames.includes(metric))

describe("metrics", () => {
  it.effect("are sent at 0 before anything is counted, so that the first counts are an increase", () =>
    Effect.gen(function* () {
      const sink = yield* exported(Metric.update(gamesFor("removed", null, "auto_ttl"), 3))
      const values = sink.points.flatMap(({ metric, attributes, value }) =>
        metric === "rtmanager.cleanup.games" &&
        attributes["outcome"] === "removed" &&
        attributes["op_source"] === "auto_ttl"
          ? [value]
          : []
      )
      assert.deepStrictEqual(values, [0, 3])
    })
  )

  it.effect("have every counter at 0 before anything happened, and nothing that would be a claim", () =>
    Effect.gen(function* () {
      const sink = yield* exported(Effect.void)
      const counters = Object.values(instruments).filter(({ type }) => type.endsWith("counter"))
      assert.sameMembers(
        [...new Set(own(sink).map(({ metric }) => metric))],
        counters.map(({ name }) => name)
      )
      assert.isTrue(own(sink).every(({ value }) => value === 0))
    })
  )

  it.effect("arrive as the table of instruments describes them, the unit not being a label", () =>
    Effect.gen(function* () {
      const sink = yield* exported(
        Effect.all([
          Metric.update(gamesFor("removed", null, "auto_ttl"), 2),
          Metric.update(lag, 3600),
          Metric.update(lastSuccess, 1_700_000_000)
        ])
      )
      const attributes = { outcome: "removed", error_code: "none", op_source: "auto_ttl" }
      assert.strictEqual(sink.valueOf("rtmanager.cleanup.games", attributes), 2)
      assert.strictEqual(sink.valueOf("rtmanager.cleanup.lag"), 3600)
      assert.strictEqual(sink.valueOf("rtmanager.cleanup.pass.last_success"), 1_700_000_000)
      for (const point of own(sink)) {
        const instrument = Object.values(instruments).find(({ name }) => name === point.metric)
        assert.isDefined(instrument)
        assert.deepStrictEqual<ReadonlyArray<string>>(
          [point.type, point.unit, point.description],
          [instrument.type, instrument.unit, instrument.description]
        )
        assert.sameMembers(Object.keys(point.attributes), Object.keys(instrument.attributes))
        // Prometheus draws a 0 at the start of whatever has one.
        assert.strictEqual(point.start > 0, point.type !== "gauge", point.metric)
      }
    })
  )
})

describe("logs", () => {
  it.effect("arrive with the event as the body, fields as attributes and the ids of their span", () =>
    Effect.gen(function* () {
      const sink = yield* exported(
        Effect.logInfo("cleanup.removed").pipe(Effect.annotateLogs({ game_id: "g-1" }), Effect.withSpan("game"))
      )
      const [span] = sink.spansNamed("game")
      const [record] = sink.logs
      assert.deepStrictEqual(
        [record?.body, record?.severity, record?.attributes["game_id"]],
        ["cleanup.removed", "Info", "g-1"]
      )
      assert.deepStrictEqual([record?.traceId, record?.spanId], [span?.traceId, span?.spanId])
    })
  )

  it.effect("are neither lost nor kept from stderr when there are thousands at once", () =>
    Effect.gen(function* () {
      const sink = yield* makeOtlpSink()
      const burst = Effect.forEach(Array.from({ length: 5000 }), () => Effect.logInfo("cleanup.removed"))
      const lines = yield* under(burst, { OTEL_EXPORTER_OTLP_ENDPOINT: sink.endpoint })
      assert.deepStrictEqual([lines.length, sink.logs.length], [5000, 5000])
    })
  )
})

describe("the resource", () => {
  const resourceWith = (env: Record<string, string>) =>
    exported(Effect.void, env).pipe(Effect.map((sink) => sink.points[0]?.resource ?? {}))

  it.effect("says which service, version, process and host this is", () =>
    Effect.gen(function* () {
      const resource = yield* resourceWith({})
      assert.strictEqual(resource["service.name"], "rtmanager.containercleanup")
      assert.strictEqual(resource["service.version"], "1.2.3")
      assert.strictEqual(resource["service.instance.id"], "instance-1")
      assert.isString(resource["host.name"])
    })
  )

  it.effect("is the operator's where the operator says something", () =>
    Effect.gen(function* () {
      const attributes = "service.name=a,service.version=9,host.name=h,team=games"
      const resource = yield* resourceWith({ OTEL_RESOURCE_ATTRIBUTES: attributes })
      assert.deepInclude(resource, { "service.name": "a", "service.version": "9", "host.name": "h", team: "games" })
      const named = yield* resourceWith({ OTEL_RESOURCE_ATTRIBUTES: attributes, OTEL_SERVICE_NAME: "b" })
      assert.deepInclude(named, { "service.name": "b", team: "games" })
    })
  )

  it.effect("keeps what is ours when what the operator says cannot be read", () =>
    Effect.gen(function* () {
      const resource = yield* resourceWith({ OTEL_RESOURCE_ATTRIBUTES: "team=%ZZ" })
      assert.deepInclude(resource, { "service.name": "rtmanager.containercleanup", "service.version": "1.2.3" })
    })
  )
})

/** How many of them were given up, by reason, at last. */
const lost = (sink: OtlpSink, { name }: { readonly name: string }) =>
  Object.fromEntries(
    sink.points.flatMap(({ attributes, metric, value }) =>
      metric === name && attributes["error.type"] !== undefined ? [[attributes["error.type"], value]] : []
    )
  )

const until = (condition: () => boolean) =>
  Effect.repeat(Effect.sync(condition), { until: (met) => met, schedule: Schedule.spaced("5 millis") })

describe("what the SDK says of itself", () => {
  it.effect("arrives as the table has it, and says that nothing was lost if nothing was", () =>
    Effect.gen(function* () {
      const sink = yield* exported(Effect.logInfo("work").pipe(Effect.withSpan("pass")))
      const points = sink.points.filter(({ metric }) => metric.startsWith("otel."))
      for (const point of points) {
        const instrument = Object.values(sdkInstruments).find(({ name }) => name === point.metric)
        assert.isDefined(instrument)
        assert.deepStrictEqual<ReadonlyArray<string>>(
          [point.type, point.unit, point.description],
          [instrument.type, instrument.unit, instrument.description]
        )
        assert.includeMembers(Object.keys(instrument.attributes), Object.keys(point.attributes))
      }
      assert.deepStrictEqual(lost(sink, sdkInstruments.spansProcessed), {})
      assert.deepStrictEqual(lost(sink, sdkInstruments.logsProcessed), {})
    })
  )

  it.effect("event 23: counts the spans that did not fit in the queue", () =>
    Effect.gen(function* () {
      const spans = Effect.forEach([1, 2, 3, 4, 5], () => Effect.void.pipe(Effect.withSpan("game")))
      const sink = yield* exported(spans, { OTEL_BSP_MAX_QUEUE_SIZE: "2" })
      // Two are on their way, two wait.
      assert.deepStrictEqual(lost(sink, sdkInstruments.spansProcessed), { queue_full: 1 })
      assert.lengthOf(sink.spans, 4)
    })
  )

  it.live("event 23: counts what the collector refuses", () =>
    Effect.gen(function* () {
      yield* withVariables({ OTEL_BSP_SCHEDULE_DELAY: "1", OTEL_BLRP_SCHEDULE_DELAY: "1" })
      const sink = yield* makeOtlpSink("refuse")
      yield* under(
        Effect.gen(function* () {
          yield* Effect.logInfo("work").pipe(Effect.withSpan("pass"))
          yield* until(() => ["/v1/traces", "/v1/logs"].every((sent) => sink.sizes.some(({ path }) => path === sent)))
          sink.answer = "accept"
          yield* until(() => Object.keys(lost(sink, sdkInstruments.spansProcessed)).length > 0)
          yield* until(() => Object.keys(lost(sink, sdkInstruments.logsProcessed)).length > 0)
        }),
        { OTEL_EXPORTER_OTLP_ENDPOINT: sink.endpoint, OTEL_METRIC_EXPORT_INTERVAL: "20" }
      )
      assert.deepStrictEqual(lost(sink, sdkInstruments.spansProcessed), { OTLPExporterError: 1 })
      assert.deepStrictEqual(lost(sink, sdkInstruments.logsProcessed), { OTLPExporterError: 1 })
    })
  )
})

describe("telemetry", () => {
  const work = Effect.logInfo("work").pipe(Effect.withSpan("pass"))

  it.effect("sends only the signals that have an endpoint", () =>
    Effect.gen(function* () {
      const sink = yield* makeOtlpSink()
      yield* under(work, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${sink.endpoint}/in` })
      assert.deepStrictEqual([sink.paths, sink.spans.length], [["/in"], 1])
    })
  )

  it.effect("sends nothing without an endpoint, or with OTEL_SDK_DISABLED", () =>
    Effect.gen(function* () {
      const sink = yield* makeOtlpSink()
      yield* under(work, {})
      yield* under(work, { OTEL_EXPORTER_OTLP_ENDPOINT: sink.endpoint, OTEL_SDK_DISABLED: "true" })
      assert.deepStrictEqual(sink.paths, [])
    })
  )

  it.effect("event 23: tells a collector that refuses everything as one warning, on stderr only", () =>
    Effect.gen(function* () {
      const sink = yield* makeOtlpSink("refuse")
      const lines = yield* under(work, { OTEL_EXPORTER_OTLP_ENDPOINT: sink.endpoint })
      assert.strictEqual(lines.filter((line) => line.includes("telemetry.problem")).length, 1)
      assert.sameMembers([...new Set(sink.paths)], ["/v1/traces", "/v1/metrics", "/v1/logs"])
    })
  )

  it.live("event 23: brings the spans of the time that the collector was away, each once, as soon as it is back", () =>
    Effect.gen(function* () {
      // With less than a second left the exporter does not try again by itself. A batch is five seconds in the making.
      yield* withVariables({ OTEL_EXPORTER_OTLP_TIMEOUT: "700", OTEL_BSP_SCHEDULE_DELAY: "1" })
      const sink = yield* makeOtlpSink("away")
      const lines = yield* under(
        Effect.gen(function* () {
          yield* Effect.void.pipe(Effect.withSpan("first"))
          yield* until(() => sink.paths.length === 1)
          yield* Effect.void.pipe(Effect.withSpan("second"))
          yield* until(() => sink.paths.length === 2)
          sink.answer = "accept"
          yield* until(() => sink.spans.length === 2)
        }),
        { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: sink.endpoint }
      )
      assert.deepStrictEqual(
        sink.spans.map(({ name }) => name),
        ["first", "second"]
      )
      assert.strictEqual(lines.filter((line) => line.includes("telemetry.problem")).length, 1)
    })
  )

  it.live("neither fails nor holds up work, and ends soon, when the collector is away or hangs", () =>
    Effect.gen(function* () {
      // As long as it would take if nothing else bounded it.
      yield* withVariables({ OTEL_EXPORTER_OTLP_TIMEOUT: "60000" })
      const hanging = yield* makeOtlpSink("hang")
      const runs = ["http://127.0.0.1:1", hanging.endpoint].map(
        Effect.fnUntraced(function* (endpoint) {
          const worked = yield* Deferred.make<Duration.Duration>()
          const timed = Effect.timed(work).pipe(Effect.flatMap(([took]) => Deferred.succeed(worked, took)))
          const [all, lines] = yield* Effect.timed(under(timed, { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }))
          assert.isBelow(Duration.toMillis(yield* Deferred.await(worked)), 20_000)
          assert.isBelow(Duration.toMillis(all), 20_000)
          assert.isAtMost(lines.filter((line) => line.includes("telemetry.problem")).length, 1)
        })
      )
      yield* Effect.all(runs, { concurrency: "unbounded" })
    })
  )
})
