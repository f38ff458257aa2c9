import { Cause, Data, Duration, Effect, Option } from "effect"
import type { ContainerId } from "../../domain/ContainerId.ts"
import { Refused } from "../../domain/Outcome.ts"
import type { PassRefused } from "../../domain/PassRefused.ts"
import type { RuntimeRecord } from "../../domain/RuntimeRecord.ts"
import { judgeRecord } from "../../domain/Verdict.ts"
import type { ContainerEngine, ContainerEngineError } from "../../ports/ContainerEngine.ts"
import type { Lease } from "../../ports/GameLeases.ts"
import type { PassError } from "../../ports/StoreError.ts"
import type { Sighting } from "../engine/Brake.ts"
import type { Aside } from "../engine/EngineLimit.ts"
import { onSameEngine } from "../engine/expectedEngine.ts"
import type { CleanupRequest } from "./Cleaned.ts"
import { awaitAbsence, blameByPing, confirmAbsence, type Found, find } from "./inspect.ts"
import * as PauseGate from "./PauseGate.ts"
import type { Trust } from "./Trust.ts"

/** What must be left of a lease's trust when a removal has used all of its time, so that it can still be recorded. */
export const margin = Duration.seconds(5)

/** A game's container that is gone, which is to be recorded. */
export interface Gone {
  readonly outcome: "removed" | "already_absent"
  readonly containerId: ContainerId | null
  /** We removed it, or may have. */
  readonly byUs: boolean
  /** Those of the container. They stay. */
  readonly anonymousVolumes: number
}

/** The steps ended like this, and the engine may still carry out a removal of ours. */
export class Unresolved extends Data.TaggedError("Unresolved")<{
  readonly cause: Cause.Cause<Refused | PassError>
}> {}

/** A game whose lease we hold. */
export interface LeasedGame extends CleanupRequest {
  readonly lease: Lease
  /** When the attempt began, in Unix milliseconds. */
  readonly startedAt: number
  /** As it was read under the lease; `undefined` if it is gone. */
  readonly record: RuntimeRecord | undefined
  readonly maxClockSkew: Duration.Duration
  readonly aside: Aside
  readonly trust: Trust
  readonly renew: Effect.Effect<boolean>
  /** Whoever held the lease before may have removed the container and not come to record it. */
  readonly leftBehind: boolean
}

type Engine = ContainerEngine["Service"]

/**
 * Steps 2 to 5, the only place that removes a container. `Refused` is this game's trouble alone, a `PassError` means that
 * no game can be cleaned now. Run it uninterruptible: only its waiting can be interrupted, and what the engine has answered
 * is always acted on.
 */
export const underLease = (
  engine: Engine,
  engineTimeout: Duration.Duration,
  game: LeasedGame
): Effect.Effect<Gone, Refused | PassError | Unresolved> =>
  Effect.catchTag(steps(engine, engineTimeout, game), "ContainerEngineError", blameByPing(engine))

/** A game that had to wait until others were recorded is looked at `again`: much may have changed. */
const steps: (
  engine: Engine,
  engineTimeout: Duration.Duration,
  game: LeasedGame,
  again?: "again"
) => Effect.Effect<Gone, ContainerEngineError | Refused | PassError | Unresolved> = Effect.fnUntraced(
  function* (engine, engineTimeout, game, again) {
    const due = yield* Effect.fromResult(judgeRecord(game.record, game))
    // A refusal has seen a container too.
    const countThere = again === undefined ? sighted(game, "there") : Effect.void
    const found = yield* find(engine, due.containerId, { ...game, patience: engineTimeout }).pipe(
      Effect.tapErrorTag("Refused", () => countThere)
    )
    if (found._tag === "Absent") {
      yield* sighted(game, game.leftBehind ? "explained" : "absent")
      return yield* alreadyAbsent(engine, game, found.containerId)
    }
    yield* countThere
    const begun = yield* Effect.interruptible(game.recording.begin(due, game.aside))
    if (begun === "waited") return yield* steps(engine, engineTimeout, game, "again")
    yield* mayRemove(Duration.sum(engineTimeout, margin), game)
    return yield* remove(engine, engineTimeout, game, found)
  }
)

/** The last questions before a removal that takes so long: whether the lease covers it, and whether a person has paused. */
const mayRemove: (removal: Duration.Duration, game: LeasedGame) => Effect.Effect<void, Refused | PassRefused> =
  Effect.fnUntraced(function* (removal, game) {
    if (!(yield* game.trust.ensure(Duration.sum(PauseGate.patience, removal), game.renew))) return yield* tooLittleLeft
    yield* Effect.interruptible(game.pause.ensure).pipe(
      Effect.catchTag("StoreError", ({ message }) => new Refused({ code: "store_unavailable", message }))
    )
    // The machine may have slept while it waited for the answer, or after it.
    if (Duration.isLessThan(yield* game.trust.left, removal)) return yield* tooLittleLeft
    if (!(yield* game.pause.isFresh)) return yield* mayRemove(removal, game)
  })

const tooLittleLeft = new Refused({ code: "lease_lost", message: "too little of the lease is left for a removal" })

/** If the database does not say what else the engine should have, that is this game's trouble alone. */
const sighted = ({ brake }: LeasedGame, sighting: Sighting) =>
  brake.count(sighting).pipe(
    Effect.interruptible,
    Effect.catchTag("StoreError", ({ message }) => new Refused({ code: "store_unavailable", message }))
  )

/** Sends the removal. Unless the engine's word is certain, it fails as `Unresolved`, whatever went wrong after the sending. */
const remove = (
  engine: Engine,
  engineTimeout: Duration.Duration,
  game: LeasedGame,
  { anonymousVolumes, containerId }: Extract<Found, { readonly _tag: "Removable" }>
): Effect.Effect<Gone, ContainerEngineError | Refused | PassError | Unresolved> =>
  engine.remove(containerId).pipe(
    // It fails only if the request certainly did not reach the engine.
    unresolvedIf((cause) => !Cause.hasFails(cause)),
    Effect.flatMap((result) => {
      if (result === "removed") {
        return Effect.succeed<Gone>({ outcome: "removed", containerId, byUs: true, anonymousVolumes })
      }
      if (result === "absent") return alreadyAbsent(engine, game, containerId)
      const lookAgain = Effect.gen(function* () {
        yield* game.trust.ensure(Duration.sum(engineTimeout, margin), game.renew)
        const patience = Duration.min(engineTimeout, Duration.subtract(yield* game.trust.left, margin))
        yield* awaitAbsence(engine, containerId, result, { ...game, patience })
      })
      const uncertain = blameByPing(engine, "outcome_unknown")
      return result._tag === "RemovalRefused" && result.by === "engine"
        ? lookAgain.pipe(
            Effect.catchTag("ContainerEngineError", uncertain),
            unresolvedIf((cause) => !isKept(cause)),
            Effect.andThen(alreadyAbsent(engine, game, containerId))
          )
        : lookAgain.pipe(
            Effect.andThen(alreadyAbsent(engine, game, containerId, { byUs: true })),
            Effect.catchTag("ContainerEngineError", uncertain),
            unresolvedIf(() => true)
          )
    })
  )

const unresolvedIf =
  <E extends ContainerEngineError | Refused | PassError>(isUnresolved: (cause: Cause.Cause<E>) => boolean) =>
  <A>(self: Effect.Effect<A, E>): Effect.Effect<A, E | Unresolved> =>
    Effect.catchCause(
      self,
      (cause): Effect.Effect<never, E | Unresolved> =>
        isUnresolved(cause)
          ? Effect.fail(new Unresolved({ cause: cause as Cause.Cause<Exclude<E, ContainerEngineError>> }))
          : Effect.failCause(cause)
    )

/** The engine has said why the container stays. */
const isKept = (cause: Cause.Cause<Refused | PassError>) => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  return error?._tag === "Refused" && error.code !== "outcome_unknown"
}

/**
 * A fresh or wrong engine calls every container absent, so the engine is asked for its identity between the look that found
 * nothing and another one, and once more after that. A removal that may have been ours is recorded whatever other containers the
 * game has.
 */
const alreadyAbsent = Effect.fnUntraced(function* (
  engine: Engine,
  game: LeasedGame,
  containerId: ContainerId | null,
  { byUs } = { byUs: false }
): Effect.fn.Return<Gone, ContainerEngineError | Refused | PassRefused> {
  const look = confirmAbsence(engine, game.gameId, containerId).pipe(Effect.catchTag("Refused", Effect.succeed))
  const kept = yield* onSameEngine(engine, game.engineId, look)
  if (kept !== undefined && !(byUs && kept.code === "container_unrecorded")) return yield* kept
  return { outcome: "already_absent", containerId, byUs, anonymousVolumes: 0 }
})
