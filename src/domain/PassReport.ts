import { Cause, Exit, Option, Schema } from "effect"
import { type EndedAttempt, errorCodes, outcomes } from "./Outcome.ts"
import { isRefusal, type PassReason, passReasons } from "./PassRefused.ts"

/** What started a pass. */
export type Trigger = PassReport["trigger"]

/**
 * `success`: the pass came to its end and no game failed. `partial`: it did, but games failed or rows did not decode.
 * `failure`: the database or a bug ended it. `refused`: a guard did. `interrupted`: it was told to stop, which only
 * telemetry shows.
 */
export const passResults = ["success", "partial", "failure", "refused", "interrupted"] as const
export type PassResult = (typeof passResults)[number]

/**
 * What one pass came to. `listed = undecodable + notAttempted + the sum of outcomes`, always. Its encoding is the JSON that
 * people and programs get.
 */
export const PassReport = Schema.Struct({
  trigger: Schema.Literals(["startup", "schedule", "manual"]),
  /** `true`: nothing was touched, and the outcomes are those that a pass would have had. */
  dryRun: Schema.Boolean,
  result: Schema.Literals(passResults),
  /** Why the pass ended early; `null` if it did not. */
  reason: Schema.NullOr(Schema.Literals(passReasons)),
  /** The reason for people, with what to do. */
  message: Schema.NullOr(Schema.String),
  /** `null` if the pass did not get that far. */
  cutoff: Schema.NullOr(Schema.DateFromString),
  listed: Schema.Int,
  undecodable: Schema.Int,
  /** Listed, but the pass ended before their turn, or they were more than it may attempt. */
  notAttempted: Schema.Int,
  outcomes: Schema.Record(Schema.Literals(outcomes), Schema.Int),
  /** Only those that occurred. */
  errorCodes: Schema.Record(Schema.Literals(errorCodes), Schema.optionalKey(Schema.Int)),
  /** Games whose removal the engine may still carry out; their leases are left to expire. */
  unresolved: Schema.Array(Schema.String),
  /** The longest that a removed game was late: seconds from due to removed; `null` if none was removed because it was due. */
  lagMax: Schema.NullOr(Schema.Finite),
  /** Anonymous volumes of the removed containers. They stay until the engine is told to prune them. */
  anonymousVolumesLeft: Schema.Int
}).pipe(
  Schema.encodeKeys({
    dryRun: "dry_run",
    notAttempted: "not_attempted",
    errorCodes: "error_codes",
    lagMax: "lag_max_seconds",
    anonymousVolumesLeft: "anonymous_volumes_left"
  })
)
export type PassReport = typeof PassReport.Type

/** What a pass has counted so far, page by page and game by game. */
export interface Tally extends Omit<PassReport, "result" | "reason" | "message" | "notAttempted"> {
  /** The first five, each named with what is wrong. */
  readonly undecodableRows: ReadonlyArray<string>
}

export const empty = (trigger: Trigger, dryRun: boolean): Tally => ({
  trigger,
  dryRun,
  cutoff: null,
  listed: 0,
  undecodable: 0,
  undecodableRows: [],
  outcomes: { removed: 0, already_absent: 0, replay_no_op: 0, conflict: 0, failed: 0, interrupted: 0 },
  errorCodes: {},
  unresolved: [],
  lagMax: null,
  anonymousVolumesLeft: 0
})

export const withPage = (
  tally: Tally,
  { records, undecodable }: { readonly records: ReadonlyArray<unknown>; readonly undecodable: ReadonlyArray<string> }
): Tally => ({
  ...tally,
  listed: tally.listed + records.length + undecodable.length,
  undecodable: tally.undecodable + undecodable.length,
  undecodableRows: [...tally.undecodableRows, ...undecodable].slice(0, 5)
})

/** What a report says of an ended attempt. */
export type Counted = Pick<EndedAttempt, "gameId" | "outcome" | "errorCode" | "unresolved" | "lag" | "anonymousVolumes">

export const withGame = (tally: Tally, ended: Counted): Tally => {
  const { anonymousVolumes, errorCode, gameId, lag, outcome, unresolved } = ended
  return {
    ...tally,
    outcomes: { ...tally.outcomes, [outcome]: tally.outcomes[outcome] + 1 },
    errorCodes:
      errorCode === null
        ? tally.errorCodes
        : { ...tally.errorCodes, [errorCode]: (tally.errorCodes[errorCode] ?? 0) + 1 },
    unresolved: unresolved ? [...tally.unresolved, gameId] : tally.unresolved,
    lagMax: lag === undefined ? tally.lagMax : Math.max(lag, tally.lagMax ?? lag),
    anonymousVolumesLeft: tally.anonymousVolumesLeft + anonymousVolumes
  }
}

/** How many games have ended, with whatever outcome. */
export const done = ({ outcomes }: Tally): number => Object.values(outcomes).reduce((sum, count) => sum + count, 0)

/** Whether a pass has begun with any game. */
export const hasBegun = (report: Pick<PassReport, "outcomes">): boolean =>
  Object.values(report.outcomes).some((count) => count > 0)

/** Why a pass ended early, for programs and for people. */
export interface EarlyEnd {
  readonly reason: PassReason
  readonly message: string
}

export const report = (tally: Tally, exit: Exit.Exit<void, EarlyEnd>): PassReport & Tally => {
  const { message, reason } = Option.getOrElse(Exit.findErrorOption(exit), () => ({ reason: null, message: null }))
  return {
    ...tally,
    result: isRefusal(reason) ? "refused" : resultOf(tally, exit),
    reason,
    message,
    notAttempted: tally.listed - tally.undecodable - done(tally)
  }
}

/** Of a pass that no guard has ended. */
const resultOf = ({ outcomes, undecodable }: Tally, exit: Exit.Exit<void, unknown>): PassResult => {
  if (Exit.isSuccess(exit)) return outcomes.failed > 0 || undecodable > 0 ? "partial" : "success"
  return Cause.hasInterruptsOnly(exit.cause) ? "interrupted" : "failure"
}

/** Whether a pass ended early because of the database or the engine, so the next one comes soon. */
export const isAway = ({ reason }: Pick<PassReport, "reason">): boolean =>
  reason !== null && (reason === "engine_down" || !isRefusal(reason))
