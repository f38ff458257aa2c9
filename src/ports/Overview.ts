import { Context, type Effect } from "effect"
import type { Moment } from "../domain/Expiry.ts"
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
    /** By name. */
    readonly engines: Effect.Effect<ReadonlyArray<StatusEngine>, StoreError>
  }
>()("rtmanager/ports/Overview") {}
