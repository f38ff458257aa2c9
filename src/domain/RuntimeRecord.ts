import { Schema } from "effect"
import { Backoff } from "./Backoff.ts"
import { Hold } from "./Hold.ts"

/**
 * The part of one game's row in `runtime_records` that cleaning needs. The row belongs to `rtmanager`, so little is assumed:
 * `status` may hold words that we do not know, and `containerId` is unchecked text.
 */
export const RuntimeRecord = Schema.Struct({
  gameId: Schema.NonEmptyString,
  /** The name of the engine that the game's container is on, unchecked too. */
  engine: Schema.String,
  status: Schema.String,
  containerId: Schema.NullOr(Schema.String),
  imageRef: Schema.NullOr(Schema.String),
  /** Whole microseconds since 1970. `null` if the column is NULL or infinite: such a record is never due. */
  lastOpAt: Schema.NullOr(Schema.BigInt),
  /** `null` if no attempt has failed since the last success. */
  backoff: Schema.NullOr(Backoff),
  /** Of the holds that had not ended when the record was read, the one that ends last; `null` if there is none. */
  hold: Schema.NullOr(Hold)
})
export type RuntimeRecord = typeof RuntimeRecord.Type
