import { Duration, Schema } from "effect"

/**
 * A row of `cleanup_passes`. Without a result the pass is under way, or its process was killed. Other versions write rows too,
 * so no closed set holds. Its encoding is the JSON that people and programs get.
 */
export const RecordedPass = Schema.Struct({
  id: Schema.String,
  engine: Schema.String,
  trigger: Schema.String,
  /** The process: its `service.instance.id`. */
  owner: Schema.String,
  startedAt: Schema.DateFromString,
  updatedAt: Schema.DateFromString,
  endedAt: Schema.NullOr(Schema.DateFromString),
  result: Schema.NullOr(Schema.String),
  reason: Schema.NullOr(Schema.String),
  message: Schema.NullOr(Schema.String),
  /** How many games it may attempt; `null` if they could not be counted. */
  due: Schema.NullOr(Schema.Int),
  listed: Schema.Int,
  removed: Schema.Int,
  alreadyAbsent: Schema.Int,
  conflict: Schema.Int,
  failed: Schema.Int,
  /** As in its report; earlier versions did not keep it. */
  lagMax: Schema.NullOr(Schema.Finite)
}).pipe(
  Schema.encodeKeys({
    startedAt: "started_at",
    updatedAt: "updated_at",
    endedAt: "ended_at",
    alreadyAbsent: "already_absent",
    lagMax: "lag_max_seconds"
  })
)
export type RecordedPass = typeof RecordedPass.Type

/** The row of a pass under way is brought up to date far more often: one that is older is of a process that is gone. */
const silence = Duration.toMillis("60 seconds")

/** `now`: Unix milliseconds by the database's clock. */
export const isUnderWay = ({ endedAt, updatedAt }: RecordedPass, now: number): boolean =>
  endedAt === null && now - updatedAt.getTime() < silence
