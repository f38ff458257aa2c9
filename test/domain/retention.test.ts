import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { isShortened, judgeRetention, wholeMillis } from "../../src/domain/retention.ts"

const [day, month] = [Duration.days(1), Duration.days(30)]

describe("a pass with another retention than the last one", () => {
  it.each([
    { name: "none is stored yet", stored: undefined, present: month, newlyDue: 0, expected: "store" },
    { name: "none is stored, whatever is due", stored: undefined, present: day, newlyDue: 1000, expected: "store" },
    { name: "the same", stored: month, present: month, newlyDue: 0, expected: "unchanged" },
    { name: "longer", stored: day, present: month, newlyDue: 0, expected: "store" },
    { name: "shorter, but nothing more is due", stored: month, present: day, newlyDue: 0, expected: "store" },
    { name: "shorter, and 20 more games are due", stored: month, present: day, newlyDue: 20, expected: "store" },
    { name: "shorter, and 21 more games are due", stored: month, present: day, newlyDue: 21, expected: "refuse" },
    {
      name: "a millisecond shorter",
      stored: month,
      present: Duration.millis(Duration.toMillis(month) - 1),
      newlyDue: 21,
      expected: "refuse"
    },
    {
      name: "the same fraction of a millisecond as is stored",
      stored: wholeMillis(Duration.days(1.000_000_123)),
      present: Duration.days(1.000_000_123),
      newlyDue: 21,
      expected: "unchanged"
    }
  ] as const)("$name: $expected", ({ expected, newlyDue, present, stored }) => {
    assert.strictEqual(judgeRetention(stored, present, newlyDue), expected)
  })

  it.each([
    ["shorter", month, day, true],
    ["the same", month, month, false],
    ["longer", day, month, false],
    ["the first", undefined, day, false]
  ] as const)("%s: whether it can make games due", (_, stored, present, expected) => {
    assert.strictEqual(isShortened(stored, present), expected)
  })

  it("is stored in whole milliseconds, never shorter than it is", () => {
    assert.deepStrictEqual(wholeMillis(Duration.days(1.000_000_001)), Duration.millis(86_400_001))
    assert.deepStrictEqual(wholeMillis(month), month)
  })
})
