import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { judge, type Session, settingsFor } from "../../../src/adapters/postgres/session.ts"
import { documented } from "../../support/pgbouncer.ts"

const timeout = Duration.seconds(5)

const asked: Session = {
  statement_timeout: "5s",
  lock_timeout: "4s",
  idle_in_transaction_session_timeout: "5s",
  default_transaction_isolation: "read committed",
  TimeZone: "UTC",
  enable_seqscan: "off",
  enable_bitmapscan: "off",
  enable_sort: "off",
  jit: "off",
  role: "service"
}

const safe: ReadonlyArray<readonly [string, Partial<Session>]> = [
  ["as asked", {}],
  ["shorter, in milliseconds", { statement_timeout: "4999ms", lock_timeout: "1ms" }],
  ["UTC by another name", { TimeZone: "Etc/UTC" }],
  ["UTC in small letters", { TimeZone: "utc" }]
]

const unsafe: ReadonlyArray<readonly [string, Partial<Session>, string]> = [
  ["no statement timeout", { statement_timeout: "0" }, "statement_timeout = '5000'"],
  ["a longer statement timeout", { statement_timeout: "5001ms" }, "statement_timeout = '5000'"],
  ["a timeout of minutes", { statement_timeout: "1min" }, "statement_timeout = '5000'"],
  ["a timeout of hours", { lock_timeout: "1h" }, "lock_timeout = '4000'"],
  ["a timeout of days", { lock_timeout: "1d" }, "lock_timeout = '4000'"],
  ["a timeout in a unit that is none", { lock_timeout: "1x" }, "lock_timeout = '4000'"],
  ["no lock timeout", { lock_timeout: "0" }, "lock_timeout = '4000'"],
  [
    "no end to an idle transaction",
    { idle_in_transaction_session_timeout: "0" },
    "idle_in_transaction_session_timeout = '5000'"
  ],
  ["another isolation", { default_transaction_isolation: "serializable" }, "isolation = 'read committed'"],
  ["another time zone", { TimeZone: "Europe/London" }, "TimeZone = 'UTC'"]
]

describe("a session", () => {
  it.each(safe)("event 27: is taken as it is: %s", (_, session) => {
    assert.deepStrictEqual(judge({ ...asked, ...session }, timeout), { unsafe: undefined, slow: undefined })
  })

  it.each(unsafe)("event 27: is refused, with the line that mends it: %s", (_, session, line) => {
    const verdict = judge({ ...asked, ...session }, timeout)
    assert.include(verdict.unsafe, `alter role "service" set`)
    assert.include(verdict.unsafe, line)
    assert.isUndefined(verdict.slow)
  })

  it("has every setting that the manual gives to the role, and to PgBouncer all that it does not know", () => {
    const names = Object.keys(settingsFor(timeout))
    assert.deepStrictEqual(Object.keys(documented.settings), names)
    assert.deepStrictEqual(documented.ignored, ["search_path", ...names.filter((name) => name !== "TimeZone")])
  })

  it.each(["enable_seqscan", "enable_bitmapscan", "enable_sort", "jit"] as const)(
    "event 41: is only called slow without %s",
    (name) => {
      const verdict = judge({ ...asked, [name]: "on" }, timeout)
      assert.isUndefined(verdict.unsafe)
      assert.include(verdict.slow, `${name} is on`)
      assert.include(verdict.slow, `set ${name} = 'off'`)
    }
  )
})
