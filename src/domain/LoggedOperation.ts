import { Schema } from "effect"

/**
 * What became of one attempt on a game: a row of `operation_log`. An adopted log can hold anything, so every text is as it stands
 * there, unchecked. Its encoding is the JSON that people and programs get.
 */
export const LoggedOperation = Schema.Struct({
  id: Schema.BigIntFromString,
  gameId: Schema.NullOr(Schema.String),
  /** Ours are `success` and `failure`. */
  outcome: Schema.NullOr(Schema.String),
  opSource: Schema.NullOr(Schema.String),
  sourceRef: Schema.NullOr(Schema.String),
  containerId: Schema.NullOr(Schema.String),
  imageRef: Schema.NullOr(Schema.String),
  errorCode: Schema.NullOr(Schema.String),
  message: Schema.NullOr(Schema.String),
  traceId: Schema.NullOr(Schema.String),
  /** `null` also if it is infinite or beyond what a `Date` can hold. */
  startedAt: Schema.NullOr(Schema.DateFromString),
  finishedAt: Schema.NullOr(Schema.DateFromString)
}).pipe(
  Schema.encodeKeys({
    gameId: "game_id",
    opSource: "op_source",
    sourceRef: "source_ref",
    containerId: "container_id",
    imageRef: "image_ref",
    errorCode: "error_code",
    traceId: "trace_id",
    startedAt: "started_at",
    finishedAt: "finished_at"
  })
)
export type LoggedOperation = typeof LoggedOperation.Type

/** The outcomes that can be asked for: those that this service writes. */
export const loggedOutcomes = ["success", "failure"] as const
export type LoggedOutcome = (typeof loggedOutcomes)[number]
