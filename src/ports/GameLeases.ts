import { Context, Data, type Effect } from "effect"
import type { Backoff } from "../domain/Backoff.ts"
import type { OpSource } from "../domain/Outcome.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"
import type { StoreError } from "./StoreError.ts"

/** Our hold on one game. The fence is all three fields: a token alone may repeat after a failover. */
export interface Lease {
  readonly gameId: string
  readonly owner: string
  readonly token: bigint
}

export type Acquired = Data.TaggedEnum<{
  /** Another holder's lease has not expired. */
  Busy: object
  /** Ours, with the record as it was read in a later statement than the lease; `undefined` if it is gone. */
  Held: {
    readonly lease: Lease
    readonly record: RuntimeRecord | undefined
    /** Who held the lease before and let it expire, and so may have been at work on this game. */
    readonly leftBy: "us" | "another" | undefined
  }
  /** Held and released again: the record does not decode. `detail` says why. */
  Undecodable: { readonly detail: string }
}>
export const Acquired = Data.taggedEnum<Acquired>()

/** What one attempt writes to `operation_log`. Times are Unix milliseconds. */
export interface AuditRow {
  readonly opSource: OpSource
  readonly sourceRef: string
  /** NULL also where the record's id is not a container id. */
  readonly containerId: string | null
  readonly imageRef: string | null
  readonly errorCode: string | null
  readonly message: string
  readonly traceId: string | null
  readonly startedAt: number
  readonly finishedAt: number
}

/** How an attempt that moved no record ends. */
export interface SettledEnd {
  readonly failure: AuditRow | undefined
  /** Only with a failure. */
  readonly backoff: Backoff | undefined
  readonly keep: boolean
  /** A commit has used the lease up without moving the record: the failure row is written all the same. */
  readonly afterCommit?: boolean
}

/**
 * `committed`: the record moved and has its one success row. Else nothing was moved by us: why it could not be.
 * `not_recorded`: the lease was ours and the record is as we expect it, and still the database swallowed the write.
 */
export type CommitResult = "committed" | "already_removed" | "record_moved" | "not_recorded"

/**
 * The lease per game, and the only writes that this service makes to a game's rows. Every method is one or two
 * autocommitted statements, or a transaction that is rolled back: none is open when it returns.
 */
export class GameLeases extends Context.Service<
  GameLeases,
  {
    /**
     * Takes the lease for its TTL by the database's clock, unless another's is unexpired, then reads the record in a
     * statement of its own. After a failure the lease may be held until it expires.
     */
    readonly acquire: (gameId: string) => Effect.Effect<Acquired, StoreError>

    /**
     * Lets the lease run for its TTL again. `false`: it is not ours any more, or has expired. Of a failure nothing is
     * known.
     */
    readonly renew: (lease: Lease) => Effect.Effect<boolean, StoreError>

    /**
     * In one statement, fenced by the lease and releasing it: `stopped` with the same container id → `removed`, and a
     * success row; the game's backoff is forgotten. A lost answer re-issues the statement, so a result is certain.
     * `CannotRecord`: the database refused it, and the lease is still ours. Any other failure means that the result is
     * unknown.
     */
    readonly commit: (
      lease: Lease,
      record: { readonly containerId: string | null },
      row: AuditRow
    ) => Effect.Effect<CommitResult, StoreError>

    /**
     * Does everything that recording this game's removal consists of, and takes it back: the lease, a failure row with
     * its backoff, the commit with its success row. `false`: nothing was learned, because the record is no longer stopped with
     * this container. Fails with `CannotRecord` if the database refuses any of it or silently does not write a row or move
     * the record. Whoever holds the game's lease keeps it.
     */
    readonly rehearse: (record: RuntimeRecord) => Effect.Effect<boolean, StoreError>

    /**
     * Every other end, in one statement and only while the lease is ours: writes the failure row, if one is given and the
     * game's last row differs or is a day old, stores the backoff that goes with it, and deletes the lease. `keep` leaves
     * the lease to expire.
     */
    readonly settle: (lease: Lease, end: SettledEnd) => Effect.Effect<void, StoreError>
  }
>()("rtmanager/ports/GameLeases") {}
