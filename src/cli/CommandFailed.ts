import { Runtime, Schema } from "effect"
import { type EarlyEnd, isAway, type PassReport } from "../domain/PassReport.ts"
import { earlyEnd, type PassError } from "../ports/StoreError.ts"

/** The process's exit codes, besides 130 for an interrupted command. */
export const exitCode = { someGameFailed: 1, unusable: 2, dependency: 3, refused: 4 } as const

/** Ends the process with the code. The message goes to stderr; an empty one says that all has been said already. */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  code: Schema.Int,
  message: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = this.code
}

/** Which games and why was printed. */
export const someGameFailed = new CommandFailed({ code: exitCode.someGameFailed, message: "" })

/**
 * How a command ends whose pass ended early. A store that is away or not migrated and an engine that is down are
 * dependencies; other refusals are a guard's.
 */
export const passFailed = ({ message, reason }: EarlyEnd) =>
  new CommandFailed({ code: isAway({ reason }) ? exitCode.dependency : exitCode.refused, message })

/** The same for an error that has not become a report. */
export const commandFailed = (error: PassError) => passFailed(earlyEnd(error))

/** How a command ends whose pass has this report; `undefined` if the pass did not end early. */
export const endedEarly = ({ message, reason }: PassReport): CommandFailed | undefined =>
  reason === null ? undefined : passFailed({ reason, message: message ?? "" })

/** How `run` ends after a pass with this report: `undefined` is success. */
export const failureOf = (report: PassReport): CommandFailed | undefined =>
  endedEarly(report) ?? (report.outcomes.failed > 0 ? someGameFailed : undefined)
