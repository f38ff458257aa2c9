import { Schema } from "effect"

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
