import { Schema } from "effect"
import type { EndedAttempt } from "./Outcome.ts"

/**
 * Why a game that a person asked for was not done: the closed set. `gone`: it has no record any more, or its record is `removed`.
 * `not_attempted`: the pass ended, or had attempted as many as it may, before its turn.
 */
export const whyNotDone = [
  "gone",
  "held",
  "changed",
  "no_longer_due",
  "conflict",
  "failed",
  "interrupted",
  "not_attempted"
] as const

/** Its encoding is the JSON that people and programs get. */
export const NotDone = Schema.Struct({
  gameId: Schema.String,
  why: Schema.Literals(whyNotDone),
  message: Schema.String
}).pipe(Schema.encodeKeys({ gameId: "game_id" }))
export type NotDone = typeof NotDone.Type

/** How the attempt on a game ended. */
export type AttemptEnd = Pick<EndedAttempt, "gameId" | "outcome" | "errorCode" | "message">

/** What a pass tells of a game: how its attempt ended, or why there was none. */
export type GameEnd = AttemptEnd | NotDone

const whyOf = ({ errorCode, outcome }: AttemptEnd): NotDone["why"] | undefined => {
  if (outcome === "removed" || outcome === "already_absent") return undefined
  if (outcome === "replay_no_op") return "gone"
  if (errorCode === "held") return "held"
  return errorCode === "record_moved" ? "changed" : outcome
}

/** Why it was not done, if it was not. */
export const notDoneOf = (end: GameEnd): NotDone | undefined => {
  if ("why" in end) return end
  const why = whyOf(end)
  return why && { gameId: end.gameId, why, message: end.message }
}
