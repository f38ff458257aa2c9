import { Effect, Layer } from "effect"
import type { TelemetryOptions } from "./sdk.ts"

/**
 * Traces, metrics and logs over OTLP/HTTP, each only if it has an endpoint; without any, the OpenTelemetry SDK is not even
 * loaded. Work never fails because of the collector or waits for it: queues are bounded, and what does not fit is dropped.
 * When the scope closes, the rest is sent for 2 seconds at most. Keeps the loggers of the log layer below it.
 */
export const layer = (options: TelemetryOptions): Layer.Layer<never> => {
  const { traces, metrics, logs } = options.otel
  if (traces === undefined && metrics === undefined && logs === undefined) return Layer.empty
  return Effect.promise(() => import("./sdk.ts")).pipe(
    Effect.map((sdk) => sdk.layer(options)),
    Layer.unwrap
  )
}
