import { Data, type LogLevel } from "effect"

/**
 * How an attempt on one game can end: the closed set, also the value of `rtmanager.cleanup.outcome`. `interrupted`: it was told
 * to stop, or no game could be cleaned any more.
 */
export const outcomes = ["removed", "already_absent", "replay_no_op", "conflict", "failed", "interrupted"] as const
export type Outcome = (typeof outcomes)[number]

/** Who asked for an attempt, the retention or a person: `operation_log.op_source`. */
export const opSources = ["auto_ttl", "admin_cli", "admin_rest"] as const
export type OpSource = (typeof opSources)[number]

interface Rule {
  readonly outcome: Outcome
  readonly level: LogLevel.Severity
  /** The row's `operation_log.error_code`; `null` if no row is written. */
  readonly logged: string | null
  /** The game is tried again only after a while, which grows with each such attempt. */
  readonly backsOff: boolean
}

interface Failure extends Rule {
  readonly outcome: "failed"
  /** Who has to act, as the runbook groups them. */
  readonly trouble: "Mismatch" | "EngineTrouble" | "StoreTrouble" | "Defect"
}

const rule = <O extends Exclude<Outcome, "failed">>(outcome: O, level: LogLevel.Severity, logged: string | null) => ({
  outcome,
  level,
  logged,
  backsOff: false
})
const failure = (trouble: Failure["trouble"], level: LogLevel.Severity, logged: string | null): Failure => ({
  outcome: "failed",
  level,
  logged,
  trouble,
  backsOff: logged !== null
})

/** The one table of error codes: what each means for the outcome, the log level and the audit row. */
export const rules = {
  replay_no_op: rule("replay_no_op", "Debug", null),
  lease_busy: rule("conflict", "Debug", null),
  lease_lost: rule("conflict", "Debug", null),
  held: rule("conflict", "Debug", null),
  record_moved: rule("conflict", "Info", "conflict"),
  too_recent: { ...rule("conflict", "Info", "conflict"), backsOff: true },
  container_running: failure("Mismatch", "Warn", "container_running"),
  container_unrecorded: failure("Mismatch", "Warn", "container_unrecorded"),
  invalid_container_id: failure("Mismatch", "Warn", "invalid_container_id"),
  identity_mismatch: failure("Mismatch", "Error", "identity_mismatch"),
  outcome_unknown: failure("EngineTrouble", "Warn", "outcome_unknown"),
  engine_error: failure("EngineTrouble", "Warn", "engine_error"),
  engine_unavailable: failure("EngineTrouble", "Warn", "engine_unavailable"),
  engine_clock: failure("EngineTrouble", "Warn", "engine_clock"),
  removed_not_committed: failure("StoreTrouble", "Error", "removed_not_committed"),
  store_unavailable: failure("StoreTrouble", "Warn", null),
  internal_error: failure("Defect", "Error", "internal_error")
} satisfies Record<string, Rule>

export type ErrorCode = keyof typeof rules
export const errorCodes = Object.keys(rules) as ReadonlyArray<ErrorCode>

/** An ended attempt on one game, as passes count it and telemetry shows it. */
export interface EndedAttempt {
  readonly gameId: string
  /** `null` also if the record's id is not a container id. */
  readonly containerId: string | null
  readonly imageRef: string | null
  /** The engine may still carry out our removal, so the game's lease is left to expire. */
  readonly unresolved: boolean
  readonly outcome: Outcome
  /** Why nothing was removed or recorded; `null` for `removed`, `already_absent` and `interrupted`. */
  readonly errorCode: ErrorCode | null
  readonly message: string
  /** Seconds from due to removed, if the record moved to `removed` because it was due. */
  readonly lag: number | undefined
  /** Those of the container that we removed. */
  readonly anonymousVolumes: number
}

/** Why a container was not removed, or why its removal was not recorded: a code and a sentence for people. */
export class Refused extends Data.TaggedError("Refused")<{
  readonly code: ErrorCode
  readonly message: string
}> {}
