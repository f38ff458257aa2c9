import { globSync, readFileSync } from "node:fs"
import { assert } from "@effect/vitest"
import { Schema } from "effect"
import { instruments } from "../../src/observability/Metrics.ts"
import { sdkInstruments } from "../../src/observability/sdkInstruments.ts"
import { readYaml } from "./deployment.ts"
import { groupingsIn, metricsIn } from "./promql.ts"

const Alert = Schema.Struct({
  alert: Schema.String,
  expr: Schema.String,
  labels: Schema.Record(Schema.String, Schema.String),
  annotations: Schema.Struct({ summary: Schema.String, description: Schema.String, runbook_url: Schema.String })
})
const Recorded = Schema.Struct({ record: Schema.String, expr: Schema.String })
const Rules = Schema.Struct({
  groups: Schema.Array(Schema.Struct({ rules: Schema.Array(Schema.Union([Alert, Recorded])) }))
})
const rules = (await readYaml("observability/prometheus/rules.yml", Rules)).groups.flatMap(({ rules }) => rules)

/** Every alert of the rules file. */
export const alerts = rules.flatMap((rule) => ("alert" in rule ? [rule] : []))

/** Every series that its rules make. */
export const recorded = rules.flatMap((rule) => ("record" in rule ? [rule] : []))

/** A metric's labels, each with every value that it can take, where they are a closed set. */
export type Labels = Readonly<Record<string, ReadonlyArray<string> | "any">>

const units: Partial<Record<string, string>> = { s: "_seconds", By: "_bytes", 1: "_ratio" }

/** The service's own, and those of the SDK in it. */
export const allInstruments = [...Object.values(instruments), ...Object.values(sdkInstruments)]

/** The metrics of an instrument as Prometheus names what it gets over OTLP. */
export const namesOf = ({ name, type, unit }: (typeof allInstruments)[number]) => {
  const base = `${name.replaceAll(".", "_")}${units[unit] ?? ""}`
  if (type === "histogram") return ["_bucket", "_count", "_sum"].map((suffix) => base + suffix)
  return [type === "counter" ? `${base}_total` : base]
}

/** Every series comes from somewhere; `le` is what makes one of each bucket. */
const withOwn = (name: string, labels: Labels): readonly [string, Labels] => [
  name,
  { ...labels, ...(name.endsWith("_bucket") && { le: "any" }), job: "any", instance: "any" }
]

const ofService = Object.values(instruments).flatMap((instrument) =>
  namesOf(instrument).map((name) => withOwn(name, { ...instrument.attributes, rtmanager_engine_name: "any" }))
)

const Dimensions = Schema.optionalKey(Schema.Array(Schema.Struct({ name: Schema.String })))
const Collector = Schema.Struct({
  connectors: Schema.Struct({
    span_metrics: Schema.Struct({
      namespace: Schema.optionalKey(Schema.Never),
      histogram: Schema.Struct({ unit: Schema.Literal("s"), dimensions: Dimensions }),
      dimensions: Dimensions,
      calls_dimensions: Dimensions
    })
  }),
  exporters: Schema.Record(Schema.String, Schema.Unknown)
})
const { connectors, exporters } = await readYaml("otel-collector.yaml", Collector)

/** Every name that the code gives to a span, but for the statements'. */
export const spanNames = globSync("src/**/*.ts").flatMap((file) =>
  [...readFileSync(file, "utf8").matchAll(/\bwithSpan\(\s*(?:\w+,\s*)?"([^"]+)"/g)].map(([, name = ""]) => name)
)

const dimensions = (...lists: ReadonlyArray<(typeof Dimensions)["schema"]["Type"] | undefined>): Labels =>
  Object.fromEntries(lists.flatMap((list = []) => list.map(({ name }) => [name.replaceAll(".", "_"), "any"])))

/** The reasons for losses are names of errors, which are not a closed set. */
const ofSdk = Object.values(sdkInstruments).flatMap((instrument) =>
  namesOf(instrument).map((name) =>
    withOwn(name, dimensions(Object.keys(instrument.attributes).map((attribute) => ({ name: attribute }))))
  )
)

const { span_metrics } = connectors
const ofEverySpan: Labels = {
  service_name: "any",
  span_name: spanNames,
  span_kind: ["SPAN_KIND_INTERNAL", "SPAN_KIND_CLIENT"],
  status_code: ["STATUS_CODE_UNSET", "STATUS_CODE_ERROR"],
  ...dimensions(span_metrics.dimensions)
}
/** What the collector makes of spans. */
const ofSpans = [
  withOwn("traces_span_metrics_calls_total", { ...ofEverySpan, ...dimensions(span_metrics.calls_dimensions) }),
  ...["bucket", "count", "sum"].map((part) =>
    withOwn(`traces_span_metrics_duration_seconds_${part}`, {
      ...ofEverySpan,
      ...dimensions(span_metrics.histogram.dimensions)
    })
  )
]

const ofReceivers: Labels = { receiver: ["otlp"], transport: ["http"] }
const ofExporters: Labels = { exporter: Object.keys(exporters) }
/** What a collector 0.161.0 was seen to say of itself; of failures only once there was one. */
const ofCollector = Object.entries<Labels>({
  otelcol_receiver_accepted_spans: ofReceivers,
  otelcol_receiver_accepted_metric_points: ofReceivers,
  otelcol_receiver_refused_spans: ofReceivers,
  otelcol_receiver_refused_metric_points: ofReceivers,
  otelcol_exporter_queue_size: { ...ofExporters, data_type: ["traces", "metrics"] },
  otelcol_exporter_queue_capacity: { ...ofExporters, data_type: ["traces", "metrics"] },
  otelcol_exporter_sent_spans: ofExporters,
  otelcol_exporter_sent_metric_points: ofExporters,
  otelcol_exporter_enqueue_failed_spans: ofExporters,
  otelcol_exporter_enqueue_failed_metric_points: ofExporters,
  otelcol_exporter_send_failed_spans: ofExporters,
  otelcol_exporter_send_failed_metric_points: ofExporters,
  otelcol_process_memory_rss: {}
}).map(([name, labels]) => withOwn(name, labels))

const Scrapes = Schema.Struct({ scrape_configs: Schema.Array(Schema.Struct({ job_name: Schema.String })) })
const { scrape_configs } = await readYaml("observability/prometheus/prometheus.yml", Scrapes)

/** What Prometheus makes itself. */
const ofPrometheus: ReadonlyArray<readonly [string, Labels]> = [
  ["up", { job: scrape_configs.map(({ job_name }) => job_name), instance: "any" }],
  [
    "ALERTS",
    { alertname: alerts.map(({ alert }) => alert), alertstate: ["pending", "firing"], severity: "any", job: "any" }
  ],
  // The resource of whatever sends over OTLP.
  ["target_info", { job: "any", instance: "any", service_version: "any" }],
  ...recorded.map(({ record }) => [record, { job: "any", rtmanager_engine_name: "any" }] as const)
]

/** Every metric that a rule or a panel may ask for. */
const metrics = new Map<string, Labels>([...ofService, ...ofSdk, ...ofSpans, ...ofCollector, ...ofPrometheus])

/** Fails for a metric, a label or a value that nothing makes. */
export const assertKnown = (expr: string) => {
  const asked = metricsIn(expr)
  for (const { metric, labels } of asked) {
    const known = metrics.get(metric)
    assert(known !== undefined, `nothing makes ${metric}`)
    for (const { label, values } of labels) {
      const possible = known[label]
      assert(possible !== undefined, `${metric} has no label ${label}`)
      if (possible !== "any") assert.includeMembers([...possible], [...values], `${metric}{${label}}`)
    }
  }
  for (const label of groupingsIn(expr)) {
    assert(
      asked.some(({ metric }) => label in (metrics.get(metric) ?? {})),
      `no metric here has the label ${label}: ${expr}`
    )
  }
}
