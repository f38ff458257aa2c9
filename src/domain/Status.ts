import { Schema, Struct } from "effect"
import { Due } from "./Due.ts"
import { engineKeys, ListedEngine } from "./ListedEngine.ts"
import { modes } from "./Mode.ts"
import { Pause } from "./Pause.ts"
import { RecordedPass } from "./RecordedPass.ts"

/** No more than so many are counted. */
export const countLimit = 10_000

/** A count of a large table that ends at `countLimit`. */
export const Count = Schema.Struct({
  count: Schema.Int,
  /** There are more, or could be. */
  more: Schema.Boolean
})
export type Count = typeof Count.Type

/** The stopped games of this service's engine by what they wait for. The counts overlap, as those of `Backlog`. */
const CountedBacklog = Schema.Struct({
  stopped: Count,
  due: Count,
  backingOff: Count,
  /** Those that a person's hold keeps, expired or not: as the games that are listed as held. */
  held: Count,
  /** Expired, but somebody's lease on them has not ended. */
  leased: Count,
  stuck: Count
}).pipe(Schema.encodeKeys({ backingOff: "backing_off" }))
export type CountedBacklog = typeof CountedBacklog.Type

/** A game that is due, or will be, and by which rule. */
const NextGame = Schema.Struct({
  gameId: Schema.String,
  at: Schema.DateFromString,
  rule: Due.fields.rule
}).pipe(Schema.encodeKeys({ gameId: "game_id", at: "due_at" }))
export type NextGame = typeof NextGame.Type

/** An engine that a service has cleaned: as `ListedEngine`, but its games are not counted. */
export const StatusEngine = Schema.Struct({
  ...Struct.omit(ListedEngine.to.fields, ["due", "stopped"]),
  engineId: Schema.String
}).pipe(Schema.encodeKeys(engineKeys))
export type StatusEngine = typeof StatusEngine.Type

export const PassUnderWay = Schema.Struct({
  pass: RecordedPass,
  /** Games that have ended, with whatever outcome. */
  done: Schema.Int,
  /** Games a second, over the whole pass. */
  rate: Schema.Number,
  /** `null` if it cannot be estimated yet. */
  secondsLeft: Schema.NullOr(Schema.Int)
}).pipe(Schema.encodeKeys({ secondsLeft: "seconds_left" }))
export type PassUnderWay = typeof PassUnderWay.Type

/** Where the cleaning stands. Its encoding is the JSON that people and programs get. */
export const Status = Schema.Struct({
  /** By the database's clock. */
  now: Schema.DateFromString,
  /** Of the service that is asked, as the next three. */
  mode: Schema.Literals(modes),
  engine: Schema.String,
  /** Games that ended before it are due. */
  cutoff: Schema.DateFromString,
  backlog: CountedBacklog,
  /** What goes next, at most five: first what is due for longest. */
  next: Schema.Array(NextGame),
  pause: Schema.NullOr(Pause),
  /** When the next pass over this engine begins at the earliest; `null`: one is under way, none was made, or cleaning is paused. */
  nextPassAt: Schema.NullOr(Schema.DateFromString),
  engines: Schema.Array(StatusEngine),
  underWay: Schema.Array(PassUnderWay),
  /** The last five of all engines, newest first. */
  passes: Schema.Array(RecordedPass)
}).pipe(Schema.encodeKeys({ nextPassAt: "next_pass_at", underWay: "under_way" }))
export type Status = typeof Status.Type
