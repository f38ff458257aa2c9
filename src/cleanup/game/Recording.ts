import { Effect, Random, Result, TxRef } from "effect"
import { isContainerId } from "../../domain/ContainerId.ts"
import { Refused } from "../../domain/Outcome.ts"
import { PassRefused } from "../../domain/PassRefused.ts"
import { printable } from "../../domain/printable.ts"
import type { RuntimeRecord } from "../../domain/RuntimeRecord.ts"
import type { Asked, GameLeases } from "../../ports/GameLeases.ts"
import type { RuntimeRecords } from "../../ports/RuntimeRecords.ts"
import { type PassError, passError, type StoreError } from "../../ports/StoreError.ts"
import type { Aside } from "../engine/EngineLimit.ts"
import { began, ended, failed, initial, markedUnrecordable, notRecordable, passEnd, verdict } from "./recordingState.ts"

/** After this many failed rehearsals and no success, the games are not to blame: the pass ends. */
const mostFailures = 5

/**
 * Whether this database records what the pass does: what cannot be recorded is not removed. A pass rehearses before its
 * first game. If a removal is not recorded after all, no other begins until a commit works; if none is under way that still
 * could, the pass is refused. So at most the removals under way at that moment go unrecorded, and at most one in the next
 * pass, because its removals go one by one at first. A database may refuse some games alone, so each game is rehearsed
 * before its own removal once a removal was not recorded or a rehearsal has failed.
 */
export interface Recording {
  /**
   * Rehearses with the first of these due games, unless a rehearsal has succeeded before. A game whose rehearsal fails
   * keeps its container in this pass, and another game is drawn at random. After five failures, or if every game of a page
   * fails, the pass fails.
   */
  readonly rehearse: (due: ReadonlyArray<RuntimeRecord>) => Effect.Effect<void, PassError>
  /**
   * Right before a removal. While it is open whether removals are recorded, waits `aside`, because waiting in place could keep
   * a game from ending that others wait for. `waited`: what was seen of the game is out of date, so look again and ask again.
   * `Refused` concerns this game alone.
   */
  readonly begin: (record: RuntimeRecord, aside: Aside) => Effect.Effect<"begun" | "waited", Refused | PassError>
  /** For read-only callers: fails if this game's removal would not be recorded. */
  readonly check: (record: RuntimeRecord) => Effect.Effect<void, Refused>
  /** The end of a game's attempt could not be written. */
  readonly fail: (
    game: { readonly gameId: string; readonly record: RuntimeRecord | undefined },
    why: PassError
  ) => Effect.Effect<void>
  /** An attempt has ended, with or without a removal. */
  readonly end: (gameId: string, isRecorded: boolean) => Effect.Effect<void>
  /** After the last game: fails if the database refused to record a removal and has recorded none since. */
  readonly conclude: Effect.Effect<void, PassRefused>
}

const ofService: Asked = { opSource: "auto_ttl", sourceRef: "schedule" }

/** `asked`: for whom removals are to be recorded, the service itself by default. `isProbing`: removals go one by one at first. */
export const make = Effect.fnUntraced(function* (
  leases: GameLeases["Service"],
  records: RuntimeRecords["Service"],
  { asked = ofService, isProbing = false }: { readonly asked?: Asked; readonly isProbing?: boolean } = {}
) {
  const ref = yield* TxRef.make({ ...initial, isProbing })

  /**
   * Fails with the reason why no pass is possible: the database is away, does not record, or (all were held up) may do so
   * later.
   */
  const because = Effect.fnUntraced(function* (tried: ReadonlyArray<readonly [gameId: string, error: StoreError]>) {
    yield* Effect.mapError(records.clock, passError)
    for (const [gameId, { reason }] of tried) {
      if (reason._tag !== "CannotRecord") continue
      const others = tried.length === 1 ? "" : ` and ${tried.length - 1} more`
      return yield* PassRefused.cannotRecord(`${reason.detail}; tried with game ${printable(gameId)}${others}`)
    }
    const [first] = tried
    if (first !== undefined) return yield* passError(first[1])
  })

  const rehearseFirst = Effect.fnUntraced(function* (due: ReadonlyArray<RuntimeRecord>) {
    const unrecordable = new Map((yield* TxRef.get(ref)).unrecordable)
    const errors: Array<readonly [gameId: string, error: StoreError]> = []
    const [first, ...others] = due
    const drawn = first === undefined ? [] : [first, ...(yield* Random.shuffle(others))]
    for (const record of drawn) {
      if (record.containerId !== null && !isContainerId(record.containerId)) continue
      const tried = yield* Effect.result(leases.rehearse(record, asked))
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

  const rehearseOne = Effect.fnUntraced(function* (record: RuntimeRecord) {
    const works = yield* Effect.mapError(leases.rehearse(record, asked), ({ reason }) => notRecordable(reason.message))
    if (!works) return yield* new Refused({ code: "record_moved", message: "the record has just changed" })
  })

  const tryToBegin = (gameId: string, isRehearsed: boolean) =>
    TxRef.modify(ref, (state) => {
      const now = verdict(state, gameId, isRehearsed)
      return [now, now === "go" ? began(state, gameId) : state]
    })

  const untilVerdict = (gameId: string) =>
    Effect.tx(
      Effect.flatMap(TxRef.get(ref), (state) => (verdict(state, gameId) === "wait" ? Effect.txRetry : Effect.void))
    )

  const begin = (record: RuntimeRecord, aside: Aside, isRehearsed = false): ReturnType<Recording["begin"]> =>
    Effect.flatMap(tryToBegin(record.gameId, isRehearsed), (now) => {
      if (now === "go") return Effect.succeed("begun")
      if (now === "rehearse") return Effect.andThen(rehearseOne(record), begin(record, aside, true))
      return now === "wait" ? Effect.as(aside(untilVerdict(record.gameId)), "waited") : now
    })

  return {
    rehearse: (due) =>
      Effect.flatMap(TxRef.get(ref), ({ rehearsed }) =>
        rehearsed || due.length === 0 ? Effect.void : rehearseFirst(due)
      ),
    begin: (record, aside) => begin(record, aside),
    check: (record) =>
      Effect.flatMap(TxRef.get(ref), (state) => {
        const now = verdict(state, record.gameId)
        if (now === "rehearse") return rehearseOne(record)
        return typeof now !== "string" && now._tag === "Refused" ? now : Effect.void
      }),
    fail: Effect.fnUntraced(function* ({ gameId, record }, why) {
      const { removing } = yield* TxRef.get(ref)
      // If the container was already absent and the game's own rehearsal is refused too, it is this game's trouble alone.
      const isItsOwn =
        !removing.has(gameId) &&
        why._tag === "PassRefused" &&
        record !== undefined &&
        Result.isFailure(yield* Effect.result(leases.rehearse(record, asked)))
      yield* TxRef.update(ref, (state) =>
        isItsOwn ? markedUnrecordable(state, gameId, why) : failed(state, gameId, why)
      )
    }),
    end: (gameId, isRecorded) => TxRef.update(ref, (state) => ended(state, gameId, isRecorded)),
    conclude: Effect.flatMap(TxRef.get(ref), (state) => passEnd(state) ?? Effect.void)
  } satisfies Recording
})
