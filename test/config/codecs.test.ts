import { assert, describe, it } from "@effect/vitest"
import { Duration, Option, Schema } from "effect"
import { duration, integer, ListenAddress, RetentionDays } from "../../src/config/codecs.ts"

const read = <A>(schema: Schema.Codec<A, string>, text: string) =>
  Option.getOrUndefined(Schema.decodeOption(schema)(text))

describe("RetentionDays", () => {
  it.each([
    ["30", Duration.days(30)],
    ["0.5", Duration.hours(12)],
    ["0.1", Duration.millis(8_640_000)],
    ["1.0", Duration.days(1)],
    ["3650", Duration.days(3650)],
    ["0.00069445", Duration.millis(60_001)]
  ])("takes %s as days of exactly 24 hours, rounded up to a millisecond", (text, expected) => {
    assert.deepStrictEqual(read(RetentionDays, text), expected)
  })

  it.each([
    "",
    " ",
    "0",
    "0.0",
    "0.0006",
    "-1",
    "+1",
    " 30",
    "30 ",
    "1e3",
    "1e9",
    "0x10",
    "1_000",
    "1,5",
    ".5",
    "5.",
    "030",
    "NaN",
    "Infinity",
    "1 month",
    "30d",
    "\uff13\uff10",
    "3650.000001",
    "9".repeat(400)
  ])("refuses %j", (text) => {
    assert.isUndefined(read(RetentionDays, text))
  })

  const days = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3650 }))
  it.prop("takes every whole number of days that it allows, exactly", [days], ([n]) => {
    assert.deepStrictEqual(read(RetentionDays, String(n)), Duration.days(n))
  })

  it.prop("never reads less than a minute out of any number", [Schema.Number], ([n]) => {
    const retention = read(RetentionDays, String(n))
    assert.isTrue(retention === undefined || Duration.toMillis(retention) >= 60_000)
  })

  it.prop("never reads less than a minute out of any text", [Schema.String], ([text]) => {
    const retention = read(RetentionDays, text)
    assert.isTrue(retention === undefined || Duration.toMillis(retention) >= 60_000)
  })
})

describe("integer", () => {
  const small = integer(1, 64)

  it.each(["", "0", "65", "-1", "+1", "1.0", "1e1", "0x1", "01", " 1", "NaN", "Infinity", "\uff11"])(
    "refuses %j",
    (text) => {
      assert.isUndefined(read(small, text))
    }
  )

  it.prop("reads back every number in its range and none outside", [Schema.Int], ([n]) => {
    assert.strictEqual(read(small, String(n)), n >= 1 && n <= 64 ? n : undefined)
  })
})

describe("duration", () => {
  it.each([
    ["1s", true],
    ["24h", true],
    ["999999999ns", false],
    ["24h1ns", false],
    ["0s", false]
  ])("of 1s to 24h takes %s: %s", (text, taken) => {
    assert.strictEqual(read(duration("1 second", "24 hours"), text) !== undefined, taken)
  })
})

describe("ListenAddress", () => {
  it.each([
    ["127.0.0.1:8080", { host: "127.0.0.1", port: 8080 }],
    ["0.0.0.0:0", { host: "0.0.0.0", port: 0 }],
    ["[::1]:8080", { host: "::1", port: 8080 }],
    ["localhost:65535", { host: "localhost", port: 65_535 }]
  ])("takes %s", (text, expected) => {
    assert.deepStrictEqual(read(ListenAddress, text), expected)
  })

  it.each(["", ":8080", "8080", "localhost", "localhost:", "localhost:65536", "::1:8080", "[x]:1", "a b:1", "h:-1"])(
    "refuses %j",
    (text) => {
      assert.isUndefined(read(ListenAddress, text))
    }
  )
})
