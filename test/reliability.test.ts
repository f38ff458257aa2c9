import { globSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"

const rows = readFileSync("docs/reliability.md", "utf8")
  .split("\n")
  .flatMap((line) => {
    const [, number, , , tests = ""] = /^\| (\d+) \|([^|]*)\|([^|]*)\|([^|]*)\|/.exec(line) ?? []
    return number === undefined ? [] : [{ event: Number(number), files: tests.match(/test\/[\w/.-]+\.ts/g) ?? [] }]
  })

const events = Array.from({ length: rows.length }, (_, index) => index + 1)

/** The files with a test whose name begins with this event's number. */
const filesOf = (event: number) =>
  globSync("test/**/*.ts").filter((file) =>
    new RegExp(`["\`]events? (?:[\\d, and]*\\D)?${event}(?:\\D[\\d, and]*)?: `).test(readFileSync(file, "utf8"))
  )

describe("docs/reliability.md", () => {
  it("has a row for each event, in order and without a gap", () => {
    assert.isAtLeast(rows.length, 26)
    assert.deepStrictEqual(
      rows.map(({ event }) => event),
      events
    )
  })

  it.each(events)("names for event %i the files with its tests, and all of them", (event) => {
    const files = filesOf(event).sort()
    assert.isAbove(files.length, 0)
    assert.deepStrictEqual([...(rows[event - 1]?.files ?? [])].sort(), files)
  })
})
