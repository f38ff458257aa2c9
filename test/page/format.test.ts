import { assert, describe, it } from "@effect/vitest"
import { Problem } from "../../src/page/api.js"
import { about, counted, fromNow, many, rate, short, time, took, traceLink, utc } from "../../src/page/format.js"
import { waitFor } from "../../src/page/live.js"
import { addressOf, isFiltered, parseRoute } from "../../src/page/route.js"
import { daily, hourly } from "../../src/page/series.js"
import { parseEvents } from "../../src/page/sse.js"

const now = Date.parse("2026-11-30T18:00:00Z")
const second = 1000
const hour = 3600 * second
const day = 24 * hour

describe("the page's formats", () => {
  it.each([
    ["the same moment", 0, "now"],
    ["seconds to come", 12 * second, "in 12 s"],
    ["seconds ago", -59 * second, "59 s ago"],
    ["two units at most", 2 * day + 3 * hour + 4 * 60 * second, "in 2 d 3 h"],
    ["no unit that is empty", -2 * hour - 5 * second, "2 h ago"],
    ["a whole unit alone", 60 * second, "in 1 min"]
  ])("tell how far away a time is: %s", (_, distance, text) => {
    assert.strictEqual(fromNow(now + distance, now), text)
  })

  it.each([
    ["to come", 2 * day + 3 * hour, "in 2 d"],
    ["ago", -61 * 60 * second, "1 h ago"],
    ["short already", -3 * second, "3 s ago"]
  ])("tell about how far away a time is: %s", (_, distance, text) => {
    assert.strictEqual(about(now + distance, now), text)
  })

  it("tell a time in the reader's zone, with its year if it is far away, and in UTC", () => {
    assert.strictEqual(time(now, now, "America/St_Johns"), "30 Nov, 14:30:00")
    assert.strictEqual(time(now - 400 * day, now, "UTC"), "26 Oct 2025, 18:00:00")
    assert.strictEqual(utc(now), "2026-11-30 18:00:00 UTC")
  })

  it.each([
    ["less than a second", 180, "180 ms"],
    ["some seconds", 1440, "1.4 s"],
    ["minutes", 125 * second, "2 min 5 s"],
    ["a clock set back", -5, "0 ms"]
  ])("tell how long something took: %s", (_, millis, text) => {
    assert.strictEqual(took(new Date(now).toISOString(), new Date(now + millis).toISOString()), text)
  })

  it("tell no duration of what has not ended", () => {
    assert.strictEqual(took(new Date(now).toISOString(), null), "")
  })

  it.each([
    [{ count: 7, more: false }, "7"],
    [{ count: 10_000, more: true }, "10\u202f000+"],
    [{ count: 1_234_567, more: false }, "1\u202f234\u202f567"]
  ])("count in thousands, and say that there are more: %o", (given, text) => {
    assert.strictEqual(counted(given), text)
  })

  it("count things in words", () => {
    assert.deepStrictEqual([many(1, "hold"), many(2, "hold"), many(3, "pass")], ["1 hold", "2 holds", "3 passes"])
  })

  it("tell a rate in three figures", () => {
    assert.deepStrictEqual(
      [rate(0.123), rate(12.34), rate(1234.5)],
      ["0.12 games/s", "12.3 games/s", "1\u202f235 games/s"]
    )
  })

  it("shorten an identity, and leave a short one whole", () => {
    assert.deepStrictEqual([short("a".repeat(64)), short("arena-1")], [`${"a".repeat(12)}…`, "arena-1"])
  })

  it.each([
    ["a template", "https://traces/{trace_id}", "ab", "https://traces/ab"],
    ["an id that is not one", "http://traces/{trace_id}?x", "a/b?", "http://traces/a%2Fb%3F?x"],
    ["no template", null, "ab", null],
    ["no trace", "https://traces/{trace_id}", null, null],
    ["a template that would be run", "javascript:alert({trace_id})", "1", null]
  ])("link to a trace: %s", (_, template, id, link) => {
    assert.strictEqual(traceLink(template, id), link)
  })
})

describe("the page's addresses", () => {
  it.each([
    ["", { name: "now", id: "", query: {} }],
    ["#/games/held?engine=a%20b&cursor=x", { name: "games", id: "held", query: { engine: "a b", cursor: "x" } }],
    ["#/game/a%2Fb%3F%23", { name: "game", id: "a/b?#", query: {} }],
    ["#/game/%E0%A4%A", { name: "game", id: "%E0%A4%A", query: {} }]
  ])("read %s", (address, route) => {
    assert.deepStrictEqual(parseRoute(address), route)
  })

  it("lead back to what they were made of", () => {
    const query = { cursor: "a&b=c" }
    assert.deepStrictEqual(parseRoute(addressOf("game", "../ä ?#/%", query)), { name: "game", id: "../ä ?#/%", query })
  })

  it("leave out what is empty", () => {
    assert.strictEqual(addressOf("log", "", { outcome: "", game: undefined, since: "24h" }), "#/log?since=24h")
  })
})

describe("the page's events", () => {
  it.each([
    ["an event", "id: 1\nevent: status\ndata: {}\n\n", [{ event: "status", data: "{}" }], ""],
    ["a comment, which is none", ": still here\n\n", [], ""],
    ["data in lines", "data: a\ndata:b\n\n", [{ event: "message", data: "a\nb" }], ""],
    ["other ends of lines", "event: x\r\ndata: 1\r\n\r\n", [{ event: "x", data: "1" }], ""],
    ["one that has not ended", "data: 1\n\ndata: 2\n", [{ event: "message", data: "1" }], "data: 2\n"]
  ])("are read from a text: %s", (_, text, events, rest) => {
    assert.deepStrictEqual(parseEvents(text), { events, rest })
  })

  it.each([
    ["after the first failure", 0, 0, 500],
    ["after the third", 2, 0, 2000],
    ["at most half a minute", 50, 1, 30_000]
  ])("are asked for again after a wait: %s", (_, failures, random, millis) => {
    assert.strictEqual(waitFor(failures, random), millis)
  })
})

describe("the page's charts", () => {
  const at = (hours: number, more: { removed?: number; failed?: number; lag_max_seconds?: number } = {}) => ({
    at: new Date(now - hours * hour).toISOString(),
    passes: 1,
    removed: 0,
    already_absent: 0,
    conflict: 0,
    failed: 0,
    lag_max_seconds: null,
    ...more
  })

  it("have a value for every hour, also for those in which nothing happened", () => {
    assert.deepStrictEqual(
      hourly([at(2, { removed: 5, lag_max_seconds: 30 }), at(0, { failed: 1 }), at(40, { removed: 9 })], now + 5000, 4),
      {
        starts: [3, 2, 1, 0].map((hours) => (now - hours * hour) / 1000),
        removed: [0, 5, 0, 0],
        failed: [0, 0, 0, 1],
        lag: [null, 30, null, null]
      }
    )
  })

  it("sum up the days of the reader's calendar and have their longest lag, newest first", () => {
    const days = daily(
      [
        at(24, { removed: 1, lag_max_seconds: 5 }),
        at(19, { removed: 2, lag_max_seconds: 4 }),
        at(1, { removed: 4, failed: 1 })
      ],
      "UTC"
    )
    assert.deepStrictEqual(days, [
      { day: "Mon 30 Nov", passes: 1, removed: 4, absent: 0, failed: 1, lag: null },
      { day: "Sun 29 Nov", passes: 2, removed: 3, absent: 0, failed: 0, lag: 5 }
    ])
  })
})

describe("the page's filters", () => {
  it.each([
    ["a filter is set", "#/log", "#/log?outcome=failure", true],
    ["a filter is set on a later page", "#/log?cursor=c", "#/log?outcome=failure", true],
    ["a later page is asked for", "#/log?outcome=failure", "#/log?outcome=failure&cursor=c", false],
    ["the first page is asked for", "#/log?cursor=c", "#/log", false],
    ["another state is asked for", "#/games/due", "#/games/held?engine=a", false],
    ["another view is asked for", "#/log", "#/acts", false]
  ])("are told from a new view: %s", (_, from, to, filtered) => {
    assert.strictEqual(isFiltered(parseRoute(from), parseRoute(to)), filtered)
  })
})

describe("the page's problems", () => {
  it.each([
    [409, "urn:rtmanager:refused", "Not done", false],
    [409, "urn:rtmanager:in-flight", "Under way", true],
    [409, "urn:rtmanager:killed", "Not known: part of it may have been done", false],
    [503, "urn:rtmanager:failed", "Failed: part of it may have been done", false],
    [412, "about:blank", "Not done", false],
    [503, "about:blank", "No answer yet", true],
    [502, undefined, "No answer yet", true],
    [429, "about:blank", "No answer yet", true],
    [0, undefined, "No answer yet", true]
  ])(
    "say what became of an act, and whether the same request may be tried again: %i %s",
    (status, type, text, passes) => {
      const problem = new Problem(status, "what the service says", type)
      assert.deepStrictEqual([problem.outcome, problem.passes], [text, passes])
    }
  )
})
