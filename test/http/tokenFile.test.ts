import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Result, Schema } from "effect"
import { Author } from "../../src/domain/Act.ts"
import { type Caller, Role } from "../../src/domain/Caller.ts"
import { callerOf, newToken, parseTokens, TokenName } from "../../src/http/tokenFile.ts"

const digest = (token: string) => createHash("sha256").update(token).digest("hex")
const secret = digest("rtm_secret")
const other = digest("rtm_other")

const problems = (text: string) => Result.match(parseTokens(text), { onFailure: (all) => all, onSuccess: () => [] })
const tokensOf = (text: string) => Result.getOrThrow(parseTokens(text))
const ask = (text: string, token: string, now = 0) => callerOf(tokensOf(text), Redacted.make(token), now)

const ann: Caller = { name: Author.make("ann"), role: "act" }

const noName = "its name is not 1 to 100 printable ASCII characters, or begins with rtm_"
const noRole = "its role is not read or act"
const noDigest = "after its role are not the 64 hex digits of a SHA-256"
const noExpiry = "its expiry is not a time such as 2027-01-31T12:00:00Z"

describe("the token file", () => {
  it.each<readonly [string, string, ReadonlyArray<string>]>([
    ["a name of other characters", `änn act ${secret}`, [`line 1: ${noName}`]],
    ["a name that is too long", `${"a".repeat(101)} act ${secret}`, [`line 1: ${noName}`]],
    ["a token for a name", `rtm_secret act ${secret}`, [`line 1: ${noName}`]],
    ["a name alone", "ann", [`line 1: ${noRole}`]],
    ["an unknown role", `ann admin ${secret}`, [`line 1: ${noRole}`]],
    ["a role in capitals", `ann READ ${secret}`, [`line 1: ${noRole}`]],
    ["fields in another order", `${secret} ann act`, [`line 1: ${noRole}`]],
    ["no hash", "ann act", [`line 1: ${noDigest}`]],
    ["a token for its hash", "ann act rtm_secret", [`line 1: ${noDigest}`]],
    ["a hash that is too short", `ann act ${secret.slice(1)}`, [`line 1: ${noDigest}`]],
    ["a hash that is too long", `ann act ${secret}0`, [`line 1: ${noDigest}`]],
    ["a hash of other characters", `ann act ${secret.slice(1)}g`, [`line 1: ${noDigest}`]],
    ["an expiry without a zone", `ann act ${secret} 2027-01-31T12:00:00`, [`line 1: ${noExpiry}`]],
    ["a day that does not exist", `ann act ${secret} 2027-02-30T12:00:00Z`, [`line 1: ${noExpiry}`]],
    ["an expiry that is none", `ann act ${secret} 90d`, [`line 1: ${noExpiry}`]],
    ["more", `ann act ${secret} 2027-01-31T12:00:00Z # for a while`, ["line 1: it goes on after its expiry"]],
    ["lines ended by CR alone", `ann act ${secret}\rbob act ${other}`, [`line 1: ${noExpiry}`]],
    ["a name twice", `ann act ${secret}\nann read ${other}`, ["line 2: its name is that of line 1"]],
    ["a token twice", `ann act ${secret}\nbob act ${secret.toUpperCase()}`, ["line 2: its token is that of line 1"]],
    [
      "several, all of them in order",
      `# tokens\n\nann act ${secret}\nbob\n ann read ${secret}\ncy act x`,
      [
        `line 4: ${noRole}`,
        "line 5: its name is that of line 3",
        "line 5: its token is that of line 3",
        `line 6: ${noDigest}`
      ]
    ]
  ])("refuses %s, by line number, and quotes none of it", (_, text, expected) => {
    assert.deepStrictEqual(problems(text), expected)
    assert.notInclude(problems(text).join("\n"), secret.slice(1, -1))
  })

  it("may have blank lines, comments, tabs, and lines that end as on Windows", () => {
    const text = `# of the team\r\n\r\n  ann\tact  ${secret}\r\n   # old\r\nbob read ${other.toUpperCase()} 2027-01-31t12:00:00+01:00`
    assert.deepStrictEqual(ask(text, "rtm_secret"), ann)
    assert.deepStrictEqual(ask(text, "rtm_other"), { name: Author.make("bob"), role: "read" })
    assert.deepStrictEqual(tokensOf("").length, 0)
  })

  const Line = Schema.Struct({
    name: TokenName,
    role: Role,
    expires: Schema.Union([
      Schema.Undefined,
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Date.UTC(9999, 0) }))
    ])
  })

  it.effect.prop("takes each token that was made for a line of it, and no other", [Schema.Array(Line)], ([wanted]) =>
    Effect.gen(function* () {
      const lines = [...new Map(wanted.map((line) => [line.name, line])).values()]
      const made = yield* Effect.forEach(lines, ({ expires, ...caller }) =>
        newToken(caller, expires === undefined ? undefined : new Date(expires))
      )
      const tokens = tokensOf(made.map(({ line }) => line).join("\n"))
      for (const [index, { expires = Infinity, name, role }] of lines.entries()) {
        const token = made[index]?.token ?? Redacted.make("")
        const until = Math.min(expires, Number.MAX_SAFE_INTEGER)
        assert.deepStrictEqual(callerOf(tokens, token, until - 1), { name, role })
        if (expires === until) assert.isUndefined(callerOf(tokens, token, until))
        const { line } = made[index] ?? { line: "" }
        assert.notInclude(line, Redacted.value(token))
        for (const wrong of [`${Redacted.value(token)} `, Redacted.value(token).slice(0, -1), digest(line)]) {
          assert.isUndefined(callerOf(tokens, Redacted.make(wrong), 0))
        }
      }
    })
  )
})

describe("a token", () => {
  const crowd = Array.from({ length: 300 }, (_, index) => `user-${index} read ${digest(`rtm_${index}`)}`)

  it.each([0, 1, 150, 299, 300])("is found in whichever line it is: %i before it", (position) => {
    const text = crowd.toSpliced(position, 0, `ann act ${secret}`).join("\n")
    assert.deepStrictEqual(ask(text, "rtm_secret"), ann)
  })

  it.each([
    "",
    " ",
    "rtm_",
    secret,
    `ann act ${secret}`,
    "rtm_Secret",
    "rtm_secret\n",
    "rtm_secret\0",
    "ｒtm_secret",
    "rtm_\ud800"
  ])("is nobody's: %j", (token) => {
    assert.isUndefined(ask(`ann act ${secret}`, token))
  })

  it("is nobody's from its expiry on", () => {
    const text = `ann act ${secret} 2027-01-31T12:00:00Z`
    const end = Date.UTC(2027, 0, 31, 12)
    assert.deepStrictEqual(ask(text, "rtm_secret", end - 1), ann)
    assert.isUndefined(ask(text, "rtm_secret", end))
  })

  it.effect("has 256 random bits, shows only when asked for, and is new each time", () =>
    Effect.gen(function* () {
      const made = yield* Effect.replicateEffect(newToken(ann, undefined), 100)
      const tokens = made.map(({ token }) => Redacted.value(token))
      assert.strictEqual(new Set(tokens).size, 100)
      for (const token of tokens) {
        assert.match(token, /^rtm_[A-Za-z0-9_-]{43}$/)
        assert.lengthOf(Buffer.from(token.slice(4), "base64url"), 32)
      }
      assert.notInclude(JSON.stringify(made), tokens[0] ?? "")
    })
  )
})
