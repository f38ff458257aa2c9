import { Effect, Layer } from "effect"
import type { TelemetryOptions } from "./sdk.ts"

/**
 * Traces, metrics and logs over OTLP/HTTP, each only where it has an endpoint; the OpenTelemetry SDK is not even loaded
 * where none has. Work never fails or waits for the collector: queues are bounded and what does not fit is dropped.
 * What is left is sent when the scope closes, for 2 seconds at most. Stands on the log layer, whose loggers it keeps.
 */
export const layer = (options: TelemetryOptions): Layer.Layer<never> => {
  const { traces, metrics, logs } = options.otel
  if (traces === undefined && metrics === undefined && logs === undefined) return Layer.empty
  return Effect.promise(() => import("./sdk.ts")).pipe(
    Effect.map((sdk) => sdk.layer(options)),
    Layer.unwrap
  )
}
