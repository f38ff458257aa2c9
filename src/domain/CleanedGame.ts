import { Schema } from "effect"
import { errorCodes, outcomes } from "./Outcome.ts"

/** What became of the one game that a person had cleaned. Its encoding is the JSON that people and programs get. */
export const CleanedGame = Schema.Struct({
  gameId: Schema.String,
  /** `true`: nothing was touched, and the outcome is the one that it would have had. */
  dryRun: Schema.Boolean,
  outcome: Schema.Literals(outcomes),
  errorCode: Schema.NullOr(Schema.Literals(errorCodes)),
  message: Schema.String
}).pipe(Schema.encodeKeys({ gameId: "game_id", dryRun: "dry_run", errorCode: "error_code" }))
export type CleanedGame = typeof CleanedGame.Type
