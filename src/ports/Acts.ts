import { Context, type Effect } from "effect"
import type { Act, ActResult, RecordedAct } from "../domain/Act.ts"
import type { StoreError } from "./StoreError.ts"

/** The table of what people asked for: rows are added, and each gets its result once. All times are the database's. */
export class Acts extends Context.Service<
  Acts,
  {
    /**
     * Adds a row without a result and gives its id. `undefined`, and no row: the plan of this `plan_apply` was applied before,
     * or is being applied. After a failure there may be a row all the same.
     */
    readonly begin: (act: Act) => Effect.Effect<bigint | undefined, StoreError>
    /** Sets the row's result, unless it has one. */
    readonly end: (
      id: bigint,
      end: { readonly result: ActResult; readonly message: string | null }
    ) => Effect.Effect<void, StoreError>
    /** Newest first, at most `limit`, older than the act `before`. */
    readonly list: (page: {
      readonly target?: string
      readonly before?: bigint
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<RecordedAct>, StoreError>
  }
>()("rtmanager/ports/Acts") {}
