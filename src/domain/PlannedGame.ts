import { Schema } from "effect"
import { Micros } from "./Micros.ts"
import { errorCodes } from "./Outcome.ts"

/** What a pass would do now with one game, and why. Its encoding is the JSON that people and programs get. */
export const PlannedGame = Schema.Struct({
  /** `null` for a record that does not decode, and for all games of an engine that no service cleans. */
  gameId: Schema.NullOr(Schema.String),
  /** As the record has it, unchecked. */
  engine: Schema.String,
  containerId: Schema.NullOr(Schema.String),
  /** As the record has it, to the microsecond; `null` if it has none, or one that no `Date` reaches. */
  lastOpAt: Schema.NullOr(Micros),
  action: Schema.Literals(["remove", "mark_removed", "keep"]),
  /** What decides when it goes; `null` if nothing does. */
  rule: Schema.NullOr(Schema.String),
  errorCode: Schema.NullOr(Schema.Literals(errorCodes)),
  /** Failed so often that a person is needed. */
  stuck: Schema.Boolean,
  message: Schema.String
}).pipe(
  Schema.encodeKeys({
    gameId: "game_id",
    containerId: "container_id",
    lastOpAt: "last_op_at",
    errorCode: "error_code"
  })
)
export type PlannedGame = typeof PlannedGame.Type
