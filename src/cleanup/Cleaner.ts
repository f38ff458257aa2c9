import { Array as Arr, Cause, Clock, Context, Duration, Effect, Exit, Layer, Metric, Option, Result } from "effect"
import { isContainerId } from "../domain/ContainerId.ts"
import { lagSeconds } from "../domain/Expiry.ts"
import { type Refusal, rules } from "../domain/Outcome.ts"
import { printable } from "../domain/printable.ts"
import * as Metrics from "../observability/Metrics.ts"
import { ContainerEngine } from "../ports/ContainerEngine.ts"
import { type AuditRow, GameLeases } from "../ports/GameLeases.ts"
import type { StoreError } from "../ports/StoreError.ts"
import { type Cleaned, type CleanupRequest, ended, refused } from "./Cleaned.ts"
import { observed } from "./observe.ts"
import * as Trust from "./Trust.ts"
import { type End, margin, underLease } from "./underLease.ts"

interface CleanerOptions {
  /** That of the leases behind the port. */
  readonly leaseTtl: Duration.Duration
  /** The bound of one call to the engine. */
  readonly engineTimeout: Duration.Duration
}

/**
 * One game: lease, re-read, identity, inspect, remove, commit, in this order, which is the safety argument of the whole
 * service. Every attempt ends in exactly one conclusion, also by a defect or an interruption.
 */
export class Cleaner extends Context.Service<
  Cleaner,
  {
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

const make = Effect.fnUntraced(function* (options: CleanerOptions) {
  const engine = yield* ContainerEngine
  const leases = yield* GameLeases

  const attempt = Effect.fnUntraced(function* (request: CleanupRequest): Effect.fn.Return<Cleaned, StoreError> {
    const startedAt = yield* Clock.currentTimeMillis
    const trust = yield* Trust.start(Duration.subtract(options.leaseTtl, margin))
    const acquired = yield* leases.acquire(request.gameId).pipe(Effect.withSpan("rtmanager.cleanup.lease"))
    if (acquired._tag === "Busy") return refused(request, { code: "lease_busy", message: "another holds the lease" })
    if (acquired._tag === "Undecodable") return refused(request, { code: "record_moved", message: acquired.detail })
    if (acquired.takenOver) yield* Metric.update(Metrics.leaseTakeovers, 1)

    const { lease, record } = acquired
    const removal = { inDoubt: false }
    const exit = yield* underLease(engine, options.engineTimeout, { ...request, record, trust, removal }).pipe(
      Effect.interruptible,
      Effect.exit
    )
    const unresolved = removal.inDoubt
    const containerId = isContainerId(record?.containerId) ? record.containerId : null
    const known = { containerId, imageRef: record?.imageRef ?? null, unresolved }
    const row = { ...known, opSource: request.opSource, sourceRef: request.sourceRef, startedAt, ...(yield* present) }

    const settle = (failure: AuditRow | undefined) =>
      leases.settle(lease, { failure, keep: unresolved }).pipe(Effect.withSpan("rtmanager.cleanup.commit"))
    const refuse = Effect.fnUntraced(function* (refusal: Refusal) {
      const errorCode = rules[refusal.code].logged
      yield* settle(errorCode === null ? undefined : { ...row, errorCode, message: refusal.message })
      return refused(request, refusal, known)
    })

    if (Exit.isFailure(exit)) {
      const refusal = Option.getOrUndefined(Exit.findErrorOption(exit))
      if (refusal === undefined && !Cause.hasInterruptsOnly(exit.cause)) return yield* refuse(yield* defect(exit.cause))
      yield* settle(undefined)
      const message = refusal?.message ?? "interrupted"
      return ended(request, "interrupted", message, { ...known, refusal })
    }
    const end = exit.value
    if (end._tag === "Refused") return yield* refuse(end)

    const message = end.outcome === "removed" ? "the container was removed" : "the container was already absent"
    const committed = yield* leases
      .commit(lease, end, { ...row, errorCode: null, message })
      .pipe(Effect.withSpan("rtmanager.cleanup.commit"), Effect.result)
    if (Result.isFailure(committed)) {
      const reason = `${message}, but this could not be recorded: ${committed.failure.message}`
      return refused(request, { code: "store_unavailable", message: reason }, known)
    }
    if (committed.success !== "committed") return yield* refuse(notCommitted(end, committed.success))
    const lag = record?.lastOpAt ? lagSeconds(record.lastOpAt, request.cutoff) : undefined
    return ended(request, end.outcome, message, { ...known, lag })
  })

  const leftToExpire = new Map<string, Trust.Trust>()
  const remember = Effect.fnUntraced(function* ({ gameId, unresolved }: Cleaned) {
    leftToExpire.delete(gameId)
    if (unresolved) leftToExpire.set(gameId, yield* Trust.start(options.leaseTtl))
  })
  const unresolved = Effect.suspend(() =>
    Effect.filter([...leftToExpire], ([, { left }]) => Effect.map(left, Duration.isPositive))
  ).pipe(Effect.map(Arr.map(([gameId]) => gameId)))

  const cleanup = (request: CleanupRequest) =>
    attempt(request).pipe(
      Effect.catch((error) => Effect.succeed(refused(request, { code: "store_unavailable", message: error.message }))),
      Effect.catchCause((cause) => Effect.map(defect(cause), (refusal) => refused(request, refusal))),
      Effect.tap(remember),
      (ended) => observed(request, ended),
      Effect.uninterruptible
    )
  return Cleaner.of({ cleanup, unresolved })
})

/** The record was changed by someone else between our re-read and our commit. */
const notCommitted = (end: Extract<End, { _tag: "Commit" }>, result: "already_removed" | "record_moved"): Refusal => {
  if (end.outcome === "removed") {
    return { code: "removed_not_committed", message: "the container was removed, but its record had changed meanwhile" }
  }
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
