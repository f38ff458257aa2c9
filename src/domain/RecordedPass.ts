import { Schema } from "effect"
import { passReasons } from "./PassRefused.ts"
import { passResults } from "./PassReport.ts"

/** A row of `cleanup_passes`. Without a result the pass is under way, or its process was killed. */
export const RecordedPass = Schema.Struct({
  id: Schema.String,
  engine: Schema.String,
  trigger: Schema.String,
  /** The process: its `service.instance.id`. */
  owner: Schema.String,
  startedAt: Schema.DateFromString,
  updatedAt: Schema.DateFromString,
  endedAt: Schema.NullOr(Schema.DateFromString),
  result: Schema.NullOr(Schema.Literals(passResults)),
  reason: Schema.NullOr(Schema.Literals(passReasons)),
  message: Schema.NullOr(Schema.String),
  /** How many games it may attempt; `null` if they could not be counted. */
  due: Schema.NullOr(Schema.Int),
  listed: Schema.Int,
  removed: Schema.Int,
  alreadyAbsent: Schema.Int,
  conflict: Schema.Int,
  failed: Schema.Int
}).pipe(
  Schema.encodeKeys({
    startedAt: "started_at",
    updatedAt: "updated_at",
    endedAt: "ended_at",
    alreadyAbsent: "already_absent"
  })
)
export type RecordedPass = typeof RecordedPass.Type
