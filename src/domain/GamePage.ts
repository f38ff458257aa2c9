import { Schema } from "effect"
import { blockers, Due } from "./Due.ts"

/**
 * What stopped games are listed by. `due`, `backing_off` and `stuck` have those whose retention is over, and `held` those that a
 * person's hold keeps, whether it is over or not. A game can be in several. The retention is that of the service that is asked, also for
 * the games of other engines.
 */
export const gameStates = ["due", "held", "backing_off", "stuck", "stopped"] as const
export const GameState = Schema.Literals(gameStates)
export type GameState = typeof GameState.Type

/** How many games a page can have. */
export const GamesLimit = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 500 }))

/** A stopped game, with when its container may go, unless another service decides that. */
const ListedGame = Schema.Struct({
  gameId: Schema.String,
  engine: Schema.String,
  /** `null` if it is NULL or infinite, or in a year that a `Date` cannot hold. */
  lastOpAt: Schema.NullOr(Schema.DateFromString),
  dueAt: Due.fields.at,
  rule: Due.fields.rule,
  /** The one of these that lasts longest; `elsewhere`: another service decides; `null`: the game is due. */
  blockedBy: Schema.NullOr(Schema.Literals([...blockers, "elsewhere"])),
  /** Failed ones since its last success. */
  attempts: Schema.Int,
  lastError: Schema.NullOr(Schema.String)
}).pipe(
  Schema.encodeKeys({
    gameId: "game_id",
    lastOpAt: "last_op_at",
    dueAt: "due_at",
    blockedBy: "blocked_by",
    lastError: "last_error"
  })
)
export type ListedGame = typeof ListedGame.Type

/** A page can be short or empty and still have a next one. Its encoding is the JSON that people and programs get. */
export const GamePage = Schema.Struct({
  games: Schema.Array(ListedGame),
  /** The cursor of the next page; `null` after the last one. */
  next: Schema.NullOr(Schema.String)
})
export type GamePage = typeof GamePage.Type
