import { Cause, Clock, Context, Duration, Effect, Exit, Layer, Metric, Option, Random, Result } from "effect"
import { afterFailure } from "../domain/Backoff.ts"
import { isContainerId } from "../domain/ContainerId.ts"
import { lagSeconds } from "../domain/Expiry.ts"
import { type Refusal, rules } from "../domain/Outcome.ts"
import { printable } from "../domain/printable.ts"
import * as Metrics from "../observability/Metrics.ts"
import { ContainerEngine } from "../ports/ContainerEngine.ts"
import { type CommitResult, GameLeases, type SettledEnd } from "../ports/GameLeases.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import type { StoreError } from "../ports/StoreError.ts"
import { type Cleaned, type CleanupRequest, ended, refused } from "./Cleaned.ts"
import * as EngineLimit from "./EngineLimit.ts"
import { observed } from "./observe.ts"
import { PassRefused, passError } from "./PassRefused.ts"
import * as Trust from "./Trust.ts"
import { type End, type HeldGame, margin, underLease } from "./underLease.ts"

export interface CleanerOptions {
  /** That of the leases behind the port. */
  readonly leaseTtl: Duration.Duration
  /** The bound of one call to the engine. */
  readonly engineTimeout: Duration.Duration
  readonly maxClockSkew: Duration.Duration
  /** The most games that are at the engine at once. */
  readonly concurrency: number
}

/**
 * One game: lease, re-read, identity, inspect, remove, commit, in this order, which is the safety argument of the whole
 * service. Every attempt ends in exactly one conclusion, also by a defect or an interruption.
 */
export class Cleaner extends Context.Service<
  Cleaner,
  {
    /** How many games may be at the engine at once at this moment, as its latency has it. */
    readonly atOnce: EngineLimit.EngineLimit["atOnce"]
    /** Waits until one more game may be under way, as the engine's latency has it. For each `cleanup` of many. */
    readonly withRoom: EngineLimit.EngineLimit["withRoom"]
    /**
     * Interruption ends the waiting for the engine; then the lease is released, or left to expire if a removal is on
     * its way, and the conclusion is `interrupted`. The rest is not interruptible, and bounded by the ports' timeouts.
     */
    readonly cleanup: (request: CleanupRequest) => Effect.Effect<Cleaned>
    /** Games whose lease is left to expire, and has not yet, as a removal of ours may still be carried out. */
    readonly unresolved: Effect.Effect<ReadonlyArray<string>>
  }
>()("rtmanager/cleanup/Cleaner") {
  static readonly layer = (options: CleanerOptions) => Layer.effect(Cleaner, make(options))
}

const leaseSpan = Effect.withSpan("rtmanager.cleanup.lease")
const commitSpan = Effect.withSpan("rtmanager.cleanup.commit")

const make = Effect.fnUntraced(function* (options: CleanerOptions) {
  const { aside, atOnce, engine, withPermit, withRoom } = yield* EngineLimit.make(
    yield* ContainerEngine,
    options.concurrency
  )
  const leases = yield* GameLeases
  const records = yield* RuntimeRecords
  const length = Duration.subtract(options.leaseTtl, margin)

  /** One statement's trouble is that game's alone; a database that does not answer at all ends the pass. */
  const storeFailed = Effect.fnUntraced(function* (
    request: CleanupRequest,
    error: StoreError,
    known?: Partial<Cleaned>
  ) {
    const clock = error.reason._tag === "Withheld" ? Effect.fail(error) : records.clock
    const away = yield* Effect.match(clock, { onSuccess: () => undefined, onFailure: (away) => away })
    return away === undefined
      ? refused(request, { code: "store_unavailable", message: error.message }, known)
      : ended(request, "interrupted", error.message, { ...known, refusal: passError(away) })
  })

  const attempt = Effect.fnUntraced(function* (request: CleanupRequest): Effect.fn.Return<Cleaned> {
    const startedAt = yield* Clock.currentTimeMillis
    const first = yield* Trust.start(length)
    const asked = yield* leases.acquire(request.gameId).pipe(leaseSpan, Effect.result)
    if (Result.isFailure(asked)) return yield* storeFailed(request, asked.failure)
    const acquired = asked.success
    if (acquired._tag === "Busy") return refused(request, { code: "lease_busy", message: "another holds the lease" })
    if (acquired._tag === "Undecodable") return refused(request, { code: "record_moved", message: acquired.detail })

    const { lease, record, leftBy } = acquired
    if (leftBy === "another") yield* Metric.update(Metrics.leaseTakeovers, 1)
    const renew = Effect.orElseSucceed(leases.renew(lease), () => false)
    const game: HeldGame = {
      ...request,
      record,
      maxClockSkew: options.maxClockSkew,
      aside,
      trust: Trust.renewable(first, { length, renew }),
      leftBehind: leftBy !== undefined,
      removal: { inDoubt: false, end: undefined }
    }
    const exit = yield* withPermit(underLease(engine, options.engineTimeout, game)).pipe(
      Effect.interruptible,
      Effect.exit,
      Effect.map((exit) => (game.removal.end === undefined ? exit : Exit.succeed(game.removal.end)))
    )
    const unresolved = game.removal.inDoubt
    const containerId = isContainerId(record?.containerId) ? record.containerId : null
    const known = { containerId, imageRef: record?.imageRef ?? null, unresolved }
    const row = { ...known, opSource: request.opSource, sourceRef: request.sourceRef, startedAt, ...(yield* present) }

    const settle = (ended: Cleaned, end?: Partial<SettledEnd>) =>
      leases.settle(lease, { failure: undefined, backoff: undefined, keep: unresolved, ...end }).pipe(
        commitSpan,
        Effect.as(ended),
        Effect.catch((error) =>
          Effect.map(storeFailed(request, error, known), (failed) => notSettled(ended, failed)).pipe(
            Effect.tap(removedByUs(ended) ? request.recording.fail(game, passError(error)) : Effect.void)
          )
        )
      )
    const refuse = Effect.fnUntraced(function* (
      refusal: Refusal,
      { afterCommit = false, keep = unresolved, isRetriedSoon = false } = {}
    ) {
      const { code, message } = refusal
      const { logged } = rules[code]
      const ended = refused(request, refusal, known)
      if (logged === null) return yield* settle(ended, { keep })
      const failure = { ...row, errorCode: logged, message }
      if (code === "record_moved" || isRetriedSoon || record === undefined) {
        return yield* settle(ended, { failure, afterCommit, keep })
      }
      const random = yield* Random.next
      const backoff = afterFailure(record.backoff, { code, at: row.finishedAt, random })
      // A removal that may have been ours is told of, whoever holds the lease by now.
      return yield* settle(ended, { failure, backoff, afterCommit: afterCommit || unresolved, keep })
    })

    if (Exit.isFailure(exit)) {
      const refusal = Option.getOrUndefined(Exit.findErrorOption(exit))
      if (refusal === undefined && !Cause.hasInterruptsOnly(exit.cause)) return yield* refuse(yield* defect(exit.cause))
      return yield* settle(ended(request, "interrupted", refusal?.message ?? "interrupted", { ...known, refusal }))
    }
    const end = exit.value
    if (end._tag === "Refused") return yield* refuse(end)

    const message = end.outcome === "removed" ? "the container was removed" : "the container was already absent"
    const committed = yield* leases
      .commit(lease, end, { ...row, errorCode: null, message })
      .pipe(commitSpan, Effect.result)
    if (Result.isFailure(committed)) {
      const error = committed.failure
      yield* request.recording.fail(game, passError(error))
      if (error.reason._tag === "CannotRecord") {
        // The lease that is left behind says to its next holder why the container is gone. Without a backoff the game comes
        // first in the next pass.
        return yield* refuse(notRecorded(end, error.message), { keep: true, isRetriedSoon: true })
      }
      const reason = `${message}, but this could not be recorded: ${error.message}`
      const { refusal } = yield* storeFailed(request, error)
      return refused(request, { code: "store_unavailable", message: reason }, { ...known, refusal })
    }
    if (committed.success === "not_recorded") {
      yield* request.recording.fail(game, PassRefused.cannotRecord(swallowed))
      return yield* refuse(notRecorded(end, swallowed), { afterCommit: true, isRetriedSoon: true })
    }
    if (committed.success !== "committed") {
      return yield* refuse(notCommitted(end, committed.success), { afterCommit: true })
    }
    const lastOpAt = record?.lastOpAt ?? undefined
    const lag = lastOpAt === undefined ? undefined : lagSeconds(lastOpAt, request.moment, row.finishedAt)
    return ended(request, end.outcome, message, { ...known, lag, anonymousVolumes: end.anonymousVolumes })
  })

  const leftToExpire = new Map<string, Trust.Trust>()
  const unresolved = Effect.gen(function* () {
    for (const [gameId, { left }] of leftToExpire) {
      if (!Duration.isPositive(yield* left)) leftToExpire.delete(gameId)
    }
    return [...leftToExpire.keys()]
  })
  const remember = Effect.fnUntraced(function* ({ gameId, outcome, unresolved: isUnresolved }: Cleaned) {
    yield* unresolved
    if (outcome === "removed" || outcome === "already_absent") leftToExpire.delete(gameId)
    if (isUnresolved) leftToExpire.set(gameId, yield* Trust.start(options.leaseTtl))
  })

  const cleanup = (request: CleanupRequest) =>
    attempt(request).pipe(
      Effect.catchCause((cause) => Effect.map(defect(cause), (refusal) => refused(request, refusal))),
      Effect.tap(remember),
      Effect.tap(request.recording.end),
      (ended) => observed(request, ended),
      Effect.uninterruptible
    )
  return Cleaner.of({ atOnce, withRoom, cleanup, unresolved })
})

/** Whether a container is gone, or may be, by a removal of ours that has no success row. */
const removedByUs = ({ errorCode, unresolved }: Cleaned) => unresolved || errorCode === "removed_not_committed"

/** What an attempt had come to is kept where its end could not be written: the lease expires by itself. */
const notSettled = (ended: Cleaned, failed: Cleaned): Cleaned =>
  ended.outcome === "interrupted" || ended.errorCode === "removed_not_committed"
    ? { ...ended, refusal: ended.refusal ?? failed.refusal }
    : { ...failed, message: `${ended.message}, but this could not be recorded: ${failed.message}` }

const swallowed = "a trigger or a row security policy of the database lets the record stay as it is"

type Commit = Extract<End, { _tag: "Commit" }>

const removedAnd = ({ outcome }: Commit, why: string): Refusal => {
  const what = outcome === "removed" ? "was removed" : "is gone, probably by our removal"
  return { code: "removed_not_committed", message: `the container ${what}, but ${why}` }
}

/** The database refused or swallowed the change. */
const notRecorded = (end: Commit, why: string): Refusal =>
  end.byUs ? removedAnd(end, why) : { code: "store_unavailable", message: why }

/** The record was changed by someone else between our re-read and our commit. */
const notCommitted = (end: Commit, result: Exclude<CommitResult, "committed" | "not_recorded">): Refusal => {
  if (end.byUs) return removedAnd(end, "its record had changed meanwhile")
  return result === "already_removed"
    ? { code: "replay_no_op", message: "the record is already removed" }
    : { code: "record_moved", message: "the record changed meanwhile" }
}

const defect = (cause: Cause.Cause<unknown>) =>
  Effect.logError("cleanup.game.defect", cause).pipe(
    Effect.as<Refusal>({ code: "internal_error", message: printable(String(Cause.squash(cause))) })
  )

/** When an attempt ends and in which trace. */
const present = Effect.gen(function* () {
  const span = yield* Effect.option(Effect.currentSpan)
  return {
    finishedAt: yield* Clock.currentTimeMillis,
    traceId: Option.getOrNull(Option.map(span, ({ traceId }) => traceId))
  }
})
