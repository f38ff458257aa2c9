import { Context, Data, type Effect } from "effect"
import type { Act, ActResult, RecordedAct, RequestKey } from "../domain/Act.ts"
import type { StoreError } from "./StoreError.ts"

/** The row of an act that has begun: both fields, because after a failover that lost commits the same id can come again. */
export interface BegunAct {
  readonly id: bigint
  /** Microseconds since 1970 by the database's clock. */
  readonly askedAt: bigint
}

export type Begun = Data.TaggedEnum<{
  /** It has a row without a result. */
  Begun: BegunAct
  /** The plan of this `plan_apply` was applied before, or is being applied: the row that was added says so. */
  PlanTaken: object
  /** Another row of this author has the key, so no row was added. */
  KeyTaken: object
}>
export const Begun = Data.taggedEnum<Begun>()

/** The table of what people asked for: rows are added, and each gets its result once. All times are the database's. */
export class Acts extends Context.Service<
  Acts,
  {
    /** Adds a row without a result. After a failure there may be a row all the same. */
    readonly begin: (act: Act, key?: RequestKey) => Effect.Effect<Begun, StoreError>
    /** Sets the row's result, unless it has one. */
    readonly end: (
      begun: BegunAct,
      end: { readonly result: ActResult; readonly message: string | null }
    ) => Effect.Effect<void, StoreError>
    /** The author's act with this key, and the hash that it came with. */
    readonly keyed: (
      author: string,
      key: string
    ) => Effect.Effect<{ readonly act: RecordedAct; readonly requestHash: string } | undefined, StoreError>
    /** Newest first, at most `limit`, older than the act `before`. */
    readonly list: (page: {
      readonly target?: string
      readonly before?: bigint
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<RecordedAct>, StoreError>
  }
>()("rtmanager/ports/Acts") {}
