import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http"
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http"
import { resourceFromAttributes } from "@opentelemetry/resources"
import { Effect } from "effect"

type Done = Parameters<OTLPTraceExporter["export"]>[1]

const exporters = {
  traces: (url: string, done: Done) => new OTLPTraceExporter({ url }).export([], done),
  metrics: (url: string, done: Done) =>
    new OTLPMetricExporter({ url }).export({ resource: resourceFromAttributes({}), scopeMetrics: [] }, done),
  logs: (url: string, done: Done) => new OTLPLogExporter({ url }).export([], done)
}

/** Sends an empty batch in the way of the service's own, with the exporter's headers, certificates and tries. */
export const tryExport = (signal: keyof typeof exporters, url: string): Effect.Effect<void, Error> =>
  Effect.callback((resume) =>
    exporters[signal](url, ({ error }) => resume(error === undefined ? Effect.void : Effect.fail(error)))
  )
