import { Context, type Effect } from "effect"
import type { Backlog } from "../domain/Backlog.ts"
import type { ContainerId } from "../domain/ContainerId.ts"
import type { Moment } from "../domain/Expiry.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"
import type { StoreError } from "./StoreError.ts"

/**
 * The place after a row in the order (`last_op_at`, `game_id`), exact to the microsecond. Only a store interprets its
 * id.
 */
export interface Cursor {
  readonly lastOpAt: bigint | null
  readonly gameId: string
}

export interface Page {
  readonly records: ReadonlyArray<RuntimeRecord>
  /** Rows that did not decode, each as a short printable text that names the row and what is wrong with it. */
  readonly undecodable: ReadonlyArray<string>
  /** Where the next page starts; absent after the last one. */
  readonly next: Cursor | undefined
}

/** The records of some games. A game that is neither here nor undecodable has none. */
export type FoundRecords = Pick<Page, "records" | "undecodable">

/** Containers that should be on the engine, unless somebody has removed them. */
export interface Witnesses {
  /** Containers of games that are not due: up to five that run, and up to five that stopped last. */
  readonly others: ReadonlyArray<ContainerId>
  /** Containers of due games: up to five of those that are due for longest, and up to five of others. */
  readonly due: ReadonlyArray<ContainerId>
}

/** An engine that records name and no service does, so that nobody cleans them. */
export interface UnknownEngine {
  /** As the records have it, unchecked. */
  readonly name: string
  readonly stopped: number
}

/**
 * The records that `rtmanager` keeps of the games on one engine, unless a method says otherwise, read only. Rows can appear, change or vanish between any two
 * calls.
 */
export class RuntimeRecords extends Context.Service<
  RuntimeRecords,
  {
    /**
     * The database's clock, in Unix milliseconds, rounded down. Every pass asks for it first, so it also fails with
     * `NotMigrated` if the schema does not have the version that this build knows, with `UnsafeSession` if a pooler has
     * dropped startup settings, with `CannotRecord` if row level security hides rows, and with `Unavailable` on a
     * server that takes no writes.
     */
    readonly clock: Effect.Effect<number, StoreError>

    /**
     * The records that are due at this moment, oldest first, at most `limit` rows after `after`. A page can be short or
     * empty and still have a `next`. No row is skipped or repeated while others change.
     */
    readonly listDue: (page: {
      readonly moment: Moment
      readonly after: Cursor | undefined
      readonly limit: number
    }) => Effect.Effect<Page, StoreError>

    /**
     * Every stopped record, due or not, in the same order; records without a time come last. `undefined`: the place has bytes that are
     * no text in this database, so no page has given it.
     */
    readonly listStopped: (page: {
      readonly after: Cursor | undefined
      readonly limit: number
    }) => Effect.Effect<Page | undefined, StoreError>

    /** The records of these games, of any status and on any engine, in no particular order. One statement: pass a page at most. */
    readonly find: (gameIds: ReadonlyArray<string>) => Effect.Effect<FoundRecords, StoreError>

    /** Counts the stopped records. The cost depends only on the number of due records. */
    readonly backlog: (moment: Moment) => Effect.Effect<Backlog, StoreError>

    /** How many stopped records ended from the one time on and before the other, Unix milliseconds; those that back off too. */
    readonly countStopped: (ended: {
      readonly from: number
      readonly until: number
    }) => Effect.Effect<number, StoreError>

    /** The engines that only records name: the hundred with the most stopped records. The cost depends on how many these are. */
    readonly unknownEngines: Effect.Effect<ReadonlyArray<UnknownEngine>, StoreError>

    /**
     * The containers that should be on the engine, from records changed since a person last accepted it. The cost does
     * not depend on the number of records: if the table has more than 2000 pages, 2000 random ones are searched for
     * running games. `byHand`: a game that a person cleans now counts as due, so that its own absence is no evidence against the
     * engine.
     */
    readonly witnesses: (moment: Moment, byHand?: string) => Effect.Effect<Witnesses, StoreError>
  }
>()("rtmanager/ports/RuntimeRecords") {}
