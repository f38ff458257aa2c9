import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { ruleOf, whenDue, whoDecides, whyNotDue } from "../../src/domain/Due.ts"
import { longAgo, micros, momentAt, stopped } from "../support/records.ts"

const day = Duration.toMillis("1 day")
const on = (days: number) => new Date(longAgo + days * day)
const backoff = (days: number) => ({ attempts: 1, nextAttemptAt: longAgo + days * day, lastError: "engine_error" })
const hold = (until: Date | null) => ({ author: "ann", reason: "a dispute", until })

describe("when a game is due", () => {
  it.each([
    ["its retention decides", {}, [], on(30), "retention 30d"],
    ["a backoff that is over before does not", { backoff: backoff(29) }, [], on(30), "retention 30d"],
    ["a longer backoff does", { backoff: backoff(31) }, [], on(31), "backing off until 2026-02-01T00:00:00.000Z"],
    ["a hold that ends before does not", {}, [hold(on(29))], on(30), "retention 30d"],
    [
      "a longer hold does",
      { backoff: backoff(31) },
      [hold(on(32)), hold(on(31))],
      on(32),
      'held by ann until 2026-02-02T00:00:00.000Z: "a dispute"'
    ],
    ["a hold without an end lasts", {}, [hold(on(40)), hold(null)], null, 'held by ann until released: "a dispute"'],
    [
      "a game that runs is not",
      { status: "running" },
      [hold(null)],
      null,
      "only stopped games are cleaned, and this one is running"
    ],
    ["a game without a time is not", { lastOpAt: null }, [], null, "its last_op_at is NULL or infinite"],
    ["a time beyond all years is never", { lastOpAt: micros(9e15) }, [], null, "retention 30d"]
  ] as const)("%s", (_, changes, holds, at, rule) => {
    assert.deepStrictEqual(whenDue(stopped("game", changes), holds, Duration.days(30)), { at, rule })
  })
})

describe("the rule of a stopped record, and why it is not due", () => {
  const moment = momentAt(longAgo + 1)
  const until = "2026-02-01T00:00:00.000Z"
  const held = `held by ann until ${until}: "a dispute"`
  it.each([
    ["its retention is over", {}, "retention 30d", null],
    [
      "it backs off",
      { backoff: backoff(31) },
      `backing off until ${until}`,
      `failed 1 times, last by engine_error; next attempt from ${until}`
    ],
    ["it is held", { backoff: backoff(31), hold: hold(on(31)) }, held, held],
    ["it has no time", { lastOpAt: null, backoff: backoff(31) }, "retention 30d", "its last_op_at is NULL or infinite"],
    [
      "its retention is not over, whatever its backoff",
      { lastOpAt: micros(longAgo + day), backoff: backoff(32) },
      "retention 30d",
      `due at ${until}`
    ],
    ["it is held longer than its retention", { lastOpAt: micros(longAgo + day), hold: hold(on(31)) }, held, held],
    ["its retention ends beyond all years", { lastOpAt: micros(9e15) }, "retention 30d", "due at never"]
  ] as const)("%s", (_, changes, rule, why) => {
    const record = stopped("game", changes)
    assert.strictEqual(ruleOf(record, moment), rule)
    if (why !== null) assert.strictEqual(whyNotDue(record, moment), why)
  })
})

describe("what keeps a stopped game", () => {
  it.each([
    ["its retention", {}, [], "retention"],
    ["its retention if it has no time", { lastOpAt: null }, [hold(null)], "retention"],
    ["its retention if that lasts longer than the others", { backoff: backoff(29) }, [hold(on(28))], "retention"],
    ["its backoff if that lasts longer", { backoff: backoff(33) }, [hold(on(32))], "backoff"],
    ["a hold if that lasts longer", { backoff: backoff(31) }, [hold(on(32))], "hold"],
    ["a hold that has no end", { backoff: backoff(99) }, [hold(null)], "hold"]
  ] as const)("is %s", (_, changes, holds, by) => {
    assert.strictEqual(whoDecides(stopped("game", changes), holds, Duration.days(30)), by)
  })
})
