import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, HashMap } from "effect"
import { TestClock } from "effect/testing"
import { clientOf, counting, failedTokens, mostKeys, tokenRequests } from "../../src/http/limits.ts"

describe("the limit of failed tokens", () => {
  it.effect("lets an address fail five times in any minute, and says how long it has to wait", () =>
    Effect.gen(function* () {
      const { count, wait } = yield* failedTokens
      for (const _ of [1, 2, 3, 4, 5]) {
        assert.isUndefined(yield* wait("10.0.0.1"))
        assert.isUndefined(yield* count("10.0.0.1"))
        yield* TestClock.adjust("1 second")
      }
      assert.strictEqual(yield* wait("10.0.0.1"), 55)
      assert.strictEqual(yield* count("10.0.0.1"), 55)
      assert.isUndefined(yield* wait("10.0.0.2"))
      yield* TestClock.adjust("54500 millis")
      assert.strictEqual(yield* wait("10.0.0.1"), 1)
      yield* TestClock.adjust("500 millis")
      assert.isUndefined(yield* count("10.0.0.1"))
      assert.strictEqual(yield* count("10.0.0.1"), 1)
    })
  )

  it.effect("does not count an address that has to wait, so trying on does not prolong its wait", () =>
    Effect.gen(function* () {
      const { count, wait } = yield* failedTokens
      yield* Effect.replicateEffect(count("10.0.0.1"), 100)
      assert.strictEqual(yield* wait("10.0.0.1"), 60)
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(yield* wait("10.0.0.1"))
    })
  )

  it.effect("blocks nobody for longer because the clock was set back", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2027, 0, 1))
      const { count, wait } = yield* failedTokens
      yield* Effect.replicateEffect(count("10.0.0.1"), 5)
      yield* TestClock.setTime(Date.UTC(2026, 0, 1))
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(yield* wait("10.0.0.1"))
    })
  )

  it.effect("counts each of those who come at once", () =>
    Effect.gen(function* () {
      const { count } = yield* failedTokens
      const answers = yield* Effect.replicateEffect(count("10.0.0.1"), 50, { concurrency: "unbounded" })
      assert.lengthOf(
        answers.filter((left) => left === undefined),
        5
      )
    })
  )
})

describe("an address is counted", () => {
  it.each([
    ["by itself with IPv4", "192.0.2.7", "192.0.2.7"],
    ["as IPv4 if a socket of both kinds has it", "::ffff:192.0.2.7", "192.0.2.7"],
    ["with all of its /64 with IPv6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["with all of its /64, however it is written", "2001:DB8:1:2::6", "2001:db8:1:2::/64"],
    ["without its zone", "fe80::1%eth0", "fe80::/64"],
    ["by itself on this machine", "::1", "::/64"],
    ["as it is if it is none", "", ""]
  ] as const)("%s", (_, address, client) => {
    assert.strictEqual(clientOf(address), client)
  })
})

describe("the limit of requests", () => {
  it.effect("is 20 a second for each token", () =>
    Effect.gen(function* () {
      const { count } = yield* tokenRequests
      const twenty = yield* Effect.replicateEffect(count("ann"), 20)
      assert.isTrue(twenty.every((left) => left === undefined))
      assert.strictEqual(yield* count("ann"), 1)
      assert.isUndefined(yield* count("bob"))
      yield* TestClock.adjust("1 second")
      assert.isUndefined(yield* count("ann"))
    })
  )
})

describe("what a limit remembers", () => {
  const bound = { times: 5, window: Duration.minutes(1) }
  const secondNanos = 1_000_000_000n

  /** A key after another, so many a second. */
  const crowd = (keys: number, perSecond: number, start = HashMap.empty<string, ReadonlyArray<bigint>>()) =>
    Array.from({ length: keys }).reduce<{ counted: typeof start; most: number }>(
      ({ counted, most }, _, index) => {
        const now = (BigInt(index) * secondNanos) / BigInt(perSecond)
        const [, next] = counting(`address ${index}`, bound, now)(counted)
        return { counted: next, most: Math.max(most, HashMap.size(next)) }
      },
      { counted: start, most: 0 }
    )

  it("stays bounded whatever the number of addresses that come within a minute", () => {
    const { counted, most } = crowd(3 * mostKeys, 1_000_000)
    assert.isAtMost(most, mostKeys)
    assert.isAtLeast(HashMap.size(counted), mostKeys / 2)
    assert.isTrue(HashMap.has(counted, `address ${3 * mostKeys - 1}`))
  })

  it("forgets first whoever was counted longest ago", () => {
    const blocked = Array.from({ length: 5 }).reduce<HashMap.HashMap<string, ReadonlyArray<bigint>>>(
      (counted) => counting("late", bound, 100n * secondNanos)(counted)[1],
      HashMap.empty()
    )
    const { counted } = crowd(mostKeys, 100, blocked)
    assert.isTrue(HashMap.has(counted, "late"))
    assert.isFalse(HashMap.has(counted, "address 0"))
    assert.isAtMost(HashMap.size(counted), mostKeys)
  })
})
