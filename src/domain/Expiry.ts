import { Duration } from "effect"
import type { RuntimeRecord } from "./RuntimeRecord.ts"

/**
 * The moment before which a game must have ended for its container to go, in Unix milliseconds. The earlier of the two
 * clocks counts, so a clock that runs ahead can only keep containers longer.
 */
export const cutoffAt = (clocks: {
  readonly service: number
  readonly database: number
  readonly retention: Duration.Duration
}): number => Math.floor(Math.min(clocks.service, clocks.database) - Duration.toMillis(clocks.retention))

/** Stopped, with a finite `lastOpAt` strictly before the cutoff. PostgreSQL's listing asks the same in SQL. */
export const isDue = (record: RuntimeRecord, cutoff: number): boolean =>
  record.status === "stopped" && record.lastOpAt !== null && record.lastOpAt < BigInt(cutoff) * 1000n

/** Seconds since the record became due, at the moment `now` of a pass with this cutoff: how late we are. */
export const lagSeconds = (lastOpAt: bigint, cutoff: number): number => cutoff / 1000 - Number(lastOpAt) / 1_000_000

/** When a record with this `lastOpAt` becomes due, for people; years that a `Date` cannot hold are called never. */
export const dueAt = (lastOpAt: bigint, retention: Duration.Duration): string => {
  const at = new Date(Number(lastOpAt / 1000n) + Duration.toMillis(retention))
  return Number.isNaN(at.getTime()) ? "never" : at.toISOString()
}
