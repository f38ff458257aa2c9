import { assert, describe, it } from "@effect/vitest"
import { Exit, Schema } from "effect"
import type { EndedAttempt } from "../../src/domain/Outcome.ts"
import { PassRefused } from "../../src/domain/PassRefused.ts"
import * as Report from "../../src/domain/PassReport.ts"
import { PlannedGame } from "../../src/domain/PlannedGame.ts"
import { containerId } from "../support/records.ts"

const removed: EndedAttempt = {
  gameId: "one",
  containerId: containerId("1"),
  imageRef: null,
  unresolved: false,
  outcome: "removed",
  errorCode: null,
  message: "the container was removed",
  lag: 1,
  anonymousVolumes: 2
}

const kept: EndedAttempt = {
  ...removed,
  gameId: "two",
  outcome: "failed",
  errorCode: "outcome_unknown",
  lag: undefined,
  unresolved: true
}

const page = { records: [1, 2, 3], undecodable: ["game_id=odd: no status"] }

const tally = [removed, kept, kept].reduce(
  Report.withGame,
  Report.withPage({ ...Report.empty("schedule", false), cutoff: new Date(0) }, page)
)

describe("a report", () => {
  it("is encoded under the names of the audit log, with only those error codes that occurred", () => {
    const refused = Report.report(tally, Exit.fail(PassRefused.absentBrake("19 of 20")))
    assert.deepStrictEqual(Schema.encodeSync(Report.PassReport)(refused), {
      trigger: "schedule",
      dry_run: false,
      result: "refused",
      reason: "absent_brake",
      message: "19 of 20; see what became of them, then run: run --accept-absent --reason REASON",
      cutoff: "1970-01-01T00:00:00.000Z",
      listed: 4,
      undecodable: 1,
      not_attempted: 0,
      outcomes: { removed: 1, already_absent: 0, replay_no_op: 0, conflict: 0, failed: 2, interrupted: 0 },
      error_codes: { outcome_unknown: 2 },
      unresolved: ["two", "two"],
      lag_max_seconds: 1,
      anonymous_volumes_left: 6
    })
  })

  it.each([
    ["nothing was removed", [kept], null],
    ["nothing was removed because it was due", [{ ...removed, lag: undefined }], null],
    ["the first was the latest", [removed, { ...removed, lag: 0.5 }, kept], 1],
    ["another one was the latest", [removed, { ...removed, lag: 60 }, { ...removed, lag: 2 }], 60]
  ] as const)("has the longest lag: %s", (_, ended, lag) => {
    assert.strictEqual(ended.reduce(Report.withGame, Report.empty("schedule", false)).lagMax, lag)
  })

  it("comes back from its JSON", () => {
    const json = Schema.fromJsonString(Report.PassReport)
    const report = Schema.decodeSync(json)(Schema.encodeSync(json)(Report.report(tally, Exit.void)))
    assert.deepStrictEqual(report.cutoff, new Date(0))
    assert.deepStrictEqual([report.result, report.reason, report.message], ["partial", null, null])
  })

  it.each([
    ["nothing was wrong", Report.empty("manual", false), Exit.void, "success"],
    ["a game failed", tally, Exit.void, "partial"],
    ["a row does not decode", Report.withPage(Report.empty("manual", false), page), Exit.void, "partial"],
    ["a guard refused it", tally, Exit.fail(PassRefused.paused), "refused"],
    ["a bug ended it", tally, Exit.die(new Error("bug")), "failure"],
    ["the database failed", tally, Exit.fail({ reason: "database_down", message: "down" } as const), "failure"],
    ["it was interrupted", tally, Exit.interrupt(), "interrupted"]
  ] as const)("where %s has its result", (_, counted, exit, result) => {
    assert.strictEqual(Report.report(counted, exit).result, result)
  })
})

describe("a planned game", () => {
  it("is encoded under the names of the audit log", () => {
    const planned: PlannedGame = {
      gameId: "one",
      engine: "default",
      containerId: null,
      lastOpAt: 1n,
      action: "keep",
      rule: "retention 30d",
      errorCode: "too_recent",
      stuck: false,
      message: "the container changed"
    }
    assert.deepStrictEqual(Schema.encodeSync(PlannedGame)(planned), {
      game_id: "one",
      engine: "default",
      container_id: null,
      last_op_at: "1970-01-01T00:00:00.000001Z",
      action: "keep",
      rule: "retention 30d",
      error_code: "too_recent",
      stuck: false,
      message: "the container changed"
    })
  })
})
