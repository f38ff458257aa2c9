import { assert, it } from "@effect/vitest"
import { parseSince } from "../../src/cli/since.ts"

const now = Date.UTC(2026, 6, 31, 12)

it.each([
  ["90s", "2026-07-31T11:58:30Z"],
  ["36h", "2026-07-30T00:00:00Z"],
  ["30d", "2026-07-01T12:00:00Z"],
  ["1h30m", "2026-07-31T10:30:00Z"],
  ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"],
  ["2026-01-31T12:00:00.5+02:00", "2026-01-31T10:00:00.500Z"]
])("reads %s as %s", (text, expected) => {
  assert.strictEqual(parseSince(text, now), Date.parse(expected))
})

it.each([
  "",
  "yesterday",
  "30",
  "-1h",
  "1d12h",
  "2026-01-31",
  "2026-01-31T12:00:00",
  "2026-13-31T12:00:00Z",
  "9999999d"
])("does not read %j", (text) => {
  assert.isUndefined(parseSince(text, now))
})
