import { Context, type Effect } from "effect"
import type { Backlog } from "../domain/Backlog.ts"
import type { ContainerId } from "../domain/ContainerId.ts"
import type { Moment } from "../domain/Expiry.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"
import type { StoreError } from "./StoreError.ts"

/** The place after a row in the order (`last_op_at`, `game_id`); exact to the microsecond. Only a store reads its id. */
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

/** Containers that should be on the engine. */
export interface Witnesses {
  /** Of games that are not due: up to five that run, and the five that stopped last. */
  readonly others: ReadonlyArray<ContainerId>
  /** How many due games name a container; counted up to a hundred. */
  readonly due: number
}

/** The records that `rtmanager` keeps, read only. Rows may appear, change or vanish between any two calls. */
export class RuntimeRecords extends Context.Service<
  RuntimeRecords,
  {
    /**
     * The database's clock, Unix milliseconds rounded down. The first question of every pass, so it also fails with
     * `NotMigrated` if the schema is not of the version that this build knows, with `UnsafeSession` if a pooler has dropped
     * what sessions are started with, and with `Unavailable` on a server that takes no writes.
     */
    readonly clock: Effect.Effect<number, StoreError>

    /**
     * The records that are due at this moment, oldest first, at most `limit` rows after `after`.
     * A page may be short or empty and still have a `next`. No row is skipped or repeated while others change.
     */
    readonly listDue: (page: {
      readonly moment: Moment
      readonly after: Cursor | undefined
      readonly limit: number
    }) => Effect.Effect<Page, StoreError>

    /** Every stopped record, whether due or not, in the same order; those without a time come last. */
    readonly listStopped: (page: {
      readonly after: Cursor | undefined
      readonly limit: number
    }) => Effect.Effect<Page, StoreError>

    /** Counts over the stopped records; its cost depends on how many are due, not on how many are not. */
    readonly backlog: (moment: Moment) => Effect.Effect<Backlog, StoreError>

    /**
     * What should be on the engine, as far as it was recorded since a person last accepted the engine. The cost does not
     * depend on how many records there are: of more than 2000 pages, 2000 at random are searched for games that run.
     */
    readonly witnesses: (moment: Moment) => Effect.Effect<Witnesses, StoreError>
  }
>()("rtmanager/ports/RuntimeRecords") {}
