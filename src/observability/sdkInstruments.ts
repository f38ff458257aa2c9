import type { Instrument } from "./Metrics.ts"

const ofProcessor = (type: string) => ({ "otel.component.type": [type], "otel.component.name": [`${type}/0`] })
const ofSpans = ofProcessor("batching_span_processor")
const ofLogs = ofProcessor("batching_log_processor")
/** Of what is given up; what was taken has no `error.type`. */
const givenUp = { "error.type": ["queue_full", "OTLPExporterError", "Error"] }

/** What OpenTelemetry's SDK counts of its own queues, which `sdk.ts` asks it to. It makes these itself, as its convention says. */
export const sdkInstruments = {
  spansProcessed: {
    name: "otel.sdk.processor.span.processed",
    type: "counter",
    unit: "{span}",
    description: "The number of spans for which the processing has finished, either successful or failed.",
    attributes: { ...ofSpans, ...givenUp }
  },
  spanQueueSize: {
    name: "otel.sdk.processor.span.queue.size",
    type: "up_down_counter",
    unit: "{span}",
    description: "The number of spans in the queue of a given instance of an SDK span processor.",
    attributes: ofSpans
  },
  spanQueueCapacity: {
    name: "otel.sdk.processor.span.queue.capacity",
    type: "up_down_counter",
    unit: "{span}",
    description: "The maximum number of spans the queue of a given instance of an SDK span processor can hold.",
    attributes: ofSpans
  },
  logsProcessed: {
    name: "otel.sdk.processor.log.processed",
    type: "counter",
    unit: "{log_record}",
    description: "The number of log records for which the processing has finished, either successful or failed.",
    attributes: { ...ofLogs, ...givenUp }
  },
  logQueueSize: {
    name: "otel.sdk.processor.log.queue.size",
    type: "up_down_counter",
    unit: "{log_record}",
    description: "The number of log records in the queue of a given instance of an SDK log processor.",
    attributes: ofLogs
  },
  logQueueCapacity: {
    name: "otel.sdk.processor.log.queue.capacity",
    type: "up_down_counter",
    unit: "{log_record}",
    description: "The maximum number of log records the queue of a given instance of an SDK log processor can hold.",
    attributes: ofLogs
  }
} satisfies Record<string, Instrument>
