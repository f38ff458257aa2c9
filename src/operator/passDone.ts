import { isAway, type PassReport } from "../domain/PassReport.ts"
import type { Done } from "./act.ts"

const came = ({ outcomes, undecodable }: PassReport) =>
  Object.entries({ ...outcomes, undecodable })
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${what} ${count}`)
    .join(", ")

/** What an act came to whose work is a pass: a pass that ended early is refused or has failed, even if games were removed before. */
export const passDone = (report: PassReport): Done<PassReport> => {
  const { dryRun, message, reason, result } = report
  const said = [`${dryRun ? "dry run, " : ""}pass: ${result}`, came(report), message ?? ""]
  return {
    value: report,
    result: reason === null ? "done" : isAway({ reason }) ? "failed" : "refused",
    message: said.filter((part) => part !== "").join("; ")
  }
}
