import { Cause, Exit, Option } from "effect"
import type { ErrorCode, Outcome } from "../domain/Outcome.ts"
import type { PassResult } from "../observability/Metrics.ts"
import type { Page } from "../ports/RuntimeRecords.ts"
import type { Summary } from "./game/Cleaned.ts"
import type { PassError } from "./PassRefused.ts"

export type Trigger = "startup" | "schedule" | "manual"

type Ended = Pick<Summary, "gameId" | "outcome" | "errorCode" | "unresolved" | "anonymousVolumes">

/** What a pass has counted so far, page by page and game by game. */
export interface Tally {
  readonly trigger: Trigger
  /** Nothing was touched: the outcomes are those that a pass would have had. */
  readonly dryRun: boolean
  /** Unix milliseconds; `undefined` if the pass did not get that far. */
  readonly cutoff: number | undefined
  readonly listed: number
  readonly undecodable: number
  /** The first five of them, each named with what is wrong. */
  readonly undecodableRows: ReadonlyArray<string>
  readonly outcomes: Readonly<Record<Outcome, number>>
  readonly errorCodes: Readonly<Partial<Record<ErrorCode, number>>>
  /** Games whose removal the engine may still carry out; their leases are left to expire. */
  readonly unresolved: ReadonlyArray<string>
  /** Of the containers that were removed. They stay, and the engine removes them when told to. */
  readonly anonymousVolumes: number
}

/** What one pass came to. `listed = undecodable + notAttempted + the sum of outcomes`, always. */
export interface PassReport extends Tally {
  readonly result: PassResult
  /** Why nothing, or nothing more, could be done. */
  readonly error: PassError | undefined
  /** Listed, but the pass ended before their turn, or they were more than it may attempt. */
  readonly notAttempted: number
}

export const empty = (trigger: Trigger, dryRun: boolean): Tally => ({
  trigger,
  dryRun,
  cutoff: undefined,
  listed: 0,
  undecodable: 0,
  undecodableRows: [],
  outcomes: { removed: 0, already_absent: 0, replay_no_op: 0, conflict: 0, failed: 0, interrupted: 0 },
  errorCodes: {},
  unresolved: [],
  anonymousVolumes: 0
})

export const withPage = (tally: Tally, { records, undecodable }: Page): Tally => ({
  ...tally,
  listed: tally.listed + records.length + undecodable.length,
  undecodable: tally.undecodable + undecodable.length,
  undecodableRows: [...tally.undecodableRows, ...undecodable].slice(0, 5)
})

export const withGame = (tally: Tally, { anonymousVolumes, errorCode, gameId, outcome, unresolved }: Ended): Tally => ({
  ...tally,
  outcomes: { ...tally.outcomes, [outcome]: tally.outcomes[outcome] + 1 },
  errorCodes:
    errorCode === null
      ? tally.errorCodes
      : { ...tally.errorCodes, [errorCode]: (tally.errorCodes[errorCode] ?? 0) + 1 },
  unresolved: unresolved ? [...tally.unresolved, gameId] : tally.unresolved,
  anonymousVolumes: tally.anonymousVolumes + anonymousVolumes
})

/** Games that have ended, in whatever way. */
export const done = ({ outcomes }: Tally): number => Object.values(outcomes).reduce((sum, count) => sum + count, 0)

export const report = (tally: Tally, exit: Exit.Exit<void, PassError>): PassReport => ({
  ...tally,
  result: resultOf(tally, exit),
  error: Option.getOrUndefined(Exit.findErrorOption(exit)),
  notAttempted: tally.listed - tally.undecodable - done(tally)
})

const resultOf = ({ outcomes, undecodable }: Tally, exit: Exit.Exit<void, PassError>): PassResult => {
  if (Exit.isSuccess(exit)) return outcomes.failed > 0 || undecodable > 0 ? "partial" : "success"
  if (Cause.hasInterruptsOnly(exit.cause)) return "interrupted"
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  return error?._tag === "PassRefused" ? "refused" : "failure"
}
