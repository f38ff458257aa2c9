import { Clock, Context, Duration, Effect, Exit, Layer, Metric, Option, Result } from "effect"
import { isContainerId } from "../../domain/ContainerId.ts"
import type { Refused } from "../../domain/Outcome.ts"
import { gameBegan, gameEnded, gameLeased, gameSpan } from "../../observability/gameTelemetry.ts"
import * as Metrics from "../../observability/Metrics.ts"
import { ContainerEngine } from "../../ports/ContainerEngine.ts"
import { GameLeases } from "../../ports/GameLeases.ts"
import { RuntimeRecords } from "../../ports/RuntimeRecords.ts"
import { type PassError, passError, type StoreError } from "../../ports/StoreError.ts"
import * as EngineLimit from "../engine/EngineLimit.ts"
import {
  attemptOf,
  type Cleaned,
  type CleanupRequest,
  type Conclusion,
  type CutShort,
  concluded,
  cutShort,
  type GameFacts,
  type GameFailed
} from "./Cleaned.ts"
import { defect, record } from "./record.ts"
import { type Gone, type LeasedGame, margin, type Unresolved, underLease } from "./remove.ts"
import * as Trust from "./Trust.ts"
import * as UnresolvedRemovals from "./UnresolvedRemovals.ts"

export interface CleanerOptions {
  /** The TTL of the leases behind the port. */
  readonly leaseTtl: Duration.Duration
  /** The longest that one call to the engine takes. */
  readonly engineTimeout: Duration.Duration
  readonly maxClockSkew: Duration.Duration
  /** The most games that are at the engine at once. */
  readonly concurrency: number
}

/**
 * One game: lease, re-read, identity, inspect, remove, commit. This order is the safety argument of the whole service. Every
 * attempt ends in exactly one conclusion, even by a defect or an interruption.
 */
export class Cleaner extends Context.Service<
  Cleaner,
  {
    /** The current limit of games at the engine, derived from its latency. */
    readonly atOnce: EngineLimit.EngineLimit["atOnce"]
    /** Waits until there is room for one more game. When cleaning many, wrap each `cleanup` in it. */
    readonly withRoom: EngineLimit.EngineLimit["withRoom"]
    /**
     * Fails with `GameFailed` if only this game is affected, and with `CutShort`, whose `reason` says why, if no game can be
     * cleaned now. An interruption ends only waiting: for the engine, for a place at it, for the recording of others, for
     * the database's answer to a renewal, a rehearsal or the questions for witnesses and for a pause. Then the
     * lease is released, or left to expire if a removal is on its way, and the outcome is `interrupted`. The rest is not
     * interruptible, and the ports' timeouts bound it.
     */
    readonly cleanup: (request: CleanupRequest) => Effect.Effect<Cleaned, GameFailed | CutShort>
    /** Games whose lease is left to expire because the engine may still carry out a removal of ours. */
    readonly unresolved: Effect.Effect<ReadonlyArray<string>>
  }
>()("rtmanager/cleanup/Cleaner") {
  static readonly layer = (options: CleanerOptions) => Layer.effect(Cleaner, make(options))
}

const leaseSpan = Effect.withSpan("rtmanager.cleanup.lease")

const make = Effect.fnUntraced(function* (options: CleanerOptions) {
  const limit = yield* EngineLimit.make(interruptibly(yield* ContainerEngine), options.concurrency)
  const { engine } = limit
  const leases = yield* GameLeases
  const records = yield* RuntimeRecords
  const length = Duration.subtract(options.leaseTtl, margin)
  const unresolved = yield* UnresolvedRemovals.make(options.leaseTtl)

  /**
   * Why the database is away, if it is. A failed statement alone is that game's trouble; a database that is away ends the
   * pass.
   */
  const awayBy = (error: StoreError): Effect.Effect<PassError | undefined> =>
    error.reason._tag === "Withheld"
      ? Effect.succeed(error)
      : Effect.match(records.clock, { onSuccess: () => undefined, onFailure: passError })

  const attempt = Effect.fnUntraced(function* (request: CleanupRequest): Effect.fn.Return<Conclusion> {
    const nothing = nothingOf(request)
    const startedAt = yield* Clock.currentTimeMillis
    const trust = yield* Trust.start(length)
    const asked = yield* leases.acquire(request.gameId).pipe(leaseSpan, Effect.result)
    if (Result.isFailure(asked)) {
      const { message } = asked.failure
      const away = yield* awayBy(asked.failure)
      return away === undefined
        ? concluded(nothing, { code: "store_unavailable", message })
        : cutShort(nothing, message, away)
    }
    const acquired = asked.success
    if (acquired._tag === "Busy") return concluded(nothing, { code: "lease_busy", message: "another holds the lease" })
    if (acquired._tag === "Undecodable") return concluded(nothing, { code: "record_moved", message: acquired.detail })
    const { lease, leftBy } = acquired
    if (leftBy === "another") yield* Metric.update(Metrics.leaseTakeovers, 1)
    if (acquired.record !== undefined) yield* gameLeased(acquired.record, request)
    const game: LeasedGame = {
      ...request,
      lease,
      startedAt,
      record: acquired.record,
      maxClockSkew: options.maxClockSkew,
      aside: limit.aside,
      trust,
      renew: Effect.interruptible(Effect.orElseSucceed(leases.renew(lease), () => false)),
      leftBehind: leftBy !== undefined
    }
    const steps = limit.withPermit(underLease(engine, options.engineTimeout, game))
    const { exit, isUnresolved } = resolved(yield* Effect.exit(steps))
    const facts: GameFacts = {
      gameId: request.gameId,
      containerId: isContainerId(game.record?.containerId) ? game.record.containerId : null,
      imageRef: game.record?.imageRef ?? null,
      unresolved: isUnresolved
    }
    if (isUnresolved) yield* unresolved.add(request.gameId)
    return yield* record({ leases, awayBy }, game, facts, exit)
  })

  const attemptAndTell = Effect.fnUntraced(function* (request: CleanupRequest) {
    const began = yield* gameBegan
    const conclusion = yield* Effect.catchCause(attempt(request), (cause) =>
      Effect.map(defect(cause), (refused) => concluded(nothingOf(request), refused))
    ).pipe(Effect.onError(() => request.recording.end(request.gameId, false)))
    const ended = Result.getOrElse(conclusion, attemptOf)
    const isGone = ended.outcome === "removed" || ended.outcome === "already_absent"
    if (isGone) yield* unresolved.delete(request.gameId)
    yield* request.recording.end(request.gameId, isGone)
    yield* gameEnded(began, request, ended)
    // Nothing is wrong with a game that was cut short, so its span does not fail.
    return Result.isFailure(conclusion) && conclusion.failure._tag === "GameFailed"
      ? yield* conclusion.failure
      : conclusion
  })

  const cleanup = (request: CleanupRequest) =>
    attemptAndTell(request).pipe(gameSpan(request), Effect.flatMap(Effect.fromResult), Effect.uninterruptible)
  return Cleaner.of({ atOnce: limit.atOnce, withRoom: limit.withRoom, cleanup, unresolved: unresolved.list })
})

const nothingOf = ({ gameId }: CleanupRequest): GameFacts => ({
  gameId,
  containerId: null,
  imageRef: null,
  unresolved: false
})

/** Only the waiting for the engine can be interrupted: every answer is acted on. */
const interruptibly = (engine: ContainerEngine["Service"]): ContainerEngine["Service"] => ({
  ping: Effect.interruptible(engine.ping),
  identity: Effect.interruptible(engine.identity),
  inspect: (id) => Effect.interruptible(engine.inspect(id)),
  findByGame: (gameId) => Effect.interruptible(engine.findByGame(gameId)),
  remove: (id) => Effect.interruptible(engine.remove(id))
})

/** How the steps ended, and whether the engine may still carry out a removal of ours. */
const resolved = (
  exit: Exit.Exit<Gone, Refused | PassError | Unresolved>
): { readonly exit: Exit.Exit<Gone, Refused | PassError>; readonly isUnresolved: boolean } => {
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  return error?._tag === "Unresolved"
    ? { exit: Exit.failCause(error.cause), isUnresolved: true }
    : { exit: exit as Exit.Exit<Gone, Refused | PassError>, isUnresolved: false }
}
