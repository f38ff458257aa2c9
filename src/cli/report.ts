import { Schema } from "effect"
import { PassReport } from "../domain/PassReport.ts"

export const encode = Schema.encodeSync(PassReport)

export const toJson = (report: PassReport): string => JSON.stringify(encode(report))

/** The report for people. */
export const toText = (report: PassReport): string => {
  const counts = (entries: object) => Object.entries(entries).filter(([, count]) => count > 0)
  const lines = [
    `pass: ${report.result}${report.dryRun ? " (dry run: nothing was touched)" : ""}`,
    `cutoff: ${report.cutoff?.toISOString() ?? "none"}`,
    `listed: ${report.listed}`,
    ...counts(report.outcomes).map(([outcome, count]) => `  ${outcome}: ${count}`),
    ...counts({ undecodable: report.undecodable, not_attempted: report.notAttempted }).map(([k, n]) => `  ${k}: ${n}`),
    ...counts(report.errorCodes).map(([code, count]) => `    ${code}: ${count}`)
  ]
  if (report.unresolved.length > 0) lines.push(`unresolved removals: ${report.unresolved.join(", ")}`)
  if (report.anonymousVolumesLeft > 0) lines.push(`anonymous volumes left: ${report.anonymousVolumesLeft}`)
  return lines.join("\n")
}
