import { Schema } from "effect"
import { Backoff } from "./Backoff.ts"

/**
 * One game's row in `runtime_records`, as far as cleaning needs it. The row belongs to `rtmanager`, so nothing more is
 * assumed than this: `status` may hold words that we do not know, and `containerId` is unchecked text.
 */
export const RuntimeRecord = Schema.Struct({
  gameId: Schema.NonEmptyString,
  status: Schema.String,
  containerId: Schema.NullOr(Schema.String),
  imageRef: Schema.NullOr(Schema.String),
  /** Whole microseconds since 1970. `null` where the column is NULL or infinite: such a record is never due. */
  lastOpAt: Schema.NullOr(Schema.BigInt),
  /** What our own failures on this game ask for; `null` where none has failed since the last success. */
  backoff: Schema.NullOr(Backoff)
})
export type RuntimeRecord = typeof RuntimeRecord.Type
