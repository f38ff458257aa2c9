import { assert, describe, it } from "@effect/vitest"
import { Duration, Schema } from "effect"
import { formatGoDuration, parseGoDuration } from "../../src/config/GoDuration.ts"

describe("GoDuration", () => {
  it.each([
    ["90s", Duration.seconds(90)],
    ["1h30m", Duration.minutes(90)],
    ["1.5h", Duration.minutes(90)],
    ["250ms", Duration.millis(250)],
    ["250us", Duration.nanos(250_000n)],
    ["250µs", Duration.nanos(250_000n)],
    ["250μs", Duration.nanos(250_000n)],
    ["0.000000001s", Duration.nanos(1n)],
    ["1s1ns", Duration.nanos(1_000_000_001n)],
    ["1m1m", Duration.minutes(2)],
    ["0s", Duration.zero]
  ])("reads %s exactly", (text, expected) => {
    const duration = parseGoDuration(text)
    assert.isTrue(duration !== undefined && Duration.equals(duration, expected))
  })

  const refused: ReadonlyArray<readonly [name: string, text: string]> = [
    ...[
      "",
      "0",
      "30",
      "s",
      "-1s",
      "+1s",
      " 1s",
      "1s ",
      "1 s",
      "1 month",
      "1d",
      "1S",
      "1.s",
      ".5s",
      "1.2.3s",
      "1e3s",
      "1_000s",
      "1,5s",
      "Infinity",
      "NaN",
      "١s",
      "\uff13\uff10s",
      "9223372036855ms1h9999999h"
    ].map((text) => [JSON.stringify(text), text] as const),
    ["an integer of 99 digits", `${"9".repeat(99)}h`],
    ["an integer of 100 000 digits", `${"1".repeat(100_000)}s`]
  ]
  it.each(refused)("refuses %s", (_, text) => {
    assert.isUndefined(parseGoDuration(text))
  })

  const nanos = Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: 2n ** 63n - 1n }))

  it.prop("reads back what it writes, for every duration that Go can hold", [nanos], ([value]) => {
    const duration = parseGoDuration(formatGoDuration(Duration.nanos(value)))
    assert.strictEqual(duration && Duration.toNanosUnsafe(duration), value)
  })

  it.prop("never reads anything but a finite duration of at least zero", [Schema.String], ([text]) => {
    const duration = parseGoDuration(text)
    assert.isTrue(duration === undefined || (Duration.isFinite(duration) && Duration.toMillis(duration) >= 0))
  })
})
