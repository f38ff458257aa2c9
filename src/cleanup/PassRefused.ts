import { Schema } from "effect"
import type { ContainerEngineError, EngineId } from "../ports/ContainerEngine.ts"

/** The whole pass stops, without a row and without charging any game. */
export class PassRefused extends Schema.TaggedError<PassRefused>()("PassRefused", {
  /** Also the attribute `reason` of `rtmanager.cleanup.pass.refused`. */
  reason: Schema.Literals(["engine_changed", "engine_down", "paused"]),
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }

  static paused = new PassRefused({ reason: "paused", detail: "RTMANAGER_CLEANUP_MODE is paused" })

  static engineChanged = (known: EngineId, present: EngineId) =>
    new PassRefused({
      reason: "engine_changed",
      detail: `the engine is ${present} but the records' containers live on ${known}; if that is meant, run: engine accept`
    })

  static engineDown = (error: ContainerEngineError) => new PassRefused({ reason: "engine_down", detail: error.message })
}
