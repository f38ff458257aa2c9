import { Duration, Schema, SchemaTransformation } from "effect"
import { accepting, integer } from "./codecs.ts"

/** The OpenTelemetry variables that this service reads itself; the SDK and its exporters read the others. */
export interface OtelSettings {
  /** Where each signal goes. A signal without an endpoint is off; so is everything with `OTEL_SDK_DISABLED`. */
  readonly traces: string | undefined
  readonly metrics: string | undefined
  readonly logs: string | undefined
  readonly serviceName: string | undefined
  readonly resource: Readonly<Record<string, string>>
  readonly metricInterval: Duration.Duration
  /** Which signals are sent compressed by us: all but those for which a variable, which the SDK reads itself, says how. */
  readonly compress: Readonly<Record<"traces" | "metrics" | "logs", boolean>>
  /** Most finished spans that wait for the collector; more are dropped. */
  readonly spanQueue: number
  /** Variables whose value cannot be read and is ignored, as the specification requires. */
  readonly ignored: ReadonlyArray<string>
}

const isHttpUrl = (text: string) => /^https?:$/.test(URL.parse(text)?.protocol ?? "")
const Endpoint = Schema.optionalKey(
  Schema.String.check(Schema.makeFilter(isHttpUrl)).pipe(
    accepting("the http:// or https:// URL of an OTLP/HTTP receiver, such as http://localhost:4318")
  )
)

/**
 * Any other protocol is refused, because its telemetry would be lost silently. We send JSON, which every receiver
 * takes.
 */
const Protocol = Schema.optionalKey(
  Schema.Literals(["http/protobuf", "http/json"]).pipe(accepting("http/protobuf or http/json; gRPC is not supported"))
)

/** A value that cannot be read stays text. */
const lenient = <S extends Schema.Top>(schema: S) => Schema.optionalKey(Schema.Union([schema, Schema.String]))

const Exporter = lenient(Schema.Literals(["otlp", "none"]))

const Attributes = Schema.String.pipe(
  Schema.decodeTo(
    Schema.Record(Schema.StringFromUriComponent, Schema.StringFromUriComponent),
    SchemaTransformation.splitKeyValue({ trim: true, keepEmptyValues: true })
  )
)

const hour = 3_600_000

/**
 * A malformed endpoint is refused, because telemetry would be lost silently. Any other malformed value is ignored and
 * named.
 */
export const OtelVariables = Schema.Struct({
  OTEL_SDK_DISABLED: Schema.optionalKey(Schema.String),
  OTEL_EXPORTER_OTLP_ENDPOINT: Endpoint,
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: Endpoint,
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: Endpoint,
  OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: Endpoint,
  OTEL_EXPORTER_OTLP_PROTOCOL: Protocol,
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: Protocol,
  OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: Protocol,
  OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: Protocol,
  OTEL_TRACES_EXPORTER: Exporter,
  OTEL_METRICS_EXPORTER: Exporter,
  OTEL_LOGS_EXPORTER: Exporter,
  OTEL_EXPORTER_OTLP_COMPRESSION: Schema.optionalKey(Schema.String),
  OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: Schema.optionalKey(Schema.String),
  OTEL_EXPORTER_OTLP_METRICS_COMPRESSION: Schema.optionalKey(Schema.String),
  OTEL_EXPORTER_OTLP_LOGS_COMPRESSION: Schema.optionalKey(Schema.String),
  OTEL_SERVICE_NAME: Schema.optionalKey(Schema.String),
  OTEL_RESOURCE_ATTRIBUTES: lenient(Attributes),
  OTEL_METRIC_EXPORT_INTERVAL: lenient(integer(1, 24 * hour)),
  OTEL_BSP_MAX_QUEUE_SIZE: lenient(integer(1, 1_000_000))
})

const isUnknownExporter = (exporter: string | undefined) =>
  exporter !== undefined && exporter !== "otlp" && exporter !== "none"

export const otelSettings = (env: typeof OtelVariables.Type): OtelSettings => {
  const off = env.OTEL_SDK_DISABLED?.toLowerCase() === "true"
  const general = env.OTEL_EXPORTER_OTLP_ENDPOINT?.replace(/\/$/, "")
  const endpoint = (exporter: string | undefined, own: string | undefined, path: string) =>
    off || exporter === "none" ? undefined : (own ?? (general === undefined ? undefined : `${general}/v1/${path}`))
  const isUnset = (own: string | undefined) => (own ?? env.OTEL_EXPORTER_OTLP_COMPRESSION) === undefined
  const attributes = env.OTEL_RESOURCE_ATTRIBUTES
  const interval = env.OTEL_METRIC_EXPORT_INTERVAL
  const queue = env.OTEL_BSP_MAX_QUEUE_SIZE
  return {
    traces: endpoint(env.OTEL_TRACES_EXPORTER, env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, "traces"),
    metrics: endpoint(env.OTEL_METRICS_EXPORTER, env.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT, "metrics"),
    logs: endpoint(env.OTEL_LOGS_EXPORTER, env.OTEL_EXPORTER_OTLP_LOGS_ENDPOINT, "logs"),
    serviceName: env.OTEL_SERVICE_NAME,
    resource: typeof attributes === "object" ? attributes : {},
    metricInterval: Duration.millis(typeof interval === "number" ? interval : 60_000),
    compress: {
      traces: isUnset(env.OTEL_EXPORTER_OTLP_TRACES_COMPRESSION),
      metrics: isUnset(env.OTEL_EXPORTER_OTLP_METRICS_COMPRESSION),
      logs: isUnset(env.OTEL_EXPORTER_OTLP_LOGS_COMPRESSION)
    },
    spanQueue: typeof queue === "number" ? queue : 8192,
    ignored: Object.entries({
      OTEL_RESOURCE_ATTRIBUTES: typeof attributes === "string",
      OTEL_METRIC_EXPORT_INTERVAL: typeof interval === "string",
      OTEL_BSP_MAX_QUEUE_SIZE: typeof queue === "string",
      OTEL_TRACES_EXPORTER: isUnknownExporter(env.OTEL_TRACES_EXPORTER),
      OTEL_METRICS_EXPORTER: isUnknownExporter(env.OTEL_METRICS_EXPORTER),
      OTEL_LOGS_EXPORTER: isUnknownExporter(env.OTEL_LOGS_EXPORTER)
    }).flatMap(([name, isIgnored]) => (isIgnored ? [name] : []))
  }
}
