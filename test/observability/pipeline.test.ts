import { assert, describe, it } from "@effect/vitest"
import { Duration, Schema } from "effect"
import { GoDuration } from "../../src/config/GoDuration.ts"
import { byName, compose, named, readYaml, Strings } from "../support/deployment.ts"

const Pipeline = Schema.Struct({ receivers: Strings, processors: Schema.optionalKey(Strings), exporters: Strings })
const Endpoint = Schema.Struct({ endpoint: Schema.String })
const OwnMetrics = Schema.Struct({
  metrics: Schema.Struct({
    readers: Schema.Tuple([
      Schema.Struct({
        pull: Schema.Struct({ exporter: Schema.Struct({ prometheus: Schema.Struct({ port: Schema.Number }) }) })
      })
    ])
  })
})
const Otlp = Schema.Struct({ otlp: Schema.Struct({ protocols: Schema.Struct({ http: Endpoint }) }) })

const Exporter = Schema.Struct({
  endpoint: Schema.String,
  retry_on_failure: Schema.Struct({ max_elapsed_time: GoDuration }),
  sending_queue: Schema.Struct({
    storage: Schema.String,
    num_consumers: Schema.optionalKey(Schema.Number),
    batch: Schema.Struct({ max_size: Schema.Number })
  })
})

const Collector = Schema.Struct({
  extensions: byName(Schema.Struct({ directory: Schema.String })),
  receivers: Otlp,
  processors: byName(Schema.Unknown),
  connectors: byName(Schema.Record(Schema.String, Schema.Unknown)),
  exporters: Schema.Struct({ "otlp_http/jaeger": Exporter, "otlp_http/prometheus": Exporter, debug: Schema.Unknown }),
  service: Schema.Struct({ extensions: Strings, telemetry: OwnMetrics, pipelines: byName(Pipeline) })
})

const Jaeger = Schema.Struct({
  extensions: Schema.Struct({
    jaeger_storage: Schema.Struct({
      backends: Schema.Struct({
        traces: Schema.Struct({
          badger: Schema.Struct({
            ephemeral: Schema.Literal(false),
            directories: byName(Schema.String),
            ttl: Schema.Struct({ spans: GoDuration })
          })
        })
      })
    }),
    jaeger_query: Schema.Struct({ http: Endpoint })
  }),
  receivers: Otlp,
  service: Schema.Struct({ telemetry: OwnMetrics })
})

const Prometheus = Schema.Struct({
  storage: Schema.Struct({ tsdb: Schema.Struct({ out_of_order_time_window: GoDuration }) }),
  scrape_configs: Schema.Array(
    Schema.Struct({
      job_name: Schema.String,
      static_configs: Schema.Tuple([Schema.Struct({ targets: Schema.Tuple([Schema.String]) })])
    })
  )
})

const DataSources = Schema.Struct({
  datasources: Schema.Array(
    Schema.Struct({ type: Schema.String, url: Schema.String, user: Schema.optionalKey(Schema.String) })
  )
})

const collector = await readYaml("otel-collector.yaml", Collector)
const jaeger = await readYaml("observability/jaeger/config.yaml", Jaeger)
const prometheus = await readYaml("observability/prometheus/prometheus.yml", Prometheus)
const { datasources } = await readYaml("observability/grafana/provisioning/datasources/datasources.yaml", DataSources)
const service = named("rtmanager-cleanup")

/** Where a service of the compose file listens, as another one names it. */
const assertServes = (url: string, listens: string) => {
  const { hostname, port } = new URL(url.includes("://") ? url : `tcp://${url}`)
  assert.property(compose.services, hostname)
  assert.strictEqual(listens.split(":").at(-1), port)
}

/** What is kept below this path is in a volume of this name. */
const assertKept = (name: string, path: string, volume = name) => {
  const mounted = named(name)
    .volumes?.find((mount) => mount.startsWith(`${volume}:`))
    ?.split(":")[1]
  assert.isTrue(mounted !== undefined && `${path}/`.startsWith(`${mounted}/`), `${name}: ${path}`)
}

const { "otlp_http/jaeger": toJaeger, "otlp_http/prometheus": toPrometheus } = collector.exporters

describe("otel-collector.yaml", () => {
  it("listens where the service sends", () => {
    assertServes(
      service.environment?.["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? "",
      collector.receivers.otlp.protocols.http.endpoint
    )
  })

  it("takes all three signals, each guarded against running out of memory before anything else", () => {
    const { pipelines } = collector.service
    assert.sameMembers(Object.keys(pipelines), ["traces", "metrics", "logs"])
    for (const [signal, { receivers, processors = [], exporters }] of Object.entries(pipelines)) {
      assert.strictEqual(receivers[0], "otlp", signal)
      assert.strictEqual(processors[0], "memory_limiter", signal)
      for (const processor of processors) assert.property(collector.processors, processor, signal)
      for (const exporter of exporters)
        assert.property({ ...collector.exporters, ...collector.connectors }, exporter, signal)
    }
  })

  it("passes traces to Jaeger, metrics and what it makes of traces to Prometheus", () => {
    const { traces, metrics } = collector.service.pipelines
    assert.deepStrictEqual(traces?.exporters, ["otlp_http/jaeger", "span_metrics"])
    assert.deepStrictEqual(metrics?.receivers, ["otlp", "span_metrics"])
    assert.deepStrictEqual(metrics?.exporters, ["otlp_http/prometheus"])
    assert.strictEqual(new URL(toPrometheus.endpoint).pathname, "/api/v1/otlp")
    assertServes(toJaeger.endpoint, jaeger.receivers.otlp.protocols.http.endpoint)
    assertServes(toPrometheus.endpoint, ":9090")
    assert.include(named("prometheus").command ?? [], "--web.enable-otlp-receiver")
  })

  it("tells services of the same name apart by their namespace in what it makes of traces, but not their processes", () => {
    assert.deepInclude(collector.connectors["span_metrics"], {
      resource_metrics_key_attributes: ["service.namespace", "service.name"]
    })
  })

  it("gives what it makes of traces exemplars, which Prometheus keeps", () => {
    assert.deepInclude(collector.connectors["span_metrics"], { exemplars: { enabled: true } })
    const features = named("prometheus").command?.find((flag) => flag.startsWith("--enable-feature="))
    assert.includeMembers(features?.split("=")[1]?.split(",") ?? [], [
      "exemplar-storage",
      "created-timestamp-zero-ingestion"
    ])
  })

  it("keeps what it cannot pass on in a volume that its user can write to", () => {
    for (const { sending_queue } of [toJaeger, toPrometheus]) {
      assert.include(collector.service.extensions, sending_queue.storage)
      assertKept("otel-collector", collector.extensions[sending_queue.storage]?.directory ?? "")
    }
  })

  it("sends samples to Prometheus in their order, and no later than it takes them", () => {
    assert.strictEqual(toPrometheus.sending_queue.num_consumers, 1)
    assert.isAtMost(
      Duration.toMillis(toPrometheus.retry_on_failure.max_elapsed_time),
      Duration.toMillis(prometheus.storage.tsdb.out_of_order_time_window)
    )
  })
})

describe("what is kept, and who looks at it", () => {
  it("keeps Jaeger's traces, Prometheus' samples and Grafana's own data in volumes", () => {
    const { badger } = jaeger.extensions.jaeger_storage.backends.traces
    for (const directory of Object.values(badger.directories)) assertKept("jaeger", directory)
    const samples = named("prometheus").command?.find((flag) => flag.startsWith("--storage.tsdb.path="))
    assertKept("prometheus", samples?.split("=")[1] ?? "")
    assertKept("grafana", "/var/lib/grafana")
  })

  it("gives the new volumes of the collector and Jaeger to the user that they run as", () => {
    const [, user, ...folders] = named("volume-owner").entrypoint ?? []
    const mounts = named("volume-owner").volumes ?? []
    assert.deepStrictEqual(
      folders,
      mounts.map((mount) => mount.split(":")[1])
    )
    const owners = mounts.map((mount) => mount.split(":")[0] ?? "")
    assert.sameMembers(owners, ["otel-collector", "jaeger"])
    for (const name of owners) {
      assert.strictEqual(named(name).user, user, name)
      assert.deepStrictEqual(Object.keys(named(name).depends_on ?? {}), ["volume-owner"])
    }
  })

  it("scrapes the collector, Jaeger and Prometheus where they tell of themselves", () => {
    const portOf = ({ service }: typeof jaeger | typeof collector) =>
      service.telemetry.metrics.readers[0].pull.exporter.prometheus.port
    assert.deepStrictEqual(
      prometheus.scrape_configs.map(({ job_name, static_configs }) => [job_name, static_configs[0].targets[0]]).sort(),
      [
        ["jaeger", `jaeger:${portOf(jaeger)}`],
        ["otel-collector", `otel-collector:${portOf(collector)}`],
        ["prometheus", "localhost:9090"]
      ]
    )
  })

  it("points Grafana at Prometheus, Jaeger, and the database with a role that reads", () => {
    const sources = new Map(datasources.map((source) => [source.type, source]))
    assertServes(sources.get("prometheus")?.url ?? "", ":9090")
    assertServes(sources.get("jaeger")?.url ?? "", jaeger.extensions.jaeger_query.http.endpoint)
    const audit = sources.get("grafana-postgresql-datasource")
    assertServes(audit?.url ?? "", ":5432")
    assert.strictEqual(audit?.user, "rtmanager_reader")
    assert.isTrue(named("roles").command?.some((option) => option.includes("alter role rtmanager_reader login")))
  })
})
