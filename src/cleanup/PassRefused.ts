import { Duration, Schema } from "effect"
import { difference, type EngineId } from "../domain/EngineId.ts"
import type { ContainerEngineError } from "../ports/ContainerEngine.ts"
import type { StoreError } from "../ports/StoreError.ts"

/** The whole pass stops, without a row and without charging any game. */
export class PassRefused extends Schema.TaggedError<PassRefused>()("PassRefused", {
  /** Also the attribute `reason` of `rtmanager.cleanup.pass.refused`. */
  reason: Schema.Literals(["engine_changed", "engine_down", "clock_skew", "absent_brake", "cannot_record", "paused"]),
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }

  static paused = new PassRefused({ reason: "paused", detail: "RTMANAGER_CLEANUP_MODE is paused" })

  static engineChanged = (known: EngineId, present: EngineId) =>
    new PassRefused({
      reason: "engine_changed",
      detail: `the engine is ${present}, but the records' containers live on ${known}. ${difference(known, present)}. Only if those containers are gone for good, or all on this engine, run: engine accept`
    })

  static engineDown = (error: ContainerEngineError) => new PassRefused({ reason: "engine_down", detail: error.message })

  /** `ahead`: of the database's clock, in milliseconds; negative where the service's clock is behind. */
  static clockSkew = (ahead: number, limit: Duration.Duration) =>
    new PassRefused({
      reason: "clock_skew",
      detail: `this service's clock is ${Duration.format(Duration.millis(Math.abs(ahead)))} ${ahead > 0 ? "ahead of" : "behind"} the database's, more than RTMANAGER_CLEANUP_MAX_CLOCK_SKEW (${Duration.format(limit)}) allows`
    })

  static cannotRecord = (detail: string) =>
    new PassRefused({
      reason: "cannot_record",
      detail: `no further container is removed, as the database would not record it: ${detail}`
    })

  static absentBrake = (detail: string) =>
    new PassRefused({
      reason: "absent_brake",
      detail: `${detail}; see what became of them, then run: run --accept-absent`
    })
}

/** What can end a pass before its time. */
export type PassError = PassRefused | StoreError

export const isCannotRecord = (error: PassError | undefined): error is PassRefused =>
  error?._tag === "PassRefused" && error.reason === "cannot_record"

/** What a database's failure means for the pass: one that does not record needs a person, any other may come back. */
export const passError = (error: StoreError): PassError =>
  error.reason._tag === "CannotRecord" ? PassRefused.cannotRecord(error.reason.detail) : error

/** Nobody has to act: the pass may work as soon as the database or the engine is back. */
export const isAway = (error: PassError): boolean => error._tag === "StoreError" || error.reason === "engine_down"
