import { Schema } from "effect"
import { PassRefused } from "../domain/PassRefused.ts"

/** The statement could not be carried out or its answer was lost; it may work later. */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", {
  cause: Schema.Defect()
}) {
  override get message() {
    return this.cause instanceof Error ? this.cause.message : String(this.cause)
  }
}

/** The schema is missing or of another version: `detail` says which, and the command that mends it. */
export class NotMigrated extends Schema.TaggedError<NotMigrated>()("NotMigrated", {
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/**
 * The database answers, and would not record what this service does or not show all that it must see: a person has to
 * mend it. `detail` has the server's words and their SQLSTATE, and of a rehearsal the role too.
 */
export class CannotRecord extends Schema.TaggedError<CannotRecord>()("CannotRecord", {
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** The session lacks what a pass relies on: `detail` names each setting, and the statement that mends it. */
export class UnsafeSession extends Schema.TaggedError<UnsafeSession>()("UnsafeSession", {
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** The call was not made: the database is known to be away at present. */
export class Withheld extends Schema.TaggedError<Withheld>()("Withheld", {
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** Why a call on `RuntimeRecords`, `GameLeases` or `KnownEngine` failed. Nothing is known of its effect. */
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

/** What a database's failure means for the pass: one that does not record needs a person, any other may come back. */
export const passError = (error: StoreError): PassError =>
  error.reason._tag === "CannotRecord" ? PassRefused.cannotRecord(error.reason.detail) : error
