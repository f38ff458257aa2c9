import { Schema } from "effect"
import { PassRefused } from "../domain/PassRefused.ts"
import type { EarlyEnd } from "../domain/PassReport.ts"

/** The statement could not be carried out or its answer was lost; it may work later. */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", {
  cause: Schema.Defect()
}) {
  override get message() {
    return this.cause instanceof Error ? this.cause.message : String(this.cause)
  }
}

/** The schema is missing or has another version. `detail` says which, and the command that fixes it. */
export class NotMigrated extends Schema.TaggedError<NotMigrated>()("NotMigrated", {
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/**
 * The database answers, but would not record this service's work or hides rows that it must see. A person has to fix
 * it. `detail` has the server's message and its SQLSTATE, and after a rehearsal the role too.
 */
export class CannotRecord extends Schema.TaggedError<CannotRecord>()("CannotRecord", {
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** The session lacks settings that a pass relies on. `detail` names each one and the statement that sets it. */
export class UnsafeSession extends Schema.TaggedError<UnsafeSession>()("UnsafeSession", {
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** The call was not made, because the database is known to be away. */
export class Withheld extends Schema.TaggedError<Withheld>()("Withheld", {
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** Why a call on `RuntimeRecords`, `GameLeases` or `KnownEngine` failed. Whether the call had an effect is unknown. */
export class StoreError extends Schema.TaggedError<StoreError>()("StoreError", {
  operation: Schema.String,
  reason: Schema.Union([Unavailable, NotMigrated, UnsafeSession, CannotRecord, Withheld])
}) {
  override get message() {
    return `${this.operation}: ${this.reason.message}`
  }
}

/** What can end a pass before its time. */
export type PassError = PassRefused | StoreError

const reasons = {
  Unavailable: "database_down",
  Withheld: "database_down",
  NotMigrated: "not_migrated",
  UnsafeSession: "unsafe_session",
  CannotRecord: "cannot_record"
} as const

/** How a pass that ended with this error is reported. */
export const earlyEnd = (error: PassError): EarlyEnd => ({
  reason: error._tag === "PassRefused" ? error.reason : reasons[error.reason._tag],
  message: error.message
})

/** What a database's failure means for the pass: one that does not record refuses it. */
export const passError = (error: StoreError): PassError =>
  error.reason._tag === "CannotRecord" ? PassRefused.cannotRecord(error.reason.detail) : error
