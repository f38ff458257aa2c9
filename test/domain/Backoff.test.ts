import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { afterFailure, type Backoff, isStuck, stuckAfter } from "../../src/domain/Backoff.ts"

const day = 86_400_000
const attempts = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10_000 }))
const random = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 0.999_999 }))
const failed = (attempts: number): Backoff | null =>
  attempts === 0 ? null : { attempts, nextAttemptAt: 5, lastError: "engine_error" }

describe("a game's backoff", () => {
  it.each([
    [0, 2],
    [1, 4],
    [4, 32],
    [9, 1024],
    [10, 1440],
    [1000, 1440]
  ])("event 18: after %i failures and one more ends at most %i minutes later", (failures, minutes) => {
    const latest = afterFailure(failed(failures), { code: "engine_error", at: 0, random: 0.999_999_999 })
    assert.strictEqual(latest.nextAttemptAt, minutes * 60_000)
  })

  it.prop(
    "event 18: is spread evenly over the whole of its time, never before the failure and never over a day after it",
    { attempts, random },
    ({ attempts, random }) => {
      const at = Date.UTC(2026, 0, 1)
      const latest = afterFailure(failed(attempts), { code: "x", at, random: 0.999_999_999 }).nextAttemptAt - at
      const next = afterFailure(failed(attempts), { code: "x", at, random })
      assert.isTrue(next.nextAttemptAt >= at && next.nextAttemptAt - at <= day)
      assert.closeTo(next.nextAttemptAt - at, random * latest, 2)
      assert.strictEqual(next.attempts, attempts + 1)
      assert.isTrue(Number.isSafeInteger(next.nextAttemptAt))
    }
  )

  it("event 18: is stuck from the tenth failure on", () => {
    assert.strictEqual(stuckAfter, 10)
    assert.deepStrictEqual(
      [0, 9, 10, 11].map((failures) => isStuck(failed(failures))),
      [false, false, true, true]
    )
  })
})
