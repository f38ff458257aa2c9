import { Cause, Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"

/**
 * In a transaction, or a savepoint of the open one. The driver reports a rollback on a lost connection as a defect, and
 * then what the work failed with as one too: the lost connection is the failure.
 */
export const inTransaction = <A, E, R>(
  sql: SqlClient,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError, R> =>
  Effect.catchCause(sql.withTransaction(work), (cause) => {
    const lost = cause.reasons.filter(Cause.isDieReason).findLast(({ defect }) => isSqlError(defect))
    return lost === undefined ? Effect.failCause(cause) : Effect.fail(lost.defect as SqlError)
  })

/** The same, but nothing of it is kept, whatever it ends with. */
export const rolledBack = <A, E, R>(sql: SqlClient, work: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> =>
  Effect.flatMap(
    Effect.flip(
      inTransaction(
        sql,
        Effect.flatMap(Effect.result(work), (result) => Effect.fail({ takenBack: result }))
      )
    ),
    (ended): Effect.Effect<A, E | SqlError> =>
      "takenBack" in ended ? Effect.fromResult(ended.takenBack) : Effect.fail(ended)
  )
