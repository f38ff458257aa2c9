import { Duration, Result } from "effect"
import type { Container } from "./Container.ts"
import { type ContainerId, isContainerId } from "./ContainerId.ts"
import type { EngineName } from "./EngineName.ts"
import { isBackedOff, isExpired, type Moment } from "./Expiry.ts"
import { heldBy } from "./Hold.ts"
import { type ErrorCode, Refused } from "./Outcome.ts"
import { changeSince, type Shown } from "./PlanFile.ts"
import { printable } from "./printable.ts"
import type { RuntimeRecord } from "./RuntimeRecord.ts"
import { isoTime } from "./time.ts"

/** A record that is stopped and due, and names either no container or a full container id. */
export interface DueRecord extends RuntimeRecord {
  readonly containerId: ContainerId | null
}

/** By what a record is judged. */
export interface Question {
  readonly engineName: EngineName
  readonly moment: Moment
  /** A person asks for this one game, so its age and its backoff do not count. */
  readonly byHand?: boolean | undefined
  /** What a person was shown of the record: one that differs is kept. */
  readonly shown?: Shown | undefined
}

const refuse = (code: ErrorCode, message: string) => Result.fail(new Refused({ code, message }))

/**
 * Steps 2 and 3 for a record read under the lease; `undefined` if the record is gone. A record passes only if it is stopped
 * and due, if its container is on this engine, if nobody holds the game, and if its container id is NULL or 64 hex digits.
 */
export const judgeRecord = (
  record: RuntimeRecord | undefined,
  { byHand = false, engineName, moment, shown }: Question
): Result.Result<DueRecord, Refused> => {
  if (record === undefined) return refuse("record_moved", "the record is gone")
  if (record.status === "removed") return refuse("replay_no_op", "the record is already removed")
  if (record.status !== "stopped") {
    return refuse("record_moved", `the record is not stopped but ${printable(record.status)}`)
  }
  if (record.engine !== engineName) {
    return refuse("record_moved", `the game is not on engine ${engineName} but on ${printable(record.engine)}`)
  }
  if (record.hold !== null) return refuse("held", heldBy(record.hold))
  const change = shown && changeSince(record, shown)
  if (change !== undefined) return refuse("record_moved", change)
  if (!byHand && !isExpired(record, moment)) return refuse("record_moved", "the record is no longer due")
  if (!byHand && isBackedOff(record, moment)) return refuse("lease_busy", "another has just tried it and failed")
  const { containerId } = record
  return containerId === null || isContainerId(containerId)
    ? Result.succeed({ ...record, containerId })
    : refuse("invalid_container_id", `not a full container id: ${printable(containerId)}`)
}

/**
 * Step 4 for a container that the engine described. It passes only if it carries this game's label, does not run and last
 * changed before the cutoff: then it may be removed, or is being removed. `now` is this service's clock; all times are Unix
 * milliseconds. If a container changed later than `maxClockSkew` from now, one of the two clocks is wrong. By hand its age does not count.
 */
export const judgeContainer = (
  container: Container,
  game: {
    readonly gameId: string
    readonly cutoff: number
    readonly now: number
    readonly maxClockSkew: Duration.Duration
    readonly byHand?: boolean | undefined
  }
): Result.Result<"removable" | "removing", Refused> => {
  if (container.gameId === null) return refuse("identity_mismatch", "the container has no game label")
  if (container.gameId !== game.gameId) {
    return refuse("identity_mismatch", `the container's label names another game: ${printable(container.gameId)}`)
  }
  const { state } = container
  if (state === "running" || state === "paused" || state === "restarting") {
    return refuse("container_running", `the record says stopped but the container is ${state}`)
  }
  const changed = Math.max(container.createdAt, container.startedAt ?? 0, container.finishedAt ?? 0)
  if (changed > game.now + Duration.toMillis(game.maxClockSkew)) {
    return refuse("engine_clock", `the container changed in the future: ${isoTime(changed)}`)
  }
  if (changed >= game.cutoff && game.byHand !== true) {
    return refuse("too_recent", `the container changed at ${isoTime(changed)}, after the cutoff`)
  }
  return Result.succeed(state === "removing" ? "removing" : "removable")
}
