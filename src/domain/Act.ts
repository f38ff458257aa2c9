import { Schema } from "effect"

/** What a person may ask for that changes what may be removed: the closed set, also the attribute `act` of telemetry. */
export const acts = [
  "hold",
  "release",
  "clean",
  "run",
  "pause",
  "resume",
  "plan_apply",
  "engine_accept",
  "absence_accept",
  "retention_accept"
] as const
export type ActName = (typeof acts)[number]

/**
 * How an act ended. `refused`: by a rule or a guard, and nothing was changed, but for what its pass had done before that. `failed`: something it needs was away or broke, so
 * part of it may have been done; a plan that was not begun with is `refused` then, because it can be applied later. `interrupted`: it was told to stop.
 */
export const actResults = ["done", "refused", "failed", "interrupted"] as const
export type ActResult = (typeof actResults)[number]

/** Who acts: a shell's `user@host`, or the name of a token. */
export const Author = Schema.String.check(Schema.isPattern(/^[\x21-\x7e]{1,100}$/)).pipe(Schema.brand("Author"))
export type Author = typeof Author.Type

/** In characters. */
export const longestReason = 500

/** Why, in a sentence for whoever reads the acts later. */
export const Reason = Schema.String.check(Schema.isPattern(/^(?=.*\S)[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,500}$/u)).pipe(
  Schema.brand("Reason")
)
export type Reason = typeof Reason.Type

/** What every act is asked with. */
export interface Asked {
  readonly author: Author
  readonly reason: Reason
}

/** An act as it is written before it takes effect. */
export interface Act extends Asked {
  readonly act: ActName
  /** The game, engine or plan; `null` if it concerns all. */
  readonly target: string | null
}

/**
 * What a request is known by that may arrive twice: a key that its author never uses for another one, in printable ASCII, and a hash of
 * everything that it asks.
 */
export interface RequestKey {
  readonly key: string
  readonly requestHash: string
}

/** A row of `cleanup_acts`. `result` is `null` while it goes on, and for good if it was killed. */
export const RecordedAct = Schema.Struct({
  id: Schema.BigIntFromString,
  act: Schema.Literals(acts),
  target: Schema.NullOr(Schema.String),
  author: Schema.String,
  reason: Schema.String,
  askedAt: Schema.DateFromString,
  endedAt: Schema.NullOr(Schema.DateFromString),
  result: Schema.NullOr(Schema.Literals(actResults)),
  message: Schema.NullOr(Schema.String)
}).pipe(Schema.encodeKeys({ askedAt: "asked_at", endedAt: "ended_at" }))
export type RecordedAct = typeof RecordedAct.Type
