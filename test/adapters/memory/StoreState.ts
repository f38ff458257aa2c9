import { Context, type Duration, Effect } from "effect"
import type { Backoff } from "../../../src/domain/Backoff.ts"
import type { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import type { AuditRow } from "../../../src/ports/GameLeases.ts"
import type { Known } from "../../../src/ports/KnownEngine.ts"
import type { StoreError } from "../../../src/ports/StoreError.ts"

/** A row of `operation_log`, in the order in which rows were written. */
export interface LogRow extends AuditRow {
  readonly gameId: string
  readonly outcome: "success" | "failure"
  readonly leaseOwner: string
  readonly leaseToken: bigint
}

/** `expiresAt` is Unix milliseconds by the store's clock. */
export interface StoredLease {
  readonly owner: string
  readonly token: bigint
  readonly expiresAt: number
}

/** The statements that a test can intercept; `reread` is the read of the record within `acquire`. */
export type StoreOperation =
  | "clock"
  | "listDue"
  | "listStopped"
  | "backlog"
  | "acquire"
  | "reread"
  | "renew"
  | "commit"
  | "settle"
  | "readEngine"
  | "rememberEngine"
  | "brakeEngine"
  | "acceptEngine"

export type Intercept = (operation: StoreOperation, gameId?: string) => Effect.Effect<void, StoreError>

export const passThrough: Intercept = () => Effect.void

/** What the three stores of any number of processes share. Tests put rows and leases here, look at them, and make statements go wrong. */
export class StoreState extends Context.Service<
  StoreState,
  {
    /** Their backoff is in `backoffs`, whatever they say of it themselves. */
    readonly records: Map<string, RuntimeRecord>
    readonly backoffs: Map<string, Backoff>
    readonly operationLog: Array<LogRow>
    readonly leases: Map<string, StoredLease>
    /** The store's clock is Effect's `Clock` plus this. */
    clockOffset: Duration.Duration
    knownEngine: Known | undefined
    lastToken: bigint
    /** Runs before a statement takes effect: it may fail, hang, die, or change the state. */
    intercept: Intercept
    /** Runs after a statement took effect: failing here is an answer that was lost. */
    interceptAnswer: Intercept
  }
>()("rtmanager/test/StoreState") {}
