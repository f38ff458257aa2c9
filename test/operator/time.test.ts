import { assert, describe, it } from "@effect/vitest"
import { Duration, Result, Schema } from "effect"
import { PersonsDuration, parseSince, parseUntil } from "../../src/operator/time.ts"

const now = Date.UTC(2026, 10, 1)
const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

const endOf = (text: string, at = now) =>
  Result.match(parseUntil(text, at), {
    onFailure: (why) => why.replace(/:.*/, ""),
    onSuccess: (end) => (end instanceof Date ? end.toISOString() : Duration.toMillis(end))
  })

const neither = "neither a time such as 2027-01-31T12"

describe("--until", () => {
  it.each([
    ["90s", 90_000],
    ["36h", 36 * hour],
    ["30d", 30 * day],
    ["1d12h", 36 * hour],
    ["1.5h", 90 * minute],
    ["36500d", 36_500 * day],
    ["2027-01-31T12:00:00Z", "2027-01-31T12:00:00.000Z"],
    ["2027-01-31t12:00:00z", "2027-01-31T12:00:00.000Z"],
    ["2027-01-31T12:00:00.25+01:30", "2027-01-31T10:30:00.250Z"],
    ["2028-02-29T23:59:59-00:00", "2028-02-29T23:59:59.000Z"],
    ["2026-11-01T00:00:00.001Z", "2026-11-01T00:00:00.001Z"]
  ])("takes %s", (text, expected) => {
    assert.strictEqual(endOf(text), expected)
  })

  it.each([
    ["2026-11-01T00:00:00Z", "in the past"],
    ["1999-12-31T23:59:59Z", "in the past"],
    ["0s", "in the past"],
    ["0d", "in the past"],
    ["36526d", "more than 100 years away"],
    ["999999d", "more than 100 years away"],
    ["900000h", "more than 100 years away"],
    ["2127-01-01T00:00:00Z", "more than 100 years away"],
    ["", neither],
    ["30", neither],
    ["d", neither],
    ["-1h", neither],
    ["1.5d", neither],
    ["12h1d", neither],
    ["1000000d", neither],
    ["1w", neither],
    [" 1h", neither],
    ["tomorrow", neither],
    ["2027-01-31", neither],
    ["2027-01-31T12:00:00", neither],
    ["2027-02-29T12:00:00Z", neither],
    ["2027-04-31T12:00:00Z", neither],
    ["2027-13-01T12:00:00Z", neither],
    ["2027-00-01T12:00:00Z", neither],
    ["2027-01-00T12:00:00Z", neither],
    ["2027-01-31T24:00:00Z", neither],
    ["2027-01-31T12:00:60Z", neither],
    ["2027-01-31T12:00:00+24:00", neither],
    ["2027-01-31 12:00:00Z", neither],
    ["2027-01-31T12:00:00Z\n", neither]
  ])("refuses %j", (text, why) => {
    assert.strictEqual(endOf(text), why)
  })

  const Whole = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))

  it.prop(
    "adds up days and a duration as Go writes it",
    [Whole(36_000), Whole(100), Whole(100), Whole(100)],
    ([days, hours, minutes, seconds]) => {
      const sum = days * day + hours * hour + minutes * minute + seconds * 1000
      assert.strictEqual(endOf(`${days}d${hours}h${minutes}m${seconds}s`), sum > 0 ? sum : "in the past")
    }
  )

  it.prop("takes each time of the next century, in any zone", [Whole(36_000 * day), Whole(1439)], ([after, offset]) => {
    const time = now + 1 + after
    const [hours, minutes] = [Math.floor(offset / 60), offset % 60].map((part) => String(part).padStart(2, "0"))
    for (const sign of [1, -1]) {
      const local = new Date(time + sign * offset * minute).toISOString().slice(0, -1)
      assert.strictEqual(endOf(`${local}${sign > 0 ? "+" : "-"}${hours}:${minutes}`), new Date(time).toISOString())
    }
  })
})

describe("--since", () => {
  it.each([
    ["90s", "2026-10-31T23:58:30Z"],
    ["36h", "2026-10-30T12:00:00Z"],
    ["30d", "2026-10-02T00:00:00Z"],
    ["1h30m", "2026-10-31T22:30:00Z"],
    ["1d12h", "2026-10-30T12:00:00Z"],
    ["0s", "2026-11-01T00:00:00Z"],
    ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"],
    ["2026-01-31T12:00:00.5+02:00", "2026-01-31T10:00:00.500Z"],
    ["2127-01-01T00:00:00Z", "2127-01-01T00:00:00Z"]
  ])("takes %s as %s", (text, expected) => {
    assert.strictEqual(parseSince(text, now), Date.parse(expected))
  })

  it.each([
    "",
    "yesterday",
    "30",
    "-1h",
    "12h1d",
    "2026-01-31",
    "2026-01-31T12:00:00",
    "2026-13-31T12:00:00Z",
    "2026-02-30T12:00:00Z",
    "2026-01-31T24:00:00Z",
    "9999999d"
  ])("refuses %j", (text) => {
    assert.isUndefined(parseSince(text, now))
  })
})

describe("how long a person says", () => {
  it.each([
    ["30d", Duration.days(30)],
    ["2h", Duration.hours(2)],
    ["1h30m", Duration.minutes(90)],
    ["1d12h", Duration.hours(36)]
  ] as const)("%s is read", (text, expected) => {
    assert.deepStrictEqual(Schema.decodeSync(PersonsDuration)(text), expected)
  })

  it.each(["d", "1.5d", "-1d", "12h1d", "1000000d", "tomorrow", "2027-01-31T12:00:00Z"])("%s is not", (text) => {
    assert.throws(() => Schema.decodeSync(PersonsDuration)(text))
  })
})
