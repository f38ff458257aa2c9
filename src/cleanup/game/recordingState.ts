import { Refused } from "../../domain/Outcome.ts"
import type { PassRefused } from "../../domain/PassRefused.ts"
import type { PassError } from "../../ports/StoreError.ts"

/** What one pass knows about whether removals are recorded. */
export interface RecordingState {
  /** A rehearsal has succeeded. */
  readonly rehearsed: boolean
  /** Games that were not recorded or whose rehearsal failed, each with the reason. Once there is one, all are rehearsed. */
  readonly unrecordable: ReadonlyMap<string, string>
  /** Games that were allowed to remove their container and have not ended. */
  readonly removing: ReadonlySet<string>
  /** Why a removal was not recorded, until a later one is. */
  readonly failure: PassError | undefined
  /** The last pass found that removals are not recorded, so they go one by one until one is. */
  readonly isProbing: boolean
}

export const initial: RecordingState = {
  rehearsed: false,
  unrecordable: new Map(),
  removing: new Set(),
  failure: undefined,
  isProbing: false
}

/**
 * Whether a game may remove its container now. `rehearse`: some games are not recorded, so another one's success proves
 * nothing for this one; `isRehearsed` says that its own rehearsal has just succeeded. `wait`: a removal was not recorded,
 * and the removals under way will show whether others are.
 */
export const verdict = (
  state: RecordingState,
  gameId: string,
  isRehearsed = false
): "go" | "rehearse" | "wait" | Refused | PassError => {
  const why = state.unrecordable.get(gameId)
  if (why !== undefined || !state.rehearsed) return notRecordable(why ?? "no game's was rehearsed")
  const isOpen = state.failure === undefined && !state.isProbing
  if (!isOpen && state.removing.size > 0) return "wait"
  return state.failure ?? (isRehearsed || state.unrecordable.size === 0 ? "go" : "rehearse")
}

export const notRecordable = (why: string) =>
  new Refused({ code: "store_unavailable", message: `its removal would not be recorded: ${why}` })

export const began = (state: RecordingState, gameId: string): RecordingState => ({
  ...state,
  removing: new Set([...state.removing, gameId])
})

export const markedUnrecordable = (state: RecordingState, gameId: string, { message }: PassError): RecordingState => ({
  ...state,
  unrecordable: new Map([...state.unrecordable, [gameId, message]])
})

/**
 * The end of an attempt could not be recorded. That matters if we removed the container, or if the database refused what it
 * had accepted in a rehearsal. A later failure that is no refusal does not replace a refusal.
 */
export const failed = (state: RecordingState, gameId: string, failure: PassError): RecordingState =>
  state.removing.has(gameId) || failure._tag === "PassRefused"
    ? {
        ...markedUnrecordable(state, gameId, failure),
        failure: state.failure?._tag === "PassRefused" ? state.failure : failure
      }
    : state

/** An attempt has ended. `isRecorded`: its commit worked. */
export const ended = (state: RecordingState, gameId: string, isRecorded: boolean): RecordingState => ({
  ...state,
  removing: new Set([...state.removing].filter((other) => other !== gameId)),
  failure: isRecorded ? undefined : state.failure,
  isProbing: state.isProbing && !isRecorded
})

/**
 * How a pass ends after its last game: refused if the database refused to record a removal and has recorded none since. A
 * removal that it may record the next time is that game's trouble alone.
 */
export const passEnd = ({ failure }: RecordingState): PassRefused | undefined =>
  failure?._tag === "PassRefused" ? failure : undefined
