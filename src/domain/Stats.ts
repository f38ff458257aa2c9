import { Schema } from "effect"

/** How many hours back the passes are kept. */
export const StatsHours = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 90 * 24 }))

/** What the passes came to that ended in one hour of UTC, or were last heard of in it. */
export const Hour = Schema.Struct({
  /** Its beginning. */
  at: Schema.DateFromString,
  passes: Schema.Int,
  removed: Schema.Int,
  alreadyAbsent: Schema.Int,
  conflict: Schema.Int,
  failed: Schema.Int,
  /** The longest that a game removed by one of them was late: seconds from due to removed; `null` if there was none. */
  lagMax: Schema.NullOr(Schema.Finite)
}).pipe(Schema.encodeKeys({ alreadyAbsent: "already_absent", lagMax: "lag_max_seconds" }))
export type Hour = typeof Hour.Type

/** Oldest first, the present hour last, none left out. Its encoding is the JSON that people and programs get. */
export const Stats = Schema.Struct({ hours: Schema.Array(Hour) })
export type Stats = typeof Stats.Type
