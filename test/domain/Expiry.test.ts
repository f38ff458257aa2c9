import { assert, describe, it } from "@effect/vitest"
import { Duration, Schema } from "effect"
import { defaultEngine } from "../../src/domain/EngineName.ts"
import { dueAt, isDue, isExpired, lagSeconds, momentOf } from "../../src/domain/Expiry.ts"

const record = (lastOpAt: bigint | null) => ({
  gameId: "game",
  engine: defaultEngine,
  status: "stopped",
  containerId: null,
  imageRef: null,
  lastOpAt,
  backoff: null,
  hold: null
})

const backedOffUntil = (nextAttemptAt: number) => ({ attempts: 1, nextAttemptAt, lastError: "engine_error" })

describe("a pass's moment", () => {
  it.each([
    ["the service's clock is behind", 1000, 2000],
    ["the database's clock is behind", 2000, 1000]
  ])("goes by the earlier clock when %s", (_, service, database) => {
    const moment = momentOf({ service, database }, Duration.millis(400))
    assert.deepStrictEqual(moment, { now: 1000, cutoff: 600 })
  })

  it("has a whole millisecond as cutoff, rounded towards keeping", () => {
    const moment = momentOf({ service: 1000, database: 1000 }, Duration.nanos(1n))
    assert.deepStrictEqual(moment, { now: 1000, cutoff: 999 })
  })
})

describe("a record is due", () => {
  it.prop(
    "event 21: strictly before the cutoff, whatever the two are",
    [Schema.Int, Schema.BigInt],
    ([cutoff, micros]) => {
      assert.strictEqual(isDue(record(micros), { now: cutoff, cutoff }), micros < BigInt(cutoff) * 1000n)
    }
  )

  it("event 21: a microsecond before the cutoff, and neither at it nor after", () => {
    const moment = { now: 9000, cutoff: 1000 }
    assert.deepStrictEqual(
      [999_999n, 1_000_000n, 1_000_001n].map((micros) => isDue(record(micros), moment)),
      [true, false, false]
    )
  })

  it("event 20: never without a time or for another status", () => {
    assert.isFalse(isDue(record(null), { now: 1000, cutoff: 1000 }))
    assert.isFalse(isDue({ ...record(0n), status: "running" }, { now: 1000, cutoff: 1000 }))
  })

  it("never while a person holds it", () => {
    const hold = { author: "ann", reason: "why", until: null }
    assert.isFalse(isDue({ ...record(0n), hold }, { now: 1000, cutoff: 1000 }))
  })

  it.each([
    [999, true],
    [1000, true],
    [1001, false]
  ])("event 18: at 1000 with a next attempt at %i: %s", (nextAttemptAt, due) => {
    const failing = { ...record(0n), backoff: backedOffUntil(nextAttemptAt) }
    assert.strictEqual(isDue(failing, { now: 1000, cutoff: 500 }), due)
    assert.isTrue(isExpired(failing, { now: 1000, cutoff: 500 }))
  })
})

it("tells the lag in seconds up to the removal, not only to the start of the pass", () => {
  assert.strictEqual(lagSeconds(500_000n, { now: 10_000, cutoff: 2000 }, 10_000), 1.5)
  assert.strictEqual(lagSeconds(500_000n, { now: 10_000, cutoff: 2000 }, 13_000), 4.5)
})

it("tells when a record's retention is over", () => {
  assert.strictEqual(dueAt(1_500n, Duration.days(30)), Duration.toMillis("30 days") + 1.5)
})
