import type { LogLevel } from "effect"

/** How an attempt on one game can end: the closed set, also the value of `rtmanager.cleanup.outcome`. */
export const outcomes = ["removed", "already_absent", "replay_no_op", "conflict", "failed", "interrupted"] as const
export type Outcome = (typeof outcomes)[number]

/** Who asked for a cleaning: `operation_log.op_source`. */
export type OpSource = "auto_ttl"

interface Rule {
  readonly outcome: Outcome
  readonly level: LogLevel.Severity
  /** What `operation_log.error_code` says of it; `null` where no row is written. */
  readonly logged: string | null
}

const rule = (outcome: Outcome, level: LogLevel.Severity, logged: string | null): Rule => ({ outcome, level, logged })

/** Every error code with what it means for the outcome, the log's level and the audit row: one table for all three. */
export const rules = {
  replay_no_op: rule("replay_no_op", "Debug", null),
  lease_busy: rule("conflict", "Debug", null),
  lease_lost: rule("conflict", "Debug", null),
  record_moved: rule("conflict", "Info", "conflict"),
  too_recent: rule("conflict", "Info", "conflict"),
  container_running: rule("failed", "Warn", "container_running"),
  container_unrecorded: rule("failed", "Warn", "container_unrecorded"),
  invalid_container_id: rule("failed", "Warn", "invalid_container_id"),
  outcome_unknown: rule("failed", "Warn", "outcome_unknown"),
  engine_error: rule("failed", "Warn", "engine_error"),
  engine_unavailable: rule("failed", "Warn", "engine_unavailable"),
  engine_clock: rule("failed", "Warn", "engine_clock"),
  identity_mismatch: rule("failed", "Error", "identity_mismatch"),
  removed_not_committed: rule("failed", "Error", "removed_not_committed"),
  internal_error: rule("failed", "Error", "internal_error"),
  store_unavailable: rule("failed", "Warn", null)
} satisfies Record<string, Rule>

export type ErrorCode = keyof typeof rules
export const errorCodes = Object.keys(rules) as ReadonlyArray<ErrorCode>

/** A reason not to remove, or not to have removed: its code and a sentence for people. */
export interface Refusal {
  readonly code: ErrorCode
  readonly message: string
}

/** How one attempt ended. `errorCode` is `null` for `removed`, `already_absent` and `interrupted`. */
export interface Conclusion {
  readonly gameId: string
  readonly outcome: Outcome
  readonly errorCode: ErrorCode | null
  readonly message: string
  readonly containerId: string | null
}

export const levelOf = (conclusion: Conclusion): LogLevel.Severity =>
  conclusion.errorCode === null ? "Info" : rules[conclusion.errorCode].level
