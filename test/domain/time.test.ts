import { assert, describe, it } from "@effect/vitest"
import { isoTime, timeText } from "../../src/domain/time.ts"

describe("a time for people", () => {
  it.each([
    [0, "1970-01-01T00:00:00.000Z"],
    [new Date(1), "1970-01-01T00:00:00.001Z"],
    [8.64e15, "+275760-09-13T00:00:00.000Z"],
    [8.64e15 + 1, "never"],
    [Infinity, "never"]
  ])("%s is %s to the millisecond", (at, text) => {
    assert.strictEqual(isoTime(at), text)
  })

  it.each([
    [new Date(1_999), "1970-01-01T00:00:01Z"],
    [null, null]
  ])("%s is %s to the second", (at, text) => {
    assert.strictEqual(timeText(at), text)
  })
})
