import { hostname } from "node:os"
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { diag, SpanStatusCode } from "@opentelemetry/api"
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http"
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http"
import { CompressionAlgorithm } from "@opentelemetry/otlp-exporter-base"
import { BatchLogRecordProcessor } from "@opentelemetry/sdk-logs"
import { DataPointType, MeterProvider, MetricReader, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics"
import { BatchSpanProcessor, type ReadableSpan } from "@opentelemetry/sdk-trace-base"
import { ConfigProvider, Duration, Effect, Layer } from "effect"
import { layer as diagnostics } from "./diagnostics.ts"
import { registerAll } from "./Metrics.ts"
import { layer as processGauges } from "./processGauges.ts"

export interface TelemetryOptions {
  /** As `config/OtelSettings.ts` reads it: the endpoint of each signal, and the operator's resource attributes. */
  readonly otel: {
    readonly traces: string | undefined
    readonly metrics: string | undefined
    readonly logs: string | undefined
    readonly serviceName: string | undefined
    readonly resource: Readonly<Record<string, string>>
    readonly metricInterval: Duration.Duration
    readonly compress: Readonly<Record<"traces" | "metrics" | "logs", boolean>>
    readonly spanQueue: number
  }
  readonly serviceVersion: string
  /** One per process, the same as the leases' owner. */
  readonly instanceId: string
}

/** The most characters of an attribute, such as an error's stack. */
const attributeValueLengthLimit = 8192

/** How many log lines may wait for the collector. A pass may write thousands at once, more than the default of 2048. */
const logQueue = 16_384

/** Milliseconds from the exporter's last own try to the next round of tries. */
const offeredAgainAfter = 1000

/** The longest that a timer allows: a batch is dropped when the collector refuses it, not when it is away for long. */
const noTimeout = 2 ** 31 - 1

/**
 * Offers a batch until the collector takes it or refuses it for good. Other batches wait in the processor's bounded queue, so
 * a collector that was away costs only what did not fit in the queue.
 */
class TraceExporter extends OTLPTraceExporter {
  override export(...[spans, done]: Parameters<OTLPTraceExporter["export"]>) {
    super.export(spans, (result) => {
      const { error } = result
      // A numeric code is an HTTP status that the exporter will not retry.
      if (error === undefined || ("code" in error && typeof error.code === "number")) return done(result)
      diag.warn("spans wait for the collector:", error)
      setTimeout(() => this.export(spans, done), offeredAgainAfter).unref()
    })
  }
}

/**
 * Leaves the status of a success unset and names the type of a failure; Effect does neither. A call whose answer was an
 * error (`error.type`) has failed, although that answer was acted on. Drops the text of statements that did not fail, which
 * would be most of a trace. A flush that the collector refuses is only reported: as a rejection it would become a defect and
 * decide the exit code of the process.
 */
class SpanProcessor extends BatchSpanProcessor {
  override onEnd(span: ReadableSpan) {
    const hasType = span.attributes["error.type"] !== undefined
    if (span.status.code !== SpanStatusCode.ERROR) {
      Object.assign(span.status, { code: hasType ? SpanStatusCode.ERROR : SpanStatusCode.UNSET })
    }
    if (span.status.code === SpanStatusCode.ERROR && !hasType) {
      const type = span.events.find(({ name }) => name === "exception")?.attributes?.["exception.type"]
      Object.assign(span.attributes, { "error.type": type ?? "_OTHER" })
    }
    if (span.status.code !== SpanStatusCode.ERROR) Reflect.deleteProperty(span.attributes, "db.query.text")
    super.onEnd(span)
  }

  override forceFlush() {
    return super.forceFlush().catch((cause) => diag.error("spans were not taken:", cause))
  }

  override shutdown() {
    return super.shutdown().catch((cause) => diag.error("spans were not taken:", cause))
  }
}

/** The nanoseconds of OTLP for "not known". */
const unknownTime = [0, 0]

/**
 * The unit has its own field by now; as an attribute it would be one more label on every series. A gauge has no start, and
 * Prometheus would draw a 0 there: it does so for counters and histograms, which do begin at 0.
 */
class MetricExporter extends OTLPMetricExporter {
  override export(...[metrics, done]: Parameters<OTLPMetricExporter["export"]>) {
    for (const { dataPointType, dataPoints } of metrics.scopeMetrics.flatMap((scope) => scope.metrics)) {
      for (const point of dataPoints) {
        Reflect.deleteProperty(point.attributes, "unit")
        if (dataPointType === DataPointType.GAUGE) Object.assign(point, { startTime: unknownTime })
      }
    }
    super.export(metrics, done)
  }
}

/** The operator's resource attributes win over ours. */
const resource = ({ otel, serviceVersion, instanceId }: TelemetryOptions) => ({
  serviceName: otel.serviceName ?? otel.resource["service.name"] ?? "rtmanager.containercleanup",
  attributes: {
    "service.version": serviceVersion,
    "service.instance.id": instanceId,
    "host.name": hostname(),
    ...otel.resource
  }
})

/** What the exporters are told. They read everything else from the environment. */
const sendingTo = (url: string, compress: boolean) => ({
  url,
  ...(compress && { compression: CompressionAlgorithm.GZIP })
})

/** Is asked by the reader that exports, and sends nothing itself. */
class AskedReader extends MetricReader {
  protected override async onForceFlush() {}
  protected override async onShutdown() {}
}

const makeMetrics = (url: string, otel: TelemetryOptions["otel"]) => {
  const exportIntervalMillis = Duration.toMillis(otel.metricInterval)
  const exporter = new MetricExporter(sendingTo(url, otel.compress.metrics))
  const ofSdk = new AskedReader()
  const reader = new PeriodicExportingMetricReader({
    exporter,
    metricProducers: [ofSdk],
    exportIntervalMillis,
    exportTimeoutMillis: Math.min(exportIntervalMillis, 30_000)
  })
  /** Kept apart from the reader's own exports, which it would hold up. */
  const sendNow = () =>
    reader
      .collect()
      .then(({ resourceMetrics }) =>
        exporter.export(resourceMetrics, ({ error }) => error && diag.warn("the first metrics were not taken:", error))
      )
      .catch((cause) => diag.warn("the first metrics were not sent:", cause))
  return { reader, sendNow, counting: { selfObsMeterProvider: new MeterProvider({ readers: [ofSdk] }) } }
}

/** Where a processor counts what it holds and what it gives up; nowhere if no metrics are sent. */
type Counting = Partial<ReturnType<typeof makeMetrics>["counting"]>

const spanProcessor = (url: string, otel: TelemetryOptions["otel"], counting: Counting) =>
  new SpanProcessor(new TraceExporter(sendingTo(url, otel.compress.traces)), {
    maxQueueSize: otel.spanQueue,
    exportTimeoutMillis: noTimeout,
    ...counting
  })

const logProcessor = (url: string, otel: TelemetryOptions["otel"], counting: Counting) =>
  new BatchLogRecordProcessor({
    exporter: new OTLPLogExporter(sendingTo(url, otel.compress.logs)),
    maxQueueSize: logQueue,
    ...counting
  })

/**
 * The SDK with an exporter for each signal that has an endpoint. Samplers, batch times and the exporters' headers,
 * timeouts and certificates are read by the SDK itself, from the variables of its specification.
 */
export const layer = (options: TelemetryOptions): Layer.Layer<never> => {
  const { otel } = options
  const { traces, metrics, logs } = otel
  const ofMetrics = metrics === undefined ? undefined : makeMetrics(metrics, otel)
  const sdk = NodeSdk.layer(() => ({
    resource: resource(options),
    spanProcessor: traces === undefined ? [] : spanProcessor(traces, otel, ofMetrics?.counting ?? {}),
    tracerConfig: { spanLimits: { attributeValueLengthLimit } },
    metricReader: ofMetrics?.reader ?? [],
    logRecordProcessor: logs === undefined ? [] : logProcessor(logs, otel, ofMetrics?.counting ?? {}),
    loggerProviderConfig: { logRecordLimits: { attributeValueLengthLimit } },
    shutdownTimeout: "2 seconds"
  }))
  // Sent at 0 before anything is counted, or `increase()` would take the first counts for where the counters begin.
  const counters = registerAll.pipe(
    Effect.andThen(Effect.sync(() => void ofMetrics?.sendNow())),
    // The values are collected when this fiber goes on. Nothing waits until they are sent.
    Effect.andThen(Effect.yieldNow)
  )
  return Layer.merge(Layer.effectDiscard(counters), metrics === undefined ? Layer.empty : processGauges).pipe(
    Layer.provideMerge(sdk),
    Layer.provide(diagnostics),
    // The resource attributes of the environment are already in `options`, checked.
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: {} })))
  )
}
