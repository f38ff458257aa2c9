import { Effect, Metric } from "effect"
import type { Act, ActResult } from "../domain/Act.ts"
import { printable } from "../domain/printable.ts"
import * as Metrics from "./Metrics.ts"

export const actSpan = ({ act, author, target }: Act) =>
  Effect.withSpan("rtmanager.cleanup.act", {
    attributes: {
      "rtmanager.cleanup.act": act,
      "rtmanager.cleanup.author": author,
      ...(target !== null && { "rtmanager.cleanup.target": printable(target) })
    }
  })

/** Once for each act, inside `actSpan`, when it has ended: the span's result, one log line and the counter. */
export const actEnded = Effect.fnUntraced(function* (
  { act, author, reason, target }: Act,
  { message, result }: { readonly result: ActResult; readonly message: string }
) {
  yield* Effect.annotateCurrentSpan({ "rtmanager.cleanup.result": result })
  yield* Effect.logInfo(`act.${result}`).pipe(
    Effect.annotateLogs({ act, author, reason, ...(target !== null && { target: printable(target) }), message })
  )
  yield* Metric.update(Metrics.actsFor(act, result), 1)
})
