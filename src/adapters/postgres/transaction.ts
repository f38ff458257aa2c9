import { Cause, Effect, Option } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"

/**
 * Runs the work in a transaction, or in a savepoint of the open one. If the connection is lost, the driver reports the
 * failed rollback as a defect, and the work's own failure as one too; this fails with the lost connection instead.
 */
export const inTransaction = <A, E, R>(
  sql: SqlClient,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError, R> =>
  Effect.catchCause(sql.withTransaction(work), (cause) => {
    const lost = cause.reasons.filter(Cause.isDieReason).findLast(({ defect }) => isSqlError(defect))
    return lost === undefined ? Effect.failCause(cause) : Effect.fail(lost.defect as SqlError)
  })

const savepointRolledBack = <A, E, R>(
  sql: SqlClient,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError, R> =>
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

/**
 * The driver prepares the statements that control a transaction. Behind a transaction pooler the session might lack the
 * prepared `rollback`; then the transaction stays open and aborted for the next user of the connection. So these
 * statements are not prepared. The work must not open a transaction of its own.
 */
const transactionRolledBack = <A, E, R>(
  sql: SqlClient,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError, R> =>
  Effect.scoped(
    Effect.flatMap(sql.reserve, (connection) => {
      const control = (statement: string) => connection.executeUnprepared(statement, [], undefined)
      return Effect.acquireUseRelease(
        control("begin"),
        () => Effect.provideService(work, sql.transactionService, [connection, 0]),
        () => control("rollback")
      )
    })
  )

/** Runs the work in a transaction, or in a savepoint of the open one, and always rolls it back, whatever its result. */
export const rolledBack = <A, E, R>(sql: SqlClient, work: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> =>
  Effect.flatMap(Effect.serviceOption(sql.transactionService), (open) =>
    Option.isSome(open) ? savepointRolledBack(sql, work) : transactionRolledBack(sql, work)
  )
