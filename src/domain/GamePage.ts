import { Schema } from "effect"

export const gameStates = ["due", "held", "backing_off", "stuck", "stopped"] as const

export const GamePage = Schema.Struct({
  games: Schema.Array(Schema.Struct({ gameId: Schema.String }).pipe(Schema.encodeKeys({ gameId: "game_id" }))),
  next: Schema.NullOr(Schema.String)
})
