import { Effect, Random, Result, TxRef } from "effect"
import { isContainerId } from "../../domain/ContainerId.ts"
import { Refused } from "../../domain/Outcome.ts"
import { PassRefused } from "../../domain/PassRefused.ts"
import { printable } from "../../domain/printable.ts"
import type { RuntimeRecord } from "../../domain/RuntimeRecord.ts"
import type { GameLeases } from "../../ports/GameLeases.ts"
import type { RuntimeRecords } from "../../ports/RuntimeRecords.ts"
import { type PassError, passError, type StoreError } from "../../ports/StoreError.ts"

/** Lets other games have this one's turn at the engine while it waits. */
type Aside = <A, E>(wait: Effect.Effect<A, E>) => Effect.Effect<A, E>

/** So many games whose rehearsal fails, without one that succeeds, and it is not these games: the pass ends. */
const mostFailures = 5

/** What one pass knows of whether removals are recorded. */
export interface State {
  /** A rehearsal has succeeded. */
  readonly rehearsed: boolean
  /** Games that were not recorded or whose own rehearsal failed: why. With one of them, others are rehearsed themselves. */
  readonly unrecordable: ReadonlyMap<string, string>
  /** Games that may remove and have not ended. */
  readonly removing: ReadonlySet<string>
  /** Why a removal was not recorded, until a later one is. */
  readonly failure: PassError | undefined
  /** The last pass found that removals are not recorded: they go one by one until one is. */
  readonly isProbing: boolean
}

export const initial: State = {
  rehearsed: false,
  unrecordable: new Map(),
  removing: new Set(),
  failure: undefined,
  isProbing: false
}

/**
 * Whether a game may remove its container now. `wait`: a removal was not recorded, and whether those under way will be
 * is about to be known.
 */
export const verdict = (state: State, gameId: string): "go" | "wait" | Refused | PassError => {
  const why = state.unrecordable.get(gameId)
  if (why !== undefined || !state.rehearsed) return notRecordable(why ?? "no game's was rehearsed")
  const isOpen = state.failure === undefined && !state.isProbing
  return !isOpen && state.removing.size > 0 ? "wait" : (state.failure ?? "go")
}

const notRecordable = (why: string) =>
  new Refused({ code: "store_unavailable", message: `its removal would not be recorded: ${why}` })

export const began = (state: State, gameId: string): State => ({
  ...state,
  removing: new Set([...state.removing, gameId])
})

/** An attempt that has ended: whether its commit worked. */
interface Ended {
  readonly gameId: string
  readonly isRecorded: boolean
}

const markedUnrecordable = (state: State, gameId: string, { message }: PassError): State => ({
  ...state,
  unrecordable: new Map([...state.unrecordable, [gameId, message]])
})

/**
 * What a game came to could not be recorded. It matters if its container was removed by us, or if the database refused what
 * it had let pass in a rehearsal. What it refused is not forgotten because something else only waited in vain.
 */
export const failed = (state: State, gameId: string, failure: PassError): State =>
  state.removing.has(gameId) || failure._tag === "PassRefused"
    ? {
        ...markedUnrecordable(state, gameId, failure),
        failure: state.failure?._tag === "PassRefused" ? state.failure : failure
      }
    : state

export const ended = (state: State, { gameId, isRecorded }: Ended): State => ({
  ...state,
  removing: new Set([...state.removing].filter((other) => other !== gameId)),
  failure: isRecorded ? undefined : state.failure,
  isProbing: state.isProbing && !isRecorded
})

/**
 * How a pass ends whose games have all had their turn: with a removal that the database refuses to record, unless a later
 * one was recorded. One that it may record the next time is that game's trouble alone.
 */
export const conclusion = ({ failure }: State): PassRefused | undefined =>
  failure?._tag === "PassRefused" ? failure : undefined

/**
 * Whether this database records what the pass does: what cannot be recorded is not removed. A pass rehearses before its
 * first game. Should a removal fail to be recorded all the same, no other begins until a commit works; if none is left
 * that could, the pass is refused. So at most the removals under way at that moment go unrecorded, and at most one in the next
 * pass, whose removals go one by one at first. Because a database may refuse some games alone, from then on, and once a
 * rehearsal has failed, each game is rehearsed before its own removal.
 */
export interface Recording {
  /**
   * Rehearses with the first of these due games, unless that has succeeded before. A game whose rehearsal fails is not
   * removed in this pass, and another one is drawn at random; when five fail, or all of a page, the pass fails.
   */
  readonly rehearse: (due: ReadonlyArray<RuntimeRecord>) => Effect.Effect<void, PassError>
  /**
   * Right before a removal: waits, `aside`, while it is open whether removals are recorded. `Refused` is this game's alone.
   * Waiting in place could keep a game from ending that others wait for. `waited`: what was seen of the game is too old by
   * now, so look again and then ask again.
   */
  readonly begin: (record: RuntimeRecord, aside: Aside) => Effect.Effect<"begun" | "waited", Refused | PassError>
  /** For those who only look: fails if this game's removal would not be recorded. */
  readonly check: (record: RuntimeRecord) => Effect.Effect<void, Refused>
  /** What a game's attempt came to could not be written. */
  readonly fail: (
    game: { readonly gameId: string; readonly record: RuntimeRecord | undefined },
    why: PassError
  ) => Effect.Effect<void>
  /** An attempt has ended, whether it had begun a removal or not. */
  readonly end: (ended: Ended) => Effect.Effect<void>
  /** After the last game: fails if the database refused to record a removal, and has recorded none since. */
  readonly conclude: Effect.Effect<void, PassRefused>
}

export const make = Effect.fnUntraced(function* (
  leases: GameLeases["Service"],
  records: RuntimeRecords["Service"],
  { isProbing } = { isProbing: false }
) {
  const ref = yield* TxRef.make({ ...initial, isProbing })

  /** Why no pass is possible: the database is away, does not record, or (all were held up) may do so later. */
  const because = Effect.fnUntraced(function* (tried: ReadonlyArray<readonly [gameId: string, error: StoreError]>) {
    yield* Effect.mapError(records.clock, passError)
    for (const [gameId, { reason }] of tried) {
      if (reason._tag !== "CannotRecord") continue
      const others = tried.length === 1 ? "" : ` and ${tried.length - 1} more`
      return yield* PassRefused.cannotRecord(`${reason.detail}; tried with game ${printable(gameId)}${others}`)
    }
    for (const [, error] of tried) return yield* passError(error)
  })

  const rehearse = Effect.fnUntraced(function* (due: ReadonlyArray<RuntimeRecord>) {
    const unrecordable = new Map((yield* TxRef.get(ref)).unrecordable)
    const errors: Array<readonly [gameId: string, error: StoreError]> = []
    const [first, ...others] = due
    const drawn = first === undefined ? [] : [first, ...(yield* Random.shuffle(others))]
    for (const record of drawn) {
      if (record.containerId !== null && !isContainerId(record.containerId)) continue
      const tried = yield* Effect.result(leases.rehearse(record))
      if (Result.isSuccess(tried) && tried.success) {
        return yield* TxRef.update(ref, (state) => ({ ...state, rehearsed: true, unrecordable }))
      }
      unrecordable.set(
        record.gameId,
        Result.isSuccess(tried) ? "its record has just changed" : tried.failure.reason.message
      )
      if (Result.isFailure(tried) && errors.push([record.gameId, tried.failure]) >= mostFailures) break
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

  const rehearseOne = Effect.fnUntraced(function* (record: RuntimeRecord) {
    const works = yield* Effect.mapError(leases.rehearse(record), ({ reason }) => notRecordable(reason.message))
    if (!works) return yield* new Refused({ code: "record_moved", message: "the record has just changed" })
  })

  /** A rehearsal of one game says nothing of another once one of them has failed. */
  const check = Effect.fnUntraced(function* (record: RuntimeRecord) {
    const { unrecordable } = yield* TxRef.get(ref)
    const why = unrecordable.get(record.gameId)
    if (why !== undefined) return yield* notRecordable(why)
    if (unrecordable.size > 0) yield* rehearseOne(record)
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
      if (verdict(yield* TxRef.get(ref), record.gameId) === "go") yield* check(record)
      const now = yield* begin(record.gameId)
      if (now === "wait") {
        yield* aside(known(record.gameId))
        return "waited"
      }
      if (now !== "go") return yield* now
      return "begun"
    }),
    check,
    fail: Effect.fnUntraced(function* ({ gameId, record }, why) {
      const { removing } = yield* TxRef.get(ref)
      // A container that was absent already: if the game's own rehearsal is refused too, it is this game's trouble alone.
      const isItsOwn =
        !removing.has(gameId) &&
        why._tag === "PassRefused" &&
        record !== undefined &&
        Result.isFailure(yield* Effect.result(leases.rehearse(record)))
      yield* TxRef.update(ref, (state) =>
        isItsOwn ? markedUnrecordable(state, gameId, why) : failed(state, gameId, why)
      )
    }),
    end: (attempt) => TxRef.update(ref, (state) => ended(state, attempt)),
    conclude: Effect.flatMap(TxRef.get(ref), (state) => conclusion(state) ?? Effect.void)
  } satisfies Recording
})
