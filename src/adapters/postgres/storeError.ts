import type { SqlError } from "effect/sql/SqlError"
import { CannotRecord, NotMigrated, StoreError, Unavailable, UnsafeSession } from "../../ports/StoreError.ts"

/** PgBouncer's error for a startup parameter that it is not configured to drop. */
const refusedParameter = /unsupported startup parameter/

/** The advice if the schema does not fit this build. */
export const migrateHint = "run `rtmanager-cleanup migrate`"

/** The server's SQLSTATE. A socket's error has a code too, such as `EPIPE`, but only the server's has a severity. */
export const sqlStateOf = (error: SqlError): string | undefined => {
  const { cause } = error.reason
  if (!(cause instanceof Error && "severity" in cause && "code" in cause)) return undefined
  return typeof cause.code === "string" ? cause.code : undefined
}

/** The innermost cause's message, the server's or the socket's. An AggregateError has none, so its first member's. */
export const explain = (error: unknown): string => {
  if (error instanceof AggregateError && error.errors.length > 0) return explain(error.errors[0])
  if (error instanceof Error && error.cause instanceof Error) return explain(error.cause)
  return error instanceof Error ? error.message : String(error)
}

/** Undefined table, schema or column. */
const missing = new Set(["42P01", "3F000", "42703"])

export const isMissing = (error: SqlError): boolean => missing.has(sqlStateOf(error) ?? "")

export const storeError =
  (operation: string) =>
  (error: SqlError): StoreError => {
    const state = sqlStateOf(error)
    const detail = explain(error)
    return new StoreError({ operation, reason: reasonFor(operation, error, state, detail) })
  }

/** The operations that write a game's rows, or look whether one has. */
const recording = new Set(["commit", "readBack", "settle"])

const reasonFor = (
  operation: string,
  error: SqlError,
  state: string | undefined,
  detail: string
): StoreError["reason"] => {
  if (recording.has(operation) && !isPassing(error)) {
    return new CannotRecord({ detail: `${detail} (${state})${isMissing(error) ? `: ${migrateHint}` : ""}` })
  }
  if (isMissing(error)) return new NotMigrated({ detail: `${detail}: ${migrateHint}` })
  if (refusedParameter.test(detail)) {
    return new UnsafeSession({ detail: `${detail}: a pooler needs the lines of docs/pgbouncer.md` })
  }
  const message = state === undefined ? detail : `${detail} (${state})`
  return new Unavailable({ cause: new Error(message, { cause: error }) })
}

/**
 * Bytes that are not valid UTF-8, or characters that the database's encoding lacks. The same statement would fail
 * again.
 */
export const isNoText = (error: SqlError): boolean => ["22021", "22P05"].includes(sqlStateOf(error) ?? "")

/** A unique index has another row of the same key. */
export const isDuplicate = (error: SqlError): boolean => sqlStateOf(error) === "23505"

/** The session lacks a statement that was prepared, or its tables have changed since. Unprepared it may work. */
export const isStale = (error: SqlError): boolean => ["26000", "0A000"].includes(sqlStateOf(error) ?? "")

/** The role lacks a right. */
export const isDenied = (error: SqlError): boolean => sqlStateOf(error) === "42501"

/** The server rolled the statement back because of another one, so it certainly had no effect. */
export const isRolledBack = ({ reason }: SqlError): boolean =>
  reason._tag === "DeadlockError" || reason._tag === "SerializationError"

/** Shut down, crashed, starting up, or no connection free for us. */
const disconnected = new Set(["57P01", "57P02", "57P03", "53300"])

/** The server itself reported the failure, so the statement had no effect. */
export const isRefused = (error: SqlError): boolean => sqlStateOf(error) !== undefined && !isDisconnected(error)

/** The connection was cut or could not be made: whether the statement had an effect is unknown. */
export const isDisconnected = (error: SqlError): boolean =>
  error.reason._tag === "ConnectionError" || disconnected.has(sqlStateOf(error) ?? "")

/** No answer in time, from the server or from a lock on it. */
export const isTimedOut = ({ reason }: SqlError): boolean =>
  reason._tag === "StatementTimeoutError" || reason._tag === "LockTimeoutError"

/**
 * Lost or refused connections, rollbacks because of another statement, exhausted resources, timeouts, a server that
 * shuts down, a standby, the server's internal errors, and later errors of a transaction in which one of these
 * happened.
 */
const passing = /^(08|28|40|53|57|58|XX)|^(55P03|25006|25P02)$/

/** It may work later by itself; any other error of the server needs a person to fix it. */
export const isPassing = (error: SqlError): boolean => {
  const state = sqlStateOf(error)
  return state === undefined || passing.test(state)
}
