import { Context, type Effect } from "effect"
import type { Moment } from "../domain/Expiry.ts"
import type { GamePlace } from "../domain/GameCursor.ts"
import type { GameState } from "../domain/GamePage.ts"
import type { LeaseOn } from "../domain/GameStory.ts"
import type { Hold } from "../domain/Hold.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"
import type { CountedBacklog, StatusEngine } from "../domain/Status.ts"
import type { StoreError } from "./StoreError.ts"

/** What the database has about one game, whatever its engine and status. */
export interface FoundGame {
  /** `undefined` if there is none, or if it does not decode. */
  readonly record: RuntimeRecord | undefined
  /** What is wrong with a record that does not decode. */
  readonly problem: string | undefined
  /** The last one, whether it has ended or not. */
  readonly lease: LeaseOn | undefined
}

/** What decides when a stopped game with a time goes. */
export interface Waiting {
  readonly gameId: string
  /** Microseconds since 1970. */
  readonly lastOpAt: bigint
  /** Unix milliseconds. */
  readonly nextAttemptAt: number | null
  /** The one that lasts longest, if any has not ended. */
  readonly hold: Hold | null
}

/** A game as a page has it. A record that does not decode is here too, with what it has. */
export type StoppedGame = Pick<RuntimeRecord, "gameId" | "engine" | "status" | "lastOpAt" | "backoff" | "hold">

export interface GamesQuery {
  readonly state: GameState
  /** One engine's games; of all without it. */
  readonly engine: string | undefined
  readonly after: GamePlace | undefined
  /** At most 500. */
  readonly limit: number
  readonly moment: Moment
}

/** The questions of people who look. What an answer costs is bounded, however large the tables are. */
export class Overview extends Context.Service<
  Overview,
  {
    readonly game: (gameId: string) => Effect.Effect<FoundGame, StoreError>
    /**
     * The backlog of this service's engine, and what goes next: the first by when retention, backoff and hold are over, at
     * most `next` games. Where thousands of games that wait for something else come first, there can be fewer.
     */
    readonly backlog: (
      moment: Moment,
      options: { readonly next: number }
    ) => Effect.Effect<{ readonly counts: CountedBacklog; readonly next: ReadonlyArray<Waiting> }, StoreError>
    /**
     * The games in a state, at most `limit` after the place: `due` and `stopped` by engine, time and id, the others by id. A page
     * looks at 500 rows at most, so it can be short or empty and still have a `next`. `undefined`: the place has bytes that are no
     * text in this database, so no page has given it.
     */
    readonly games: (query: GamesQuery) => Effect.Effect<
      | {
          readonly games: ReadonlyArray<StoppedGame>
          /** Absent after the last page. */
          readonly next: GamePlace | undefined
        }
      | undefined,
      StoreError
    >
    /** By name. */
    readonly engines: Effect.Effect<ReadonlyArray<StatusEngine>, StoreError>
  }
>()("rtmanager/ports/Overview") {}
