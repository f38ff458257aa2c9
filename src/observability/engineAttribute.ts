import { Layer, Metric, References } from "effect"
import type { EngineName } from "../domain/EngineName.ts"

/** Marks every span, log line and metric with the engine that this service cleans. */
export const layer = ({ engineName }: { readonly engineName: EngineName }) => {
  const attributes = { "rtmanager.engine.name": engineName }
  return Layer.mergeAll(
    Layer.succeed(References.TracerSpanAnnotations, attributes),
    Layer.succeed(References.CurrentLogAnnotations, attributes),
    Layer.succeed(Metric.CurrentMetricAttributes, attributes)
  )
}
