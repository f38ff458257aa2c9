import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Result } from "effect"
import { callerOf, parseTokens } from "../../src/http/tokenFile.ts"
import { command } from "../support/service.ts"

const said = (log: ReadonlyArray<Record<string, unknown>>) => log.map(({ text }) => text ?? "").join("\n")

describe("token", () => {
  it.live("prints a token of 256 bits once, and a line that takes it and does not reveal it", () =>
    Effect.gen(function* () {
      const { code, log, stdout } = yield* command(["token", "ann", "--role", "act"], {})
      assert.strictEqual(code, 0)
      const [token = "", line = ""] = stdout.split("\n")
      assert.match(token, /^rtm_[A-Za-z0-9_-]{43}$/)
      assert.strictEqual(line, `ann act ${createHash("sha256").update(token).digest("hex")}`)
      assert.strictEqual(stdout, `${token}\n${line}\n`)
      assert.match(said(log), /append the second to the file that RTMANAGER_API_TOKENS_FILE names/)
      assert.notInclude(said(log), token)
      const tokens = Result.getOrThrow(parseTokens(line))
      assert.strictEqual(callerOf(tokens, Redacted.make(token), Date.now())?.role, "act")
    })
  )

  it.live("gives the same as JSON, with its end", () =>
    Effect.gen(function* () {
      const before = Date.now()
      const { code, log, stdout } = yield* command(
        ["token", "bob@desk", "--role", "read", "--expires", "90d", "--json"],
        {}
      )
      assert.strictEqual(code, 0)
      const { expires, line, token, ...rest } = JSON.parse(stdout)
      assert.deepStrictEqual(rest, { name: "bob@desk", role: "read" })
      assert.strictEqual(line, `bob@desk read ${createHash("sha256").update(token).digest("hex")} ${expires}`)
      const days = (at: number) => (Date.parse(expires) - at) / 86_400_000
      assert.isTrue(days(before) >= 90 && days(Date.now()) <= 90)
      assert.deepStrictEqual(log, [])
    })
  )

  it.live.each<readonly [string, ReadonlyArray<string>, RegExp]>([
    ["no role", ["ann"], /--role/],
    ["an unknown role", ["ann", "--role", "admin"], /"read" \| "act"/],
    ["a name with a space", ["ann lee", "--role", "read"], /name/],
    ["a name that makes its line a comment", ["#ann", "--role", "read"], /neither # nor rtm_/],
    ["a token for a name", ["rtm_abc", "--role", "read"], /neither # nor rtm_/],
    ["an end that is over", ["ann", "--role", "read", "--expires", "2020-01-01T00:00:00Z"], /--expires is in the past/],
    ["an end that is none", ["ann", "--role", "read", "--expires", "soon"], /--expires is neither a time/]
  ])("refuses %s, and makes none", ([, args, why]) =>
    Effect.gen(function* () {
      const { code, log, stdout } = yield* command(["token", ...args], {})
      assert.strictEqual(code, 2)
      assert.match(said(log), why)
      assert.notMatch(stdout, /rtm_[A-Za-z0-9_-]{43}/)
    })
  )
})
