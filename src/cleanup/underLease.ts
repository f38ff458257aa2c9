import { Data, Duration, Effect } from "effect"
import type { ContainerId } from "../domain/ContainerId.ts"
import type { Refusal } from "../domain/Outcome.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"
import type { ContainerEngine, ContainerEngineError, EngineId } from "../ports/ContainerEngine.ts"
import { decide, decideAfterRemoval, type NotRemovable, refusalOf } from "./decide.ts"
import { PassRefused } from "./PassRefused.ts"
import type { Trust } from "./Trust.ts"

/** What must be left of a lease's trust when a removal has used all of its time, so that it can still be recorded. */
export const margin = Duration.seconds(5)

/** What the steps under the lease came to, and so how the lease is to be settled. */
export type End = Data.TaggedEnum<{
  Commit: { readonly outcome: "removed" | "already_absent"; readonly containerId: ContainerId | null }
  Refused: Refusal
}>
export const End = Data.taggedEnum<End>()

/** A game whose lease we hold. */
export interface HeldGame {
  readonly gameId: string
  readonly record: RuntimeRecord | undefined
  readonly cutoff: number
  readonly engineId: EngineId
  readonly trust: Trust
  /** Set while a removal of ours may still be carried out, whatever becomes of this fiber. */
  readonly removal: { inDoubt: boolean }
}

type Engine = ContainerEngine["Service"]

/** Steps 2 to 5, the only place that removes a container. Fails with `PassRefused` where no game can be cleaned now. */
export const underLease = Effect.fnUntraced(
  function* (
    engine: Engine,
    engineTimeout: Duration.Duration,
    game: HeldGame
  ): Effect.fn.Return<End, ContainerEngineError | PassRefused> {
    const decision = yield* decide(engine, game.record, { ...game, patience: engineTimeout })
    if (decision._tag !== "Removable") return yield* endOf(engine, game, decision)

    const left = yield* game.trust.left
    if (Duration.isLessThan(left, Duration.sum(engineTimeout, margin))) {
      return End.Refused({ code: "lease_lost", message: "too little of the lease is left for a removal" })
    }
    return yield* remove(engine, engineTimeout, game, decision.containerId)
  },
  (self, engine, _, game) =>
    Effect.catchTag(self, "ContainerEngineError", (error) =>
      Effect.map(refusalOf(engine, error), (refusal) =>
        End.Refused(game.removal.inDoubt ? { code: "outcome_unknown", message: error.message } : refusal)
      )
    )
)

/** Interruptible only while it waits for the engine: what the engine has told us is not forgotten on the way back. */
const remove = (engine: Engine, engineTimeout: Duration.Duration, game: HeldGame, containerId: ContainerId) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      game.removal.inDoubt = true
      const result = yield* restore(engine.remove(containerId)).pipe(
        Effect.withSpan("rtmanager.cleanup.remove", { kind: "client" }),
        Effect.tapError(() => settled(game))
      )
      if (result === "removed" || result === "absent") game.removal.inDoubt = false
      if (result === "removed") return End.Commit({ outcome: "removed", containerId })
      if (result === "absent") return yield* restore(alreadyAbsent(engine, game, containerId))

      const patience = Duration.min(engineTimeout, Duration.subtract(yield* game.trust.left, margin))
      const seen = yield* restore(decideAfterRemoval(engine, containerId, { ...game, patience }))
      if (result === "refused" && !isUnresolved(seen)) game.removal.inDoubt = false
      return yield* restore(endOf(engine, game, seen))
    })
  )

const isUnresolved = (decision: NotRemovable) => decision._tag === "Refused" && decision.code === "outcome_unknown"

const settled = (game: HeldGame) =>
  Effect.sync(() => {
    game.removal.inDoubt = false
  })

const endOf = (
  engine: Engine,
  game: HeldGame,
  decision: NotRemovable
): Effect.Effect<End, ContainerEngineError | PassRefused> =>
  decision._tag === "Absent" ? alreadyAbsent(engine, game, decision.containerId) : Effect.succeed(End.Refused(decision))

/** A fresh or wrong engine calls every container absent, so the engine is asked who it is before absence is believed. */
const alreadyAbsent = Effect.fnUntraced(function* (engine: Engine, game: HeldGame, containerId: ContainerId | null) {
  const present = yield* engine.identity
  if (present !== game.engineId) return yield* PassRefused.engineChanged(game.engineId, present)
  game.removal.inDoubt = false
  return End.Commit({ outcome: "already_absent", containerId })
})
