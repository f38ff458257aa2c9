import { Cause, Exit, Option } from "effect"
import type { ErrorCode, Outcome } from "../domain/Outcome.ts"
import type { PassResult } from "../observability/Metrics.ts"
import type { Page } from "../ports/RuntimeRecords.ts"
import type { Cleaned } from "./Cleaned.ts"
import type { PassError } from "./PassRefused.ts"

export type Trigger = "startup" | "schedule" | "manual"

type Ended = Pick<Cleaned, "gameId" | "outcome" | "errorCode" | "unresolved" | "anonymousVolumes">

/** What one pass came to. `listed = undecodable + notAttempted + the sum of outcomes`, always. */
export interface PassReport {
  readonly trigger: Trigger
  /** Nothing was touched: the outcomes are those that a pass would have had. */
  readonly dryRun: boolean
  readonly result: PassResult
  /** Why nothing, or nothing more, could be done. */
  readonly error: PassError | undefined
  /** Unix milliseconds; `undefined` if the pass did not get that far. */
  readonly cutoff: number | undefined
  readonly listed: number
  readonly undecodable: number
  /** The first five of them, each named with what is wrong. */
  readonly undecodableRows: ReadonlyArray<string>
  /** Listed, but the pass ended before their turn, or they were more than it may attempt. */
  readonly notAttempted: number
  readonly outcomes: Readonly<Record<Outcome, number>>
  readonly errorCodes: Readonly<Partial<Record<ErrorCode, number>>>
  /** Games whose removal the engine may still carry out; their leases are left to expire. */
  readonly unresolved: ReadonlyArray<string>
  /** Of the containers that were removed. They stay, and the engine removes them when told to. */
  readonly anonymousVolumes: number
}

/** A pass in progress, counted page by page and game by game. */
export class Tally {
  readonly trigger: Trigger
  readonly dryRun: boolean
  cutoff: number | undefined = undefined
  /** Games handed out to be cleaned. */
  claimed = 0
  /** A game found that nothing more can be cleaned. */
  refused = false
  private listed = 0
  private undecodable = 0
  private readonly undecodableRows: Array<string> = []
  private readonly outcomes: Record<Outcome, number> = {
    removed: 0,
    already_absent: 0,
    replay_no_op: 0,
    conflict: 0,
    failed: 0,
    interrupted: 0
  }
  private readonly errorCodes: Partial<Record<ErrorCode, number>> = {}
  private readonly unresolved: Array<string> = []
  private anonymousVolumes = 0

  constructor(trigger: Trigger, dryRun: boolean) {
    this.trigger = trigger
    this.dryRun = dryRun
  }

  page(page: Page) {
    this.listed += page.records.length + page.undecodable.length
    this.undecodable += page.undecodable.length
    this.undecodableRows.push(...page.undecodable.slice(0, Math.max(0, 5 - this.undecodableRows.length)))
  }

  game(ended: Ended) {
    this.outcomes[ended.outcome]++
    if (ended.errorCode !== null) this.errorCodes[ended.errorCode] = (this.errorCodes[ended.errorCode] ?? 0) + 1
    if (ended.unresolved) this.unresolved.push(ended.gameId)
    this.anonymousVolumes += ended.anonymousVolumes
  }

  /** Games that have ended, in whatever way. */
  get done() {
    return Object.values(this.outcomes).reduce((sum, count) => sum + count, 0)
  }

  report(exit: Exit.Exit<void, PassError>): PassReport {
    const { trigger, dryRun, cutoff, listed, undecodable, undecodableRows, outcomes, errorCodes, unresolved } = this
    return {
      trigger,
      dryRun,
      result: this.result(exit),
      error: Option.getOrUndefined(Exit.findErrorOption(exit)),
      cutoff,
      listed,
      undecodable,
      undecodableRows,
      notAttempted: listed - undecodable - this.done,
      outcomes,
      errorCodes,
      unresolved,
      anonymousVolumes: this.anonymousVolumes
    }
  }

  private result(exit: Exit.Exit<void, PassError>): PassResult {
    if (Exit.isSuccess(exit)) return this.outcomes.failed > 0 || this.undecodable > 0 ? "partial" : "success"
    if (Cause.hasInterruptsOnly(exit.cause)) return "interrupted"
    const error = Option.getOrUndefined(Exit.findErrorOption(exit))
    return error?._tag === "PassRefused" ? "refused" : "failure"
  }
}
