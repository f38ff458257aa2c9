import { Duration } from "effect"
import { dueAt, isBackedOff, isExpired, type Moment } from "./Expiry.ts"
import { heldBy } from "./Hold.ts"
import { printable } from "./printable.ts"
import type { RuntimeRecord } from "./RuntimeRecord.ts"
import { isoTime } from "./time.ts"

const lengthOf = ({ now, cutoff }: Moment) => Duration.millis(now - cutoff)

/** The retention that a moment goes by, as text for people: `30d`. */
export const retentionOf = (moment: Moment): string => Duration.format(lengthOf(moment))

/** The rule that decides when a stopped record's container goes, for people. */
export const ruleOf = (record: RuntimeRecord, moment: Moment): string => {
  if (record.hold !== null) return heldBy(record.hold)
  return record.backoff !== null && isExpired(record, moment) && isBackedOff(record, moment)
    ? `backing off until ${isoTime(record.backoff.nextAttemptAt)}`
    : `retention ${retentionOf(moment)}`
}

/** Why a stopped record is not due, for people. */
export const whyNotDue = (record: RuntimeRecord, moment: Moment): string => {
  const { backoff, hold, lastOpAt } = record
  if (hold !== null) return heldBy(hold)
  if (lastOpAt === null) return "its last_op_at is NULL or infinite"
  if (backoff === null || !isExpired(record, moment)) return `due at ${dueAt(lastOpAt, lengthOf(moment))}`
  const { attempts, lastError, nextAttemptAt } = backoff
  return `failed ${attempts} times, last by ${printable(lastError)}; next attempt from ${isoTime(nextAttemptAt)}`
}
