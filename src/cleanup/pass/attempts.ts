import { type Duration, Effect, Ref, Semaphore } from "effect"
import type { AttemptEnd } from "../../domain/NotDone.ts"
import * as Report from "../../domain/PassReport.ts"
import type { RuntimeRecord } from "../../domain/RuntimeRecord.ts"
import { logGame } from "../../observability/gameTelemetry.ts"
import { ContainerEngine } from "../../ports/ContainerEngine.ts"
import type { PassError } from "../../ports/StoreError.ts"
import type { Brake } from "../engine/Brake.ts"
import { attemptOf } from "../game/Cleaned.ts"
import { Cleaner } from "../game/Cleaner.ts"
import type { PauseGate } from "../game/PauseGate.ts"
import { judge } from "./CleanupPlan.ts"
import type { Grace } from "./Grace.ts"
import { askedOf, type Drawing, requestOf, type Selection } from "./Selection.ts"

/** What the attempts of one pass share. */
export interface Shared extends Pick<Drawing, "opened" | "recording" | "onGame"> {
  readonly selection: Selection
  readonly trigger: Report.Trigger
  readonly brake: Brake
  readonly pause: PauseGate
  readonly grace: Grace
  readonly tally: Ref.Ref<Report.Tally>
}

/** What a pass does with each of its games. */
export interface Attempts extends Pick<Cleaner["Service"], "atOnce" | "withRoom"> {
  /** Counts and tells how the attempt ended. A game's failure is that game's alone: fails only with what concerns every game. */
  readonly attempt: (record: RuntimeRecord, shared: Shared) => Effect.Effect<void, PassError>
}

const counted = ({ onGame, tally }: Shared, ended: Report.Counted & AttemptEnd) =>
  Effect.andThen(
    Ref.update(tally, (now) => Report.withGame(now, ended)),
    onGame(ended)
  )

const isPaused = (error: PassError) => error._tag === "PassRefused" && error.reason === "paused"

/** Cleans each game. */
export const cleaning = Effect.map(
  Cleaner,
  ({ atOnce, cleanup, withRoom }): Attempts => ({
    atOnce,
    withRoom,
    attempt: (record, shared) => {
      const { brake, grace, opened, pause, recording, selection, trigger } = shared
      const { gameId } = record
      const asked = askedOf(selection, trigger)
      const request = { gameId, ...opened, brake, recording, pause, ...asked, ...requestOf(selection, record) }
      return cleanup(request).pipe(
        Effect.tapError((error) => counted(shared, attemptOf(error))),
        Effect.flatMap((cleaned) => counted(shared, cleaned)),
        Effect.catchReason("GameFailed", "StoreTrouble", ({ away }) =>
          away === undefined ? Effect.void : Effect.fail(away)
        ),
        Effect.catchTag("GameFailed", () => Effect.void),
        Effect.unwrapReason("CutShort"),
        // A pause leaves the removals that were sent before it time to end.
        Effect.tapError((error) => (isPaused(error) ? Effect.void : grace.forfeit)),
        grace.allow
      )
    }
  })
)

/** Judges each game as cleaning would, and touches nothing. */
export const tryingOut = Effect.fnUntraced(function* (options: {
  readonly maxClockSkew: Duration.Duration
  /** The most games at the engine at once. */
  readonly concurrency: number
}) {
  const engine = yield* ContainerEngine
  const tries = yield* Semaphore.make(options.concurrency)
  const attempt = Effect.fnUntraced(function* (record: RuntimeRecord, shared: Shared) {
    const { gameId } = record
    const request = requestOf(shared.selection, record)
    const judged = yield* judge(engine, shared.recording, record, { ...options, ...shared.opened, ...request })
    yield* counted(shared, { gameId, ...judged, unresolved: false, lag: undefined, anonymousVolumes: 0 })
    const more = { outcome: judged.outcome }
    yield* logGame({ gameId, ...judged, event: "cleanup.game.dry_run", level: "Info", more })
  })
  return { attempt, atOnce: Effect.succeed(options.concurrency), withRoom: tries.withPermit } satisfies Attempts
})
