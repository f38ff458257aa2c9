import { Duration, Schema } from "effect"
import { difference, type EngineId } from "./EngineId.ts"
import type { EngineName } from "./EngineName.ts"
import type { Pause } from "./Pause.ts"
import { printable, printableEnds } from "./printable.ts"
import { timeText } from "./time.ts"

/** Why a guard refuses a pass: the closed set, also the attribute `reason` of `rtmanager.cleanup.pass.refused`. */
export const refusals = [
  "engine_changed",
  "engine_down",
  "clock_skew",
  "absent_brake",
  "cannot_record",
  "paused",
  "retention_shortened"
] as const
export type Refusal = (typeof refusals)[number]

/**
 * Why a pass can end early: the closed set, also the attribute `reason` of `rtmanager.cleanup.pass.blocked` and the
 * `error.type` of the pass's span. What is no refusal is the database's trouble.
 */
export const passReasons = [...refusals, "database_down", "not_migrated", "unsafe_session"] as const
export type PassReason = (typeof passReasons)[number]

export const isRefusal = Schema.is(Schema.Literals(refusals))

/** As long as a reason can be. */
const whole = printableEnds(250)

/** The whole pass stops. No row is written and no game is charged. */
export class PassRefused extends Schema.TaggedError<PassRefused>()("PassRefused", {
  reason: Schema.Literals(refusals),
  message: Schema.String
}) {
  static paused = new PassRefused({ reason: "paused", message: "RTMANAGER_CLEANUP_MODE is paused" })

  /** The text names who paused, since when, until when and why. */
  static pausedBy = ({ author, pausedAt, reason, until }: Pause) =>
    new PassRefused({
      reason: "paused",
      message: `${printable(author)} has paused cleaning since ${timeText(pausedAt)}, ${until === null ? "until somebody resumes it" : `until ${timeText(until)}`}: "${whole(reason)}". To end that, run: resume --reason REASON`
    })

  static engineChanged = (known: EngineId, present: EngineId) =>
    new PassRefused({
      reason: "engine_changed",
      message: `the engine is ${present}, but the records' containers live on ${known}. ${difference(known, present)}. Only if those containers are gone for good, or all on this engine, run: engine accept --reason REASON`
    })

  /** Two services with different names over one engine would each call the other's containers absent. */
  static engineOfAnother = (name: EngineName, other: string, present: EngineId) =>
    new PassRefused({
      reason: "engine_changed",
      message: `the engine that answers is ${other}, not ${name}: ${present} is known by that name. This service has the other's address or the wrong RTMANAGER_ENGINE_NAME, or its host is a copy of the other's: see docs/hosts.md`
    })

  static engineDown = ({ message }: Error) => new PassRefused({ reason: "engine_down", message })

  /** `ahead`: of the database's clock, in milliseconds; negative if the service's clock is behind. */
  static clockSkew = (ahead: number, limit: Duration.Duration) =>
    new PassRefused({
      reason: "clock_skew",
      message: `this service's clock is ${Duration.format(Duration.millis(Math.abs(ahead)))} ${ahead > 0 ? "ahead of" : "behind"} the database's, more than RTMANAGER_CLEANUP_MAX_CLOCK_SKEW (${Duration.format(limit)}) allows`
    })

  static cannotRecord = (why: string) =>
    new PassRefused({
      reason: "cannot_record",
      message: `no further container is removed, because the database would not record it: ${why}`
    })

  static retentionShortened = ({
    newlyDue,
    present,
    stored
  }: {
    readonly stored: Duration.Duration
    readonly present: Duration.Duration
    readonly newlyDue: number
  }) =>
    new PassRefused({
      reason: "retention_shortened",
      message: `the retention is ${Duration.format(present)} and was ${Duration.format(stored)} before, which makes ${newlyDue} more games due at once. If RTMANAGER_CONTAINER_RETENTION_DAYS is right, run: retention accept --reason REASON`
    })

  static absentBrake = (why: string) =>
    new PassRefused({
      reason: "absent_brake",
      message: `${why}; see what became of them, then run: run --accept-absent --reason REASON`
    })
}
