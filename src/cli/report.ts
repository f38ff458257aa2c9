import type { PassReport } from "../cleanup/PassReport.ts"

const iso = (millis: number | undefined) => (millis === undefined ? null : new Date(millis).toISOString())

/** The report as one JSON object, in the words of the audit log and the telemetry. */
export const toJson = (report: PassReport): string =>
  JSON.stringify({
    trigger: report.trigger,
    dry_run: report.dryRun,
    result: report.result,
    reason: report.error?._tag === "PassRefused" ? report.error.reason : null,
    message: report.error?.message ?? null,
    cutoff: iso(report.cutoff),
    listed: report.listed,
    undecodable: report.undecodable,
    not_attempted: report.notAttempted,
    outcomes: report.outcomes,
    error_codes: report.errorCodes,
    unresolved: report.unresolved,
    anonymous_volumes_left: report.anonymousVolumes
  })

/** The report for people. */
export const toText = (report: PassReport): string => {
  const counts = (entries: object) => Object.entries(entries).filter(([, count]) => count > 0)
  const lines = [
    `pass: ${report.result}${report.dryRun ? " (dry run: nothing was touched)" : ""}`,
    `cutoff: ${iso(report.cutoff) ?? "none"}`,
    `listed: ${report.listed}`,
    ...counts(report.outcomes).map(([outcome, count]) => `  ${outcome}: ${count}`),
    ...counts({ undecodable: report.undecodable, not_attempted: report.notAttempted }).map(([k, n]) => `  ${k}: ${n}`),
    ...counts(report.errorCodes).map(([code, count]) => `    ${code}: ${count}`)
  ]
  if (report.unresolved.length > 0) lines.push(`unresolved removals: ${report.unresolved.join(", ")}`)
  if (report.anonymousVolumes > 0) lines.push(`anonymous volumes left: ${report.anonymousVolumes}`)
  return lines.join("\n")
}
