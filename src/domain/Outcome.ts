import { Data, type LogLevel } from "effect"

/** How an attempt on one game can end: the closed set, also the value of `rtmanager.cleanup.outcome`. */
export const outcomes = ["removed", "already_absent", "replay_no_op", "conflict", "failed", "interrupted"] as const
export type Outcome = (typeof outcomes)[number]

/** Who asked for a cleaning: `operation_log.op_source`. */
export type OpSource = "auto_ttl"

interface Rule {
  readonly outcome: Outcome
  readonly level: LogLevel.Severity
  /** What `operation_log.error_code` says of it; `null` if no row is written. */
  readonly logged: string | null
}

/** Who has to act on a failed game, as the runbook groups them. */
export type Trouble = "Mismatch" | "EngineTrouble" | "StoreTrouble" | "Defect"

interface Failure extends Rule {
  readonly outcome: "failed"
  readonly trouble: Trouble
}

const rule = <O extends Exclude<Outcome, "failed">>(outcome: O, level: LogLevel.Severity, logged: string | null) => ({
  outcome,
  level,
  logged
})
const failure = (trouble: Trouble, level: LogLevel.Severity, logged: string | null): Failure => ({
  outcome: "failed",
  level,
  logged,
  trouble
})

/** Every error code with what it means for the outcome, the log's level and the audit row: one table for all of them. */
export const rules = {
  replay_no_op: rule("replay_no_op", "Debug", null),
  lease_busy: rule("conflict", "Debug", null),
  lease_lost: rule("conflict", "Debug", null),
  record_moved: rule("conflict", "Info", "conflict"),
  too_recent: rule("conflict", "Info", "conflict"),
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

/** Why a container was not removed, or its removal not recorded: a code and a sentence for people. */
export class Refused extends Data.TaggedError("Refused")<{
  readonly code: ErrorCode
  readonly message: string
}> {}
