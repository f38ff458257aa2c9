import { Effect, Result, TxRef } from "effect"
import { isContainerId } from "../domain/ContainerId.ts"
import type { Outcome, Refusal } from "../domain/Outcome.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"
import type { GameLeases } from "../ports/GameLeases.ts"
import type { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import type { StoreError } from "../ports/StoreError.ts"
import { type PassError, PassRefused, passError } from "./PassRefused.ts"

/** Lets other games have this one's turn at the engine while it waits. */
type Aside = <A, E>(wait: Effect.Effect<A, E>) => Effect.Effect<A, E>

/** So many games whose rehearsal fails, without one that succeeds, and it is not these games: the pass ends. */
const mostFailures = 3

/** What one pass knows of whether removals are recorded. */
export interface State {
  /** A rehearsal has succeeded. */
  readonly rehearsed: boolean
  /** Games that were not recorded or whose own rehearsal failed: why. With one of them, others are rehearsed themselves. */
  readonly unrecordable: ReadonlyMap<string, string>
  /** Games that may remove and have not ended. */
  readonly removing: ReadonlySet<string>
  /** Why a removal was not recorded, until a later one is. */
  readonly failure: string | undefined
}

export const initial: State = {
  rehearsed: false,
  unrecordable: new Map(),
  removing: new Set(),
  failure: undefined
}

/**
 * Whether a game may remove its container now. `wait`: a removal was not recorded, and whether those under way will be
 * is about to be known.
 */
export const verdict = (state: State, gameId: string): "go" | "wait" | Refusal | PassRefused => {
  const unrecordable = state.unrecordable.get(gameId)
  if (unrecordable !== undefined || !state.rehearsed) {
    const message = `its removal would not be recorded: ${unrecordable ?? "no game's has been rehearsed"}`
    return { code: "store_unavailable", message }
  }
  if (state.failure === undefined) return "go"
  return state.removing.size > 0 ? "wait" : PassRefused.cannotRecord(state.failure)
}

export const began = (state: State, gameId: string): State => ({
  ...state,
  removing: new Set([...state.removing, gameId])
})

/** A removal of this game could not be recorded. What was not removed by us may fail without a consequence. */
export const failed = (state: State, gameId: string, failure: string): State =>
  state.removing.has(gameId)
    ? { ...state, failure, unrecordable: new Map([...state.unrecordable, [gameId, failure]]) }
    : state

export const ended = (state: State, { gameId, outcome }: { readonly gameId: string; readonly outcome: Outcome }) => ({
  ...state,
  removing: new Set([...state.removing].filter((other) => other !== gameId)),
  failure: outcome === "removed" || outcome === "already_absent" ? undefined : state.failure
})

/**
 * Whether this database records what the pass does: what cannot be recorded is not removed. A pass rehearses before its
 * first game. Should a removal fail to be recorded all the same, no other begins until a commit works; if none is left
 * that could, the pass is refused. So at most the removals under way at that moment go unrecorded. As a database may
 * refuse some games alone, from then on, and once a rehearsal has failed, each game is rehearsed before its own removal.
 */
export interface Recording {
  /**
   * Rehearses with one of these due games, unless that has succeeded before. A game whose rehearsal fails is not removed in
   * this pass; when three fail, or all of a page, the pass fails.
   */
  readonly rehearse: (due: ReadonlyArray<RuntimeRecord>) => Effect.Effect<void, PassError>
  /**
   * Right before a removal: waits, `aside`, while it is open whether removals are recorded. A refusal is this game's alone.
   * Waiting in place could keep a game from ending that others wait for. `waited`: what was seen of the game is too old by
   * now, so look again and then ask again.
   */
  readonly begin: (record: RuntimeRecord, aside: Aside) => Effect.Effect<"begun" | "waited" | Refusal, PassRefused>
  /** What a game's attempt came to could not be written. */
  readonly fail: (gameId: string, why: string) => Effect.Effect<void>
  /** An attempt has ended, whether it had begun a removal or not. */
  readonly end: (ended: { readonly gameId: string; readonly outcome: Outcome }) => Effect.Effect<void>
}

export const make = Effect.fnUntraced(function* (leases: GameLeases["Service"], records: RuntimeRecords["Service"]) {
  const ref = yield* TxRef.make(initial)

  /** Why no pass is possible: the database is away, does not record, or (all were held up) may do so later. */
  const because = (errors: ReadonlyArray<StoreError>) =>
    Effect.andThen(
      Effect.mapError(records.clock, passError),
      Effect.suspend(() => {
        const refused = errors.find(({ reason }) => reason._tag === "CannotRecord") ?? errors[0]
        return refused === undefined ? Effect.void : Effect.fail(passError(refused))
      })
    )

  const rehearse = Effect.fnUntraced(function* (due: ReadonlyArray<RuntimeRecord>) {
    const unrecordable = new Map((yield* TxRef.get(ref)).unrecordable)
    const errors: Array<StoreError> = []
    for (const record of due) {
      if (record.containerId !== null && !isContainerId(record.containerId)) continue
      const tried = yield* Effect.result(leases.rehearse(record))
      if (Result.isSuccess(tried) && tried.success) {
        return yield* TxRef.update(ref, (state) => ({ ...state, rehearsed: true, unrecordable }))
      }
      unrecordable.set(
        record.gameId,
        Result.isSuccess(tried) ? "its record has just changed" : tried.failure.reason.message
      )
      if (Result.isFailure(tried) && errors.push(tried.failure) >= mostFailures) break
    }
    if (errors.length > 0) return yield* because(errors)
    yield* TxRef.update(ref, (state) => ({ ...state, unrecordable }))
  }, Effect.withSpan("rtmanager.cleanup.rehearse"))

  /** What is to become of a removal at this moment; one that may begin has begun. */
  const begin = (gameId: string) =>
    TxRef.modify(ref, (state) => {
      const now = verdict(state, gameId)
      return [now, now === "go" ? began(state, gameId) : state]
    })

  /** Of one game that has begun. Whoever may not go on has not removed anything. */
  const rehearseOne = (record: RuntimeRecord) =>
    Effect.match(leases.rehearse(record), {
      onSuccess: (works): "begun" | Refusal =>
        works ? "begun" : { code: "record_moved", message: "the record has just changed" },
      onFailure: ({ reason }): Refusal => ({
        code: "store_unavailable",
        message: `its removal would not be recorded: ${reason.message}`
      })
    })

  /** Until waiting is over. */
  const known = (gameId: string) =>
    Effect.tx(
      Effect.flatMap(TxRef.get(ref), (state) => (verdict(state, gameId) === "wait" ? Effect.txRetry : Effect.void))
    )

  return {
    rehearse: (due) =>
      Effect.flatMap(TxRef.get(ref), ({ rehearsed }) => (rehearsed || due.length === 0 ? Effect.void : rehearse(due))),
    begin: Effect.fnUntraced(function* (record, aside) {
      const now = yield* begin(record.gameId)
      if (now === "wait") {
        yield* aside(known(record.gameId))
        return "waited"
      }
      if (now instanceof PassRefused) return yield* now
      if (now !== "go") return now
      return (yield* TxRef.get(ref)).unrecordable.size > 0 ? yield* rehearseOne(record) : "begun"
    }),
    fail: (gameId, why) => TxRef.update(ref, (state) => failed(state, gameId, why)),
    end: (attempt) => TxRef.update(ref, (state) => ended(state, attempt))
  } satisfies Recording
})
