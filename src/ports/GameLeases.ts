import { Context, Data, type Effect } from "effect"
import type { Backoff } from "../domain/Backoff.ts"
import type { OpSource } from "../domain/Outcome.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"
import type { StoreError } from "./StoreError.ts"

/**
 * The lease of one game, which is ours. The fence is all four fields: after a failover that lost commits even the same owner can get
 * the same token again, but not at the same time.
 */
export interface Lease {
  readonly gameId: string
  readonly owner: string
  readonly token: bigint
  /** Microseconds since 1970 by the database's clock. */
  readonly acquiredAt: bigint
}

export type Acquired = Data.TaggedEnum<{
  /** Another holder's lease has not expired. */
  Busy: object
  /** Ours. The record was read by a later statement than the lease; `undefined` if it is gone. */
  Leased: {
    readonly lease: Lease
    readonly record: RuntimeRecord | undefined
    /** The holder that let the lease expire before, and so might have worked on this game. */
    readonly leftBy: "us" | "another" | undefined
  }
  /** Leased and released again: the record does not decode. `detail` says why. */
  Undecodable: { readonly detail: string }
}>
export const Acquired = Data.taggedEnum<Acquired>()

/** Who or what asked for an attempt, as its audit row says. */
export interface Asked {
  readonly opSource: OpSource
  readonly sourceRef: string
}

/** What one attempt writes to `operation_log`. Times are Unix milliseconds. */
export interface AuditRow extends Asked {
  /** NULL also if the record's id is not a container id. */
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
  /** A commit has used up the lease without moving the record; the failure row is written anyway. */
  readonly afterCommit?: boolean
}

/**
 * `committed`: the record moved and has its one success row. The other results say why we moved nothing.
 * `not_recorded`: the lease was ours and the record is as expected, but the database swallowed the write.
 */
export type CommitResult = "committed" | "already_removed" | "record_moved" | "not_recorded"

/**
 * The lease per game, and the only writes that this service makes to a game's rows. Every method is one or two
 * autocommitted statements, or a transaction that is rolled back; no transaction is open when it returns.
 */
export class GameLeases extends Context.Service<
  GameLeases,
  {
    /**
     * Takes the lease for its TTL by the database's clock, unless somebody else holds an unexpired one. Then reads the
     * record in a separate statement. After a failure the lease might stay held until it expires.
     */
    readonly acquire: (gameId: string) => Effect.Effect<Acquired, StoreError>

    /**
     * Extends the lease by its TTL from now. `false`: it is no longer ours, or has expired. After a failure it is
     * unknown whether the lease was extended.
     */
    readonly renew: (lease: Lease) => Effect.Effect<boolean, StoreError>

    /**
     * One statement, fenced by the lease: moves a record that is `stopped` with the same container id to `removed`,
     * writes the success row, clears the game's backoff and releases the lease. A lost answer re-issues the statement,
     * so a result is certain. `CannotRecord`: the database refused it, and the lease is still ours. After any other
     * failure the result is unknown.
     */
    readonly commit: (
      lease: Lease,
      record: { readonly containerId: string | null },
      row: AuditRow
    ) => Effect.Effect<CommitResult, StoreError>

    /**
     * Does everything that records this game's removal as asked for, and rolls it back: the lease, a failure row with its backoff,
     * the commit with its success row. `false`: nothing was learned, because the record is no longer stopped with this
     * container. Fails with `CannotRecord` if the database refuses any of it, or silently does not write a row or move
     * the record. The game's current lease is not changed.
     */
    readonly rehearse: (record: RuntimeRecord, asked: Asked) => Effect.Effect<boolean, StoreError>

    /**
     * Every other end, in one statement and only while the lease is ours. Writes the failure row, if one is given and
     * the game's last row differs or is a day old, stores the failure's backoff, and deletes the lease. `keep` leaves
     * the lease to expire.
     */
    readonly settle: (lease: Lease, end: SettledEnd) => Effect.Effect<void, StoreError>
  }
>()("rtmanager/ports/GameLeases") {}
