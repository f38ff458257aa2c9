import { Cause, Clock, Effect, Exit, Option, Random, Result } from "effect"
import { afterFailure } from "../../domain/Backoff.ts"
import { lagSeconds } from "../../domain/Expiry.ts"
import { Refused, rules } from "../../domain/Outcome.ts"
import { PassRefused } from "../../domain/PassRefused.ts"
import { printable } from "../../domain/printable.ts"
import type { CommitResult, GameLeases, SettledEnd } from "../../ports/GameLeases.ts"
import { type PassError, passError, type StoreError } from "../../ports/StoreError.ts"
import { attemptOf, type Conclusion, cleaned, concluded, cutShort, type GameFacts } from "./Cleaned.ts"
import type { Gone, LeasedGame } from "./remove.ts"

interface Dependencies {
  readonly leases: GameLeases["Service"]
  /** Why the whole database is away, if it is. */
  readonly awayBy: (error: StoreError) => Effect.Effect<PassError | undefined>
}

/**
 * Step 6: stores how the steps ended, and releases the lease or leaves it to expire. If the container is gone, that is
 * committed. Any other end is settled, with a row and a backoff if `rules` says so.
 */
export const record = Effect.fnUntraced(function* (
  { awayBy, leases }: Dependencies,
  game: LeasedGame,
  facts: GameFacts,
  exit: Exit.Exit<Gone, Refused | PassError>
): Effect.fn.Return<Conclusion> {
  const { containerId, imageRef, unresolved } = facts
  const { lease, moment, opSource, recording, sourceRef, startedAt } = game
  const finishedAt = yield* Clock.currentTimeMillis
  const traceId = Option.getOrNull(Option.map(yield* Effect.option(Effect.currentSpan), ({ traceId }) => traceId))
  const row = { opSource, sourceRef, containerId, imageRef, traceId, startedAt, finishedAt }

  /** If the result could not be stored, report it anyway; the lease expires on its own. */
  const notSettled = (conclusion: Conclusion, error: StoreError) =>
    Effect.gen(function* () {
      const { errorCode, message, outcome } = Result.getOrElse(conclusion, attemptOf)
      if (unresolved || errorCode === "removed_not_committed") yield* recording.fail(game, passError(error))
      const away = yield* awayBy(error)
      if (Result.isFailure(conclusion) && conclusion.failure._tag === "CutShort") return conclusion
      if (errorCode === "removed_not_committed") return concluded(facts, { code: errorCode, message }, away)
      const why = notStored(message, error)
      if (away !== undefined) return cutShort(facts, why.message, away)
      return outcome === "interrupted" ? conclusion : concluded(facts, why)
    })

  const settle = (conclusion: Conclusion, end?: Partial<SettledEnd>) =>
    leases.settle(lease, { failure: undefined, backoff: undefined, keep: unresolved, ...end }).pipe(
      Effect.as(conclusion),
      Effect.catch((error) => notSettled(conclusion, error))
    )

  const refuse = (refused: Refused, { afterCommit = false, keep = unresolved, isRetriedSoon = false } = {}) =>
    Effect.gen(function* () {
      const { code, message } = refused
      const { backsOff, logged } = rules[code]
      const conclusion = concluded(facts, refused)
      if (logged === null) return yield* settle(conclusion, { keep })
      const failure = { ...row, errorCode: logged, message }
      if (!backsOff || isRetriedSoon || game.record === undefined) {
        return yield* settle(conclusion, { failure, afterCommit, keep })
      }
      const random = yield* Random.next
      const backoff = afterFailure(game.record.backoff, { code, at: finishedAt, random })
      // Write the row even if we have lost the lease: the removal may have been ours.
      return yield* settle(conclusion, { failure, backoff, afterCommit: afterCommit || unresolved, keep })
    })

  const commit = (gone: Gone) =>
    Effect.gen(function* () {
      const message = gone.outcome === "removed" ? "the container was removed" : "the container was already absent"
      const committed = yield* leases
        .commit(lease, { containerId: gone.containerId }, { ...row, errorCode: null, message })
        .pipe(Effect.result)
      if (Result.isFailure(committed)) {
        const error = committed.failure
        yield* recording.fail(game, passError(error))
        if (error.reason._tag === "CannotRecord") {
          // The lease that is left behind tells its next holder why the container is gone. Without a backoff the game comes
          // first in the next pass.
          return yield* refuse(notRecorded(gone, error.message), { keep: true, isRetriedSoon: true })
        }
        // The removal is this game's to report, so it fails, and ends the pass only if the database is away.
        return concluded(facts, notStored(message, error), yield* awayBy(error))
      }
      if (committed.success === "not_recorded") {
        yield* recording.fail(game, PassRefused.cannotRecord(swallowed))
        return yield* refuse(notRecorded(gone, swallowed), { afterCommit: true, isRetriedSoon: true })
      }
      if (committed.success !== "committed") {
        return yield* refuse(notCommitted(gone, committed.success), { afterCommit: true })
      }
      const lastOpAt = game.record?.lastOpAt ?? undefined
      const lag = lastOpAt === undefined || game.byHand === true ? undefined : lagSeconds(lastOpAt, moment, finishedAt)
      return cleaned(facts, gone.outcome, message, { lag, anonymousVolumes: gone.anonymousVolumes })
    })

  if (Exit.isSuccess(exit)) return yield* commit(exit.value)
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  if (error?._tag === "Refused") return yield* refuse(error)
  if (error !== undefined) return yield* settle(cutShort(facts, error.message, error))
  return Cause.hasInterruptsOnly(exit.cause)
    ? yield* settle(cleaned(facts, "interrupted", "interrupted"))
    : yield* refuse(yield* defect(exit.cause))
})

/** A bug, logged with its stack. */
export const defect = (cause: Cause.Cause<unknown>) =>
  Effect.logError("cleanup.game.defect", cause).pipe(
    Effect.as(new Refused({ code: "internal_error", message: printable(String(Cause.squash(cause))) }))
  )

const notStored = (message: string, error: StoreError) =>
  new Refused({ code: "store_unavailable", message: `${message}, but this could not be recorded: ${error.message}` })

const swallowed = "a trigger or a row security policy of the database lets the record stay as it is"

const removedBut = ({ outcome }: Gone, why: string) => {
  const what = outcome === "removed" ? "was removed" : "is gone, probably by our removal"
  return new Refused({ code: "removed_not_committed", message: `the container ${what}, but ${why}` })
}

/** The database refused or swallowed the change. */
const notRecorded = (gone: Gone, why: string) =>
  gone.byUs ? removedBut(gone, why) : new Refused({ code: "store_unavailable", message: why })

/** The record was changed by someone else between our re-read and our commit. */
const notCommitted = (gone: Gone, result: Exclude<CommitResult, "committed" | "not_recorded">) => {
  if (gone.byUs) return removedBut(gone, "its record had changed meanwhile")
  return result === "already_removed"
    ? new Refused({ code: "replay_no_op", message: "the record is already removed" })
    : new Refused({ code: "record_moved", message: "the record changed meanwhile" })
}
