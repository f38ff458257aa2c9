import { Effect, Schedule } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import type { StoreError } from "../../ports/StoreError.ts"
import { isDisconnected, isRolledBack, isTimedOut, storeError } from "./storeError.ts"

/**
 * After which failures a statement is sent again, a few times. `rolled_back`: only when it has certainly had no effect.
 * `disconnected`: also when the connection was lost. `unanswered`: also after a timeout. The last two are for
 * statements that may run twice.
 */
export type Repeat = "rolled_back" | "disconnected" | "unanswered"

/** For a statement that only reads. */
export const question: Repeat = "disconnected"

const isRepeated: Record<Repeat, (error: SqlError) => boolean> = {
  rolled_back: isRolledBack,
  disconnected: (error) => isRolledBack(error) || isDisconnected(error),
  unanswered: (error) => isRolledBack(error) || isDisconnected(error) || isTimedOut(error)
}

const backoff = Schedule.exponential("50 millis").pipe(Schedule.jittered)

/** Carries a statement out under the name of its operation. */
export type Run = <A>(
  operation: string,
  repeat: Repeat,
  statement: Effect.Effect<A, SqlError>
) => Effect.Effect<A, StoreError>

/** Sends the statement, again if need be, and says in the port's words what failed. */
export const repeating: Run = (operation, repeat, statement) =>
  statement.pipe(
    Effect.retry({ while: isRepeated[repeat], times: 3, schedule: backoff }),
    Effect.mapError(storeError(operation))
  )
