import { Duration } from "effect"
import type { RuntimeRecord } from "./RuntimeRecord.ts"

/** The one moment that a pass goes by, in Unix milliseconds. */
export interface Moment {
  readonly now: number
  /** `now` minus retention. Only games that ended strictly before it are due. */
  readonly cutoff: number
}

/** The earlier of the two clocks counts, so a clock that runs ahead can only keep containers longer. */
export const momentOf = (
  clocks: { readonly service: number; readonly database: number },
  retention: Duration.Duration
): Moment => {
  const now = Math.floor(Math.min(clocks.service, clocks.database))
  return { now, cutoff: Math.floor(now - Duration.toMillis(retention)) }
}

/** The retention that a moment goes by. */
export const retentionOf = ({ now, cutoff }: Moment): Duration.Duration => Duration.millis(now - cutoff)

/** Stopped, with a finite `lastOpAt` strictly before the cutoff: its retention is over. */
export const isExpired = (record: Pick<RuntimeRecord, "status" | "lastOpAt">, { cutoff }: Moment): boolean =>
  record.status === "stopped" && record.lastOpAt !== null && record.lastOpAt < BigInt(cutoff) * 1000n

export const isBackedOff = ({ backoff }: Pick<RuntimeRecord, "backoff">, { now }: Moment): boolean =>
  backoff !== null && backoff.nextAttemptAt > now

/** Expired, not backed off and not held. PostgreSQL's listing asks the same in SQL. */
export const isDue = (
  record: Pick<RuntimeRecord, "status" | "lastOpAt" | "backoff" | "hold">,
  moment: Moment
): boolean => isExpired(record, moment) && !isBackedOff(record, moment) && record.hold === null

/** How late we are: seconds from when the record became due to `at` (Unix milliseconds). */
export const lagSeconds = (lastOpAt: bigint, { now, cutoff }: Moment, at: number): number =>
  (at - now + cutoff) / 1000 - Number(lastOpAt) / 1_000_000

/** When the retention of a record with this `lastOpAt` is over: Unix milliseconds. */
export const dueAt = (lastOpAt: bigint, retention: Duration.Duration): number =>
  Number(lastOpAt) / 1000 + Duration.toMillis(retention)

/** When a due record could first be cleaned, because its retention and its backoff were over: Unix milliseconds. */
export const dueSince = ({ backoff, lastOpAt }: RuntimeRecord, moment: Moment): number | null =>
  lastOpAt === null ? null : Math.max(dueAt(lastOpAt, retentionOf(moment)), backoff?.nextAttemptAt ?? -Infinity)
