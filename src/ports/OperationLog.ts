import { Context, type Effect } from "effect"
import type { LoggedOperation, LoggedOutcome } from "../domain/LoggedOperation.ts"
import type { StoreError } from "./StoreError.ts"

/** The place before a row, exact to the microsecond. */
export interface LogCursor {
  readonly finishedAt: bigint | null
  readonly id: bigint
}

export interface LogQuery {
  readonly gameId?: string | undefined
  readonly outcome?: LoggedOutcome | undefined
  /** Only what finished then or later: Unix milliseconds. */
  readonly since?: number | undefined
}

export interface LogPage {
  readonly operations: ReadonlyArray<LoggedOperation>
  /** Where the next page, of older rows, starts; absent after the last one. */
  readonly next: LogCursor | undefined
}

/** What became of the containers of games: the rows that cleaning wrote to `operation_log`, read only. */
export class OperationLog extends Context.Service<
  OperationLog,
  {
    /**
     * At most `limit` rows, newest first, older than the row `before`. One game's rows come in the order in which they were
     * written. All games' rows come by when they finished: there, a row is not listed if it has no finite time or an outcome
     * other than ours. The cost depends on the rows that it returns, or on how many the one game has.
     */
    readonly list: (
      page: LogQuery & { readonly before?: LogCursor | undefined; readonly limit: number }
    ) => Effect.Effect<LogPage, StoreError>
  }
>()("rtmanager/ports/OperationLog") {}
