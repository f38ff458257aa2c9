import { Duration, Schema } from "effect"
import { dueAt, isBackedOff, isExpired, type Moment, retentionOf } from "./Expiry.ts"
import { type Hold, heldBy } from "./Hold.ts"
import { printable } from "./printable.ts"
import type { RuntimeRecord } from "./RuntimeRecord.ts"
import { dateOf, isoTime } from "./time.ts"

/** When a game's container may go, and the rule that says so, for people. */
export const Due = Schema.Struct({
  /** `null`: never, as it stands. */
  at: Schema.NullOr(Schema.DateFromString),
  rule: Schema.String
})
export type Due = typeof Due.Type

const noTime = "its last_op_at is NULL or infinite"

const byBackoff = (until: number) => `backing off until ${isoTime(until)}`

/** The rule that a game goes once its retention is over, for people. */
export const byRetention = (retention: Duration.Duration): string => `retention ${Duration.format(retention)}`

const never = (rule: string): Due => ({ at: null, rule })

/** A time that a `Date` cannot hold is as far away as never. */
const at = (millis: number, rule: string): Due => ({ at: dateOf(millis), rule })

/** What can keep a stopped game. */
export const blockers = ["hold", "backoff", "retention"] as const
export type Blocker = (typeof blockers)[number]

const endOf = ({ until }: Hold) => until?.getTime() ?? Infinity

const longestOf = (holds: ReadonlyArray<Hold>) => holds.toSorted((a, b) => endOf(b) - endOf(a))[0]

/**
 * Of a game on an engine that another service cleans, whose retention only that one knows. A hold is every service's, so one without an
 * end decides.
 */
export const elsewhere = (
  engine: string,
  holds: ReadonlyArray<Hold>
): { readonly by: "hold" | "elsewhere"; readonly due: Due } => {
  const hold = longestOf(holds)
  const theirs = `the service of engine ${printable(engine)} decides`
  if (hold === undefined) return { by: "elsewhere", due: never(theirs) }
  return hold.until === null
    ? { by: "hold", due: never(heldBy(hold)) }
    : { by: "elsewhere", due: never(`${heldBy(hold)}; then ${theirs}`) }
}

interface Waits extends Pick<RuntimeRecord, "status" | "lastOpAt"> {
  readonly backoff: Pick<NonNullable<RuntimeRecord["backoff"]>, "nextAttemptAt"> | null
}

/** The last of its retention, its backoff and its holds decides. */
export const whenDue = (waits: Waits, holds: ReadonlyArray<Hold>, retention: Duration.Duration): Due =>
  waits.status === "stopped"
    ? whatDecides(waits, holds, retention).due
    : never(`only stopped games are cleaned, and this one is ${printable(waits.status)}`)

/** The one of these that decides when a stopped game is due. */
export const whoDecides = (waits: Waits, holds: ReadonlyArray<Hold>, retention: Duration.Duration): Blocker =>
  whatDecides(waits, holds, retention).by

const whatDecides = (
  { backoff, lastOpAt }: Waits,
  holds: ReadonlyArray<Hold>,
  retention: Duration.Duration
): { readonly by: Blocker; readonly due: Due } => {
  if (lastOpAt === null) return { by: "retention", due: never(noTime) }
  const expires = dueAt(lastOpAt, retention)
  const hold = longestOf(holds)
  const retry = backoff?.nextAttemptAt ?? -Infinity
  if (hold !== undefined && endOf(hold) > Math.max(expires, retry)) {
    return { by: "hold", due: at(endOf(hold), heldBy(hold)) }
  }
  return retry > expires
    ? { by: "backoff", due: at(retry, byBackoff(retry)) }
    : { by: "retention", due: at(expires, byRetention(retention)) }
}

/** The backoff that an expired record waits for; `null` if it waits for none. */
const awaitedBackoff = (record: RuntimeRecord, moment: Moment) =>
  isExpired(record, moment) && isBackedOff(record, moment) ? record.backoff : null

/** The rule that decides now about a stopped record, for people: a hold does, however soon it ends. */
export const ruleOf = (record: RuntimeRecord, moment: Moment): string => {
  if (record.hold !== null) return heldBy(record.hold)
  const backoff = awaitedBackoff(record, moment)
  return backoff === null ? byRetention(retentionOf(moment)) : byBackoff(backoff.nextAttemptAt)
}

/** Why a stopped record that is not due is not, for people. */
export const whyNotDue = (record: RuntimeRecord, moment: Moment): string => {
  const { hold, lastOpAt } = record
  if (hold !== null) return heldBy(hold)
  if (lastOpAt === null) return noTime
  const backoff = awaitedBackoff(record, moment)
  if (backoff === null) return `due at ${isoTime(dueAt(lastOpAt, retentionOf(moment)))}`
  const { attempts, lastError, nextAttemptAt } = backoff
  return `failed ${attempts} times, last by ${printable(lastError)}; next attempt from ${isoTime(nextAttemptAt)}`
}
