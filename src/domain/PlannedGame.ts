import { Schema } from "effect"
import { errorCodes } from "./Outcome.ts"

/** What a pass would do now with one stopped game, and why. Its encoding is the JSON that people and programs get. */
export const PlannedGame = Schema.Struct({
  /** Of a record that does not decode: a text that names the row. */
  gameId: Schema.String,
  containerId: Schema.NullOr(Schema.String),
  action: Schema.Literals(["remove", "mark_removed", "keep"]),
  errorCode: Schema.NullOr(Schema.Literals(errorCodes)),
  /** Failed so often that a person is needed. */
  stuck: Schema.Boolean,
  message: Schema.String
}).pipe(Schema.encodeKeys({ gameId: "game_id", containerId: "container_id", errorCode: "error_code" }))
export type PlannedGame = typeof PlannedGame.Type
