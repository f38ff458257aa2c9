import { assert, describe, it } from "@effect/vitest"
import { median, quantile, ratio, spread } from "../../bench/stats.ts"

describe("the benchmark's statistics", () => {
  const medians = [
    { name: "one value is its own median", values: [3], expected: 3 },
    { name: "the middle of an odd number of values, in any order", values: [9, 1, 4], expected: 4 },
    { name: "halfway between the middle two of an even number", values: [4, 1, 2, 9], expected: 3 },
    { name: "values are compared as numbers, not as text", values: [10, 9, 100], expected: 10 },
    { name: "no values have none", values: [], expected: Number.NaN }
  ]
  for (const { name, values, expected } of medians) {
    it(`median: ${name}`, () => assert.deepStrictEqual(median(values), expected))
  }

  const quantiles = [
    { name: "the ends are the least and the greatest", share: 1, expected: 5 },
    { name: "a quarter of five values is the second", share: 0.25, expected: 2 },
    { name: "between two values it is linear", share: 0.9, expected: 4.6 }
  ]
  for (const { name, share, expected } of quantiles) {
    it(`quantile: ${name}`, () => assert.strictEqual(quantile([5, 4, 3, 2, 1], share), expected))
  }

  it("a spread is the median with the quartiles around it", () =>
    assert.deepStrictEqual(spread([1, 2, 3, 4, 5]), { median: 3, q1: 2, q3: 4 }))

  it("a ratio is taken round by round, so a slow round does not widen it", () =>
    assert.deepStrictEqual(ratio([200, 20, 100], [100, 10, 50]), { median: 2, q1: 2, q3: 2 }))

  it("a round that the other one has not had gives no ratio", () => assert.isNaN(ratio([1, 2], [1]).median))

  it("the values themselves are left in their order", () => {
    const values = [3, 1, 2]
    median(values)
    assert.deepStrictEqual(values, [3, 1, 2])
  })
})
