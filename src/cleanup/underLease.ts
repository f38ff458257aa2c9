import { Data, Duration, Effect } from "effect"
import type { ContainerId } from "../domain/ContainerId.ts"
import type { Moment } from "../domain/Expiry.ts"
import type { Refusal } from "../domain/Outcome.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"
import { judgeRecord } from "../domain/Verdict.ts"
import type { ContainerEngine, ContainerEngineError, EngineId } from "../ports/ContainerEngine.ts"
import type { Brake, Found } from "./Brake.ts"
import {
  askEngine,
  confirmAbsence,
  type Decision,
  decideAfterRemoval,
  type NotRemovable,
  type Question,
  refusalOf
} from "./decide.ts"
import { type PassError, PassRefused } from "./PassRefused.ts"
import type { Recording } from "./Recording.ts"
import type { RenewableTrust } from "./Trust.ts"

/** What must be left of a lease's trust when a removal has used all of its time, so that it can still be recorded. */
export const margin = Duration.seconds(5)

/** What the steps under the lease came to, and so how the lease is to be settled. */
export type End = Data.TaggedEnum<{
  Commit: {
    readonly outcome: "removed" | "already_absent"
    readonly containerId: ContainerId | null
    /** The removal was ours, or may have been. */
    readonly byUs: boolean
    /** Those of the container, which stay. */
    readonly anonymousVolumes: number
  }
  Refused: Refusal
}>
export const End = Data.taggedEnum<End>()

/** A game whose lease we hold. */
export interface HeldGame {
  readonly gameId: string
  readonly record: RuntimeRecord | undefined
  readonly moment: Moment
  readonly maxClockSkew: Duration.Duration
  readonly aside: Question["aside"]
  readonly engineId: EngineId
  readonly trust: RenewableTrust
  readonly brake: Brake
  readonly recording: Recording
  /** Whoever held the lease before may have removed the container and not come to record it. */
  readonly leftBehind: boolean
  /**
   * What is to be remembered whatever becomes of this fiber: `inDoubt` while a removal of ours may still be carried out,
   * `end` once the engine has said that it was.
   */
  readonly removal: { inDoubt: boolean; end: End | undefined }
}

type Engine = ContainerEngine["Service"]

/** Steps 2 to 5, the only place that removes a container. Fails where no game can be cleaned now. */
export const underLease = (
  engine: Engine,
  engineTimeout: Duration.Duration,
  game: HeldGame
): Effect.Effect<End, PassError> =>
  steps(engine, engineTimeout, game).pipe(
    Effect.catchTag("ContainerEngineError", (error) =>
      Effect.map(refusalOf(engine, error), (refusal) =>
        End.Refused(game.removal.inDoubt ? { code: "outcome_unknown", message: error.message } : refusal)
      )
    )
  )

/** A game that had to wait until others were recorded is looked at `again`: much may have changed. */
const steps: (
  engine: Engine,
  engineTimeout: Duration.Duration,
  game: HeldGame,
  again?: "again"
) => Effect.Effect<End, ContainerEngineError | PassError> = Effect.fnUntraced(
  function* (engine, engineTimeout, game, again) {
    const verdict = judgeRecord(game.record, game.moment)
    if (verdict._tag === "Refused") return End.Refused(verdict)
    const decision = yield* askEngine(engine, verdict, { ...game, patience: engineTimeout })
    const unexplained = game.leftBehind ? "explained" : "absent"
    const found = decision._tag === "Absent" ? unexplained : "there"
    const unanswered = again === undefined || found !== "there" ? yield* looked(game, found) : undefined
    if (unanswered !== undefined) return End.Refused(unanswered)
    if (decision._tag === "Absent") return yield* alreadyAbsent(engine, game, decision.containerId)
    if (decision._tag === "Refused") return End.Refused(decision)

    const begun = yield* game.recording.begin(verdict.record, game.aside)
    if (begun === "waited") return yield* steps(engine, engineTimeout, game, "again")
    if (begun !== "begun") return End.Refused(begun)
    if (!(yield* game.trust.lasts(Duration.sum(engineTimeout, margin)))) {
      return End.Refused({ code: "lease_lost", message: "too little of the lease is left for a removal" })
    }
    return yield* remove(engine, engineTimeout, game, decision)
  }
)

/** If nobody could be asked what else the engine should have, that is this game's trouble alone. */
const looked = ({ brake }: HeldGame, found: Found) =>
  brake.looked(found).pipe(
    Effect.as(undefined),
    Effect.catchTag("StoreError", ({ message }) => Effect.succeed<Refusal>({ code: "store_unavailable", message }))
  )

const removeSpan = Effect.withSpan("rtmanager.cleanup.remove", { kind: "client" })

/** Interruptible only while it waits for the engine: what the engine has told us is not forgotten on the way back. */
const remove = (
  engine: Engine,
  engineTimeout: Duration.Duration,
  game: HeldGame,
  { anonymousVolumes, containerId }: Extract<Decision, { readonly _tag: "Removable" }>
) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      game.removal.inDoubt = true
      const result = yield* restore(engine.remove(containerId)).pipe(
        removeSpan,
        Effect.tapError(() => settled(game))
      )
      if (result === "removed" || result === "absent") game.removal.inDoubt = false
      if (result === "removed") {
        game.removal.end = End.Commit({ outcome: "removed", containerId, byUs: true, anonymousVolumes })
        return game.removal.end
      }
      if (result === "absent") return yield* restore(alreadyAbsent(engine, game, containerId))

      yield* restore(game.trust.lasts(Duration.sum(engineTimeout, margin)))
      const patience = Duration.min(engineTimeout, Duration.subtract(yield* game.trust.left, margin))
      const refused = result === "unknown" ? undefined : result
      const seen = yield* restore(decideAfterRemoval(engine, containerId, refused, { ...game, patience }))
      if (refused?.by === "engine" && !isUnresolved(seen)) game.removal.inDoubt = false
      if (seen._tag === "Refused") return End.Refused(seen)
      return yield* restore(alreadyAbsent(engine, game, containerId, { byUs: refused?.by !== "engine" }))
    })
  )

const isUnresolved = (decision: NotRemovable) => decision._tag === "Refused" && decision.code === "outcome_unknown"

const settled = (game: HeldGame) =>
  Effect.sync(() => {
    game.removal.inDoubt = false
  })

/**
 * A fresh or wrong engine calls every container absent. So between the look that found nothing and another one, and once
 * more after that, the engine is asked who it is: whatever one swap of engines behind the address makes of the looks, one
 * of the two answers gives it away. A removal that may have been ours is recorded whatever other containers the game has.
 */
const alreadyAbsent = Effect.fnUntraced(function* (
  engine: Engine,
  game: HeldGame,
  containerId: ContainerId | null,
  { byUs } = { byUs: false }
) {
  yield* isKnown(engine, game)
  const confirmed = yield* confirmAbsence(engine, game.gameId, containerId)
  yield* isKnown(engine, game)
  if (confirmed._tag === "Refused" && !(byUs && confirmed.code === "container_unrecorded"))
    return End.Refused(confirmed)
  game.removal.inDoubt = false
  return End.Commit({ outcome: "already_absent", containerId, byUs, anonymousVolumes: 0 })
})

/** Whether the engine behind the address is still the one that the pass began with. */
export const isKnown = Effect.fnUntraced(function* (engine: Engine, { engineId }: Pick<HeldGame, "engineId">) {
  const present = yield* engine.identity
  if (present !== engineId) return yield* PassRefused.engineChanged(engineId, present)
})
