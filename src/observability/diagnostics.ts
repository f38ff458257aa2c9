import { DiagLogLevel, diag } from "@opentelemetry/api"
import { Clock, Effect, Layer } from "effect"

const quietMillis = 60_000

/** Node's words for an answer that is not HTTP/1.1. */
const notHttp = /Parse Error|HPE_/
const grpcHint = "this looks like a gRPC port, such as 4317; OTLP/HTTP, which is what is sent, usually listens on 4318"

/**
 * Logs what the OpenTelemetry SDK complains about, as one warning a minute at most: a collector that is away must be noticed
 * but must not fill the log. Uses the loggers below telemetry, so no warning is itself sent to the collector.
 */
export const layer: Layer.Layer<never> = Layer.effectDiscard(
  Effect.gen(function* () {
    const run = Effect.runForkWith(yield* Effect.context<never>())
    const clock = yield* Clock.Clock
    let quietUntil = Number.NEGATIVE_INFINITY
    const warn = (...messages: ReadonlyArray<unknown>) => {
      const now = clock.currentTimeMillisUnsafe()
      if (now < quietUntil) return
      quietUntil = now + quietMillis
      const problem = messages.map(String).join(" ")
      const hints = notHttp.test(problem) ? { hint: grpcHint } : {}
      run(Effect.logWarning("telemetry.problem").pipe(Effect.annotateLogs({ problem, ...hints })))
    }
    const silent = () => {}
    const logger = { error: warn, warn, info: silent, debug: silent, verbose: silent }
    yield* Effect.acquireRelease(
      Effect.sync(() => diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })),
      () => Effect.sync(() => diag.disable())
    )
  })
)
