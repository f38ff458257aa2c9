import { Context, Data, type Effect } from "effect"
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
    /** The lease had expired in another holder's hands. */
    readonly takenOver: boolean
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

/** `committed`: the record moved and has its one success row. Else nothing was moved by us: why it could not be. */
export type CommitResult = "committed" | "already_removed" | "record_moved"

/**
 * The lease per game, and the only writes that this service makes to a game's rows. Every method is one or two
 * autocommitted statements: no transaction is open when it returns.
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
     * In one statement, fenced by the lease and releasing it: `stopped` with the same container id → `removed`, and a
     * success row. A lost answer re-issues the statement, so a result is certain. A failure means that it is unknown.
     */
    readonly commit: (
      lease: Lease,
      record: { readonly containerId: string | null },
      row: AuditRow
    ) => Effect.Effect<CommitResult, StoreError>

    /**
     * Every other end, in one statement: writes the failure row, if one is given and the game's last row differs or is
     * a day old, and deletes the lease if it is still ours. `keep` leaves the lease to expire.
     */
    readonly settle: (
      lease: Lease,
      end: { readonly failure: AuditRow | undefined; readonly keep: boolean }
    ) => Effect.Effect<void, StoreError>
  }
>()("rtmanager/ports/GameLeases") {}
