import { assert, describe, it } from "@effect/vitest"
import { Duration, Schema } from "effect"
import { cutoffAt, dueAt, isDue, lagSeconds } from "../../src/domain/Expiry.ts"

const record = (lastOpAt: bigint | null) => ({
  gameId: "game",
  status: "stopped",
  containerId: null,
  imageRef: null,
  lastOpAt
})

describe("the cutoff", () => {
  it.each([
    ["the service's clock is behind", 1000, 2000],
    ["the database's clock is behind", 2000, 1000]
  ])("goes by the earlier clock when %s", (_, service, database) => {
    assert.strictEqual(cutoffAt({ service, database, retention: Duration.millis(400) }), 600)
  })

  it("is a whole millisecond, rounded towards keeping", () => {
    assert.strictEqual(cutoffAt({ service: 1000, database: 1000, retention: Duration.nanos(1n) }), 999)
  })
})

describe("isDue", () => {
  it.prop("holds strictly before the cutoff, whatever the two are", [Schema.Int, Schema.BigInt], ([cutoff, micros]) => {
    assert.strictEqual(isDue(record(micros), cutoff), micros < BigInt(cutoff) * 1000n)
  })

  it("never holds without a time or for another status", () => {
    assert.isFalse(isDue(record(null), 1000))
    assert.isFalse(isDue({ ...record(0n), status: "running" }, 1000))
  })
})

it("tells the lag in seconds", () => {
  assert.strictEqual(lagSeconds(500_000n, 2000), 1.5)
})

it.each([
  [0n, "1970-01-31T00:00:00.000Z"],
  [9_000_000_000_000_000_000n, "never"]
])("tells when %s µs becomes due", (lastOpAt, expected) => {
  assert.strictEqual(dueAt(lastOpAt, Duration.days(30)), expected)
})
