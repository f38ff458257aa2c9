import { Schema } from "effect"
import { printable } from "./printable.ts"
import { isoTime } from "./time.ts"

/** A person's word that a game's container stays: nothing removes it until then, or until the hold is released. */
export const Hold = Schema.Struct({
  author: Schema.String,
  reason: Schema.String,
  /** `null`: until it is released. */
  until: Schema.NullOr(Schema.DateFromString)
})
export type Hold = typeof Hold.Type

/** A row of `cleanup_holds`: one a game and author. Its encoding is the JSON that people and programs get. */
export const PlacedHold = Schema.Struct({
  gameId: Schema.String,
  ...Hold.fields,
  placedAt: Schema.DateFromString
}).pipe(Schema.encodeKeys({ gameId: "game_id", placedAt: "placed_at" }))
export type PlacedHold = typeof PlacedHold.Type

const isText = (text: string) => (text.isWellFormed() && !text.includes("\0")) || "Expected a text without NUL"

/** A hold of a game as somebody has seen it: one that is placed anew is another one. */
export const SeenHold = Schema.Struct({
  author: Schema.String.check(Schema.makeFilter(isText)),
  placedAt: PlacedHold.to.fields.placedAt
}).pipe(Schema.encodeKeys({ placedAt: "placed_at" }))
export type SeenHold = typeof SeenHold.Type

/** When the hold ends, as text for people. */
export const holdEnd = ({ until }: Pick<Hold, "until">): string => (until === null ? "released" : isoTime(until))

/** Who keeps the game, until when and why, as text for people. */
export const heldBy = (hold: Hold): string =>
  `held by ${printable(hold.author)} until ${holdEnd(hold)}: "${printable(hold.reason)}"`
