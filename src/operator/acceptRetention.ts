import { Duration, Effect, Schema } from "effect"
import { GoDuration } from "../config/GoDuration.ts"
import type { Asked } from "../domain/Act.ts"
import { EngineName } from "../domain/EngineName.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { passError } from "../ports/StoreError.ts"
import { ActRefused, perform } from "./act.ts"

/** The retention that passes may use from now on. Its encoding is the JSON that people and programs get. */
export const AcceptedRetention = Schema.Struct({
  engine: EngineName,
  retention: GoDuration,
  /** The one that the last pass used or a person accepted; `null` if none was stored. */
  before: Schema.NullOr(GoDuration)
})
export type AcceptedRetention = typeof AcceptedRetention.Type

/** Lets passes over this service's engine use the present retention, however many games it makes due. */
export const acceptRetention = Effect.fnUntraced(function* ({
  author,
  reason,
  retention
}: Asked & { readonly retention: Duration.Duration }) {
  const known = yield* KnownEngine
  return yield* perform(
    { act: "retention_accept", target: known.name, author, reason },
    Effect.gen(function* () {
      const stored = yield* Effect.mapError(known.setRetention(retention), passError)
      if (stored === undefined) {
        return yield* new ActRefused({
          message: `no pass has seen an engine ${known.name} yet, so there is no retention that the present one could be too short for`
        })
      }
      const value: AcceptedRetention = { engine: known.name, retention, before: stored.before ?? null }
      const was = value.before === null ? "none was stored before" : `it was ${Duration.format(value.before)} before`
      return {
        value,
        message: `accepted a retention of ${Duration.format(retention)} for engine ${known.name}: ${was}`
      }
    })
  )
})
