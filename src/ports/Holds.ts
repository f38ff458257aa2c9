import { Context, type Duration, type Effect } from "effect"
import type { Author } from "../domain/Act.ts"
import type { PlacedHold, SeenHold } from "../domain/Hold.ts"
import type { StoreError } from "./StoreError.ts"

/** When a hold ends: at a time, or so long from now by the database's clock; `null`: when it is released. */
export type HoldEnd = Date | Duration.Duration | null

/** A logged operation that removed a game's container. */
export interface Removal {
  readonly id: bigint
  readonly containerId: string | null
  readonly opSource: string
  /** `null` if the log's time is no time. */
  readonly finishedAt: Date | null
  readonly traceId: string | null
}

/** The holds that people have placed, by the database's clock. A game need not have a record. */
export class Holds extends Context.Service<
  Holds,
  {
    /**
     * Places the author's hold on the game, or replaces its reason and end. From then on no attempt begins on the game; one that
     * has begun may still remove its container. Gives the hold, or `undefined`, and changes nothing, if that end is over.
     */
    readonly place: (hold: {
      readonly gameId: string
      readonly author: Author
      readonly reason: string
      readonly end: HoldEnd
    }) => Effect.Effect<PlacedHold | undefined, StoreError>
    /**
     * Lets holds that have not ended end after the grace, if they would not end sooner: the author's, or everybody's. Gives
     * those that it found, as they are now. With `seen` it ends no others: it gives none, and changes nothing, if another one
     * would have to end.
     */
    readonly release: (
      gameId: string,
      options: {
        readonly author: Author | undefined
        readonly grace: Duration.Duration
        readonly seen?: ReadonlyArray<SeenHold> | undefined
      }
    ) => Effect.Effect<ReadonlyArray<PlacedHold>, StoreError>
    /** Takes this hold back, and puts the author's former one in its place, unless the author has placed another since. */
    readonly withdraw: (placed: PlacedHold, former: PlacedHold | undefined) => Effect.Effect<void, StoreError>
    /** The last removal of a container of the game that is logged. */
    readonly removedBy: (gameId: string) => Effect.Effect<Removal | undefined, StoreError>
    /** Those of the game that have not ended, by author. */
    readonly of: (gameId: string) => Effect.Effect<ReadonlyArray<PlacedHold>, StoreError>
    /** All that have not ended, by game and author, at most `limit` after the hold `after`. */
    readonly list: (page: {
      readonly after: Pick<PlacedHold, "gameId" | "author"> | undefined
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<PlacedHold>, StoreError>
    /** How many have not ended. */
    readonly count: Effect.Effect<number, StoreError>
  }
>()("rtmanager/ports/Holds") {}
