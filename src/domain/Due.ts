import { Duration, Schema } from "effect"
import type { Hold } from "./Hold.ts"
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

const never = (rule: string): Due => ({ at: null, rule })

/** A time that a `Date` cannot hold is as far away as never. */
const at = (millis: number, rule: string): Due => ({ at: dateOf(millis), rule })

const heldBy = ({ author, reason, until }: Hold) =>
  `held by ${printable(author)} ${until === null ? "until released" : `until ${until.toISOString()}`}: "${printable(reason)}"`

const endOf = ({ until }: Hold) => until?.getTime() ?? Infinity

/** The last of its retention, its backoff and its holds decides. */
export const whenDue = (
  {
    backoff,
    lastOpAt,
    status
  }: Pick<RuntimeRecord, "status" | "lastOpAt"> & {
    readonly backoff: Pick<NonNullable<RuntimeRecord["backoff"]>, "nextAttemptAt"> | null
  },
  holds: ReadonlyArray<Hold>,
  retention: Duration.Duration
): Due => {
  if (status !== "stopped") return never(`only stopped games are cleaned, and this one is ${printable(status)}`)
  if (lastOpAt === null) return never("its last_op_at is NULL or infinite")
  const expires = Number(lastOpAt) / 1000 + Duration.toMillis(retention)
  const [hold] = holds.toSorted((a, b) => endOf(b) - endOf(a))
  const retry = backoff?.nextAttemptAt ?? -Infinity
  if (hold !== undefined && endOf(hold) > Math.max(expires, retry)) {
    return hold.until === null ? never(heldBy(hold)) : at(endOf(hold), heldBy(hold))
  }
  return retry > expires
    ? at(retry, `backing off until ${isoTime(retry)}`)
    : at(expires, `retention ${Duration.format(retention)}`)
}
