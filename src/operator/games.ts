import { Clock, type Duration, Effect, Schema } from "effect"
import { elsewhere, whenDue, whoDecides } from "../domain/Due.ts"
import { isDue, type Moment, momentOf } from "../domain/Expiry.ts"
import { GameCursor } from "../domain/GameCursor.ts"
import type { GamePage, GameState, ListedGame } from "../domain/GamePage.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { Overview, type StoppedGame } from "../ports/Overview.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import { passError } from "../ports/StoreError.ts"

/** No page of this list has given the cursor. */
export class CursorRefused extends Schema.TaggedError<CursorRefused>()("CursorRefused", {}) {
  override get message() {
    return "the cursor is none that a page of this list has given"
  }
}

export interface GamesRequest {
  readonly state: GameState
  /** One engine's games; of all without it. */
  readonly engine: string | undefined
  /** The `next` of the page before. */
  readonly cursor: string | undefined
  /** At most 500. */
  readonly limit: number
  readonly retention: Duration.Duration
}

const decode = Schema.decodeUnknownEffect(GameCursor)
const encode = Schema.encodeSync(GameCursor)

const placeOf = ({ cursor, state }: GamesRequest) =>
  cursor === undefined
    ? Effect.succeed(undefined)
    : decode(cursor).pipe(
        Effect.filterOrFail((place) => place.state === state),
        Effect.mapError(() => new CursorRefused())
      )

type WhenDue = Pick<ListedGame, "dueAt" | "rule" | "blockedBy">

const holdsOf = ({ hold }: StoppedGame) => (hold === null ? [] : [hold])

const ownDue = (game: StoppedGame, moment: Moment, retention: Duration.Duration): WhenDue => {
  const holds = holdsOf(game)
  const { at, rule } = whenDue(game, holds, retention)
  return { dueAt: at, rule, blockedBy: isDue(game, moment) ? null : whoDecides(game, holds, retention) }
}

const dueElsewhere = (game: StoppedGame): WhenDue => {
  const { by, due } = elsewhere(game.engine, holdsOf(game))
  return { dueAt: due.at, rule: due.rule, blockedBy: by }
}

const listed = (game: StoppedGame, due: WhenDue): ListedGame => {
  const { backoff, engine, gameId, lastOpAt } = game
  const ended = new Date(Number(lastOpAt) / 1000)
  return {
    gameId,
    engine,
    lastOpAt: lastOpAt === null || Number.isNaN(ended.getTime()) ? null : ended,
    ...due,
    attempts: backoff?.attempts ?? 0,
    lastError: backoff?.lastError ?? null
  }
}

/**
 * One page of the games in a state: two statements, whose cost is the same however many games there are. Fails with
 * `CursorRefused` if the cursor is no other page's of this list.
 */
export const games = Effect.fnUntraced(function* (request: GamesRequest) {
  const { engine, limit, retention, state } = request
  const after = yield* placeOf(request)
  const database = yield* Effect.mapError((yield* RuntimeRecords).clock, passError)
  const moment = momentOf({ service: yield* Clock.currentTimeMillis, database }, retention)
  const { name } = yield* KnownEngine
  const page = yield* (yield* Overview).games({ state, engine, after, limit, moment })
  if (page === undefined) return yield* new CursorRefused()
  return {
    games: page.games.map((game) =>
      listed(game, game.engine === name ? ownDue(game, moment, retention) : dueElsewhere(game))
    ),
    next: page.next === undefined ? null : encode(page.next)
  } satisfies GamePage
})
