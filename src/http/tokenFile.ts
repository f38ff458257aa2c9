import { hash, randomBytes } from "node:crypto"
import { Effect, Redacted, Result, Schema } from "effect"
import { timingSafeEqual } from "effect/crypto/Mac"
import { Author } from "../domain/Act.ts"
import { type Caller, Role, roles } from "../domain/Caller.ts"
import { parseTime } from "../domain/time.ts"

const prefix = "rtm_"

/** The author of the acts that a token asks for. Its line is no comment, and it is not the token itself by mistake. */
export const TokenName = Author.check(
  Schema.isPattern(/^(?!#|rtm_)/, { expected: `a name that begins with neither # nor ${prefix}` })
)

/** A line of the token file. `expiresAt` is in Unix milliseconds; `Infinity` if it does not expire. */
export interface Token extends Caller {
  readonly sha256: Buffer
  readonly expiresAt: number
}

const sha256 = (text: string) => hash("sha256", text, "hex")

/** A new token of 256 random bits, and its line for the token file, which does not reveal it. */
export const newToken = ({ name, role }: Caller, expires: Date | undefined) =>
  Effect.sync(() => {
    const token = prefix + randomBytes(32).toString("base64url")
    const fields = [name, role, sha256(token), ...(expires === undefined ? [] : [expires.toISOString()])]
    return { token: Redacted.make(token), line: fields.join(" ") }
  })

const isName = Schema.is(TokenName)
const isRole = Schema.is(Role)

/** Why a line cannot be used. No part of it is quoted, because any part can be a secret in the wrong place. */
const parseLine = (line: string): Result.Result<Token, string> => {
  const [name, role, digest = "", expires, ...more] = line.split(/\s+/)
  if (!isName(name)) {
    return Result.fail(`its name is not 1 to 100 printable ASCII characters, or begins with ${prefix}`)
  }
  if (!isRole(role)) return Result.fail(`its role is not ${roles.join(" or ")}`)
  if (!/^[0-9a-f]{64}$/i.test(digest)) return Result.fail("after its role are not the 64 hex digits of a SHA-256")
  const expiresAt = expires === undefined ? Infinity : parseTime(expires)?.getTime()
  if (expiresAt === undefined) return Result.fail("its expiry is not a time such as 2027-01-31T12:00:00Z")
  if (more.length > 0) return Result.fail("it goes on after its expiry")
  return Result.succeed({ name, role, sha256: Buffer.from(digest, "hex"), expiresAt })
}

interface Line<A> {
  readonly number: number
  readonly value: A
}

/** The lines that repeat what an earlier one has. */
const repeats = (tokens: ReadonlyArray<Line<Token>>, what: string, of: (token: Token) => string) =>
  [...Map.groupBy(tokens, ({ value }) => of(value)).values()].flatMap(([first, ...again]) =>
    again.map(({ number }) => ({ number, value: `its ${what} is that of line ${first?.number}` }))
  )

/**
 * Reads a token file: `name role sha256hex [expires]` a line, the expiry by RFC 3339; blank lines and those that begin with `#`
 * are skipped. Fails with everything that is wrong, by line number. A name or a token that comes twice is wrong.
 */
export const parseTokens = (text: string): Result.Result<ReadonlyArray<Token>, ReadonlyArray<string>> => {
  const lines = text
    .split("\n")
    .map((line, index) => ({ number: index + 1, line: line.trim() }))
    .filter(({ line }) => line !== "" && !line.startsWith("#"))
    .map(({ line, number }) => ({ number, value: parseLine(line) }))
  const tokens = lines.flatMap(({ number, value }) =>
    Result.isSuccess(value) ? [{ number, value: value.success }] : []
  )
  const problems = [
    ...lines.flatMap(({ number, value }) => (Result.isFailure(value) ? [{ number, value: value.failure }] : [])),
    ...repeats(tokens, "name", ({ name }) => name),
    ...repeats(tokens, "token", ({ sha256 }) => sha256.toString("hex"))
  ]
  return problems.length === 0
    ? Result.succeed(tokens.map(({ value }) => value))
    : Result.fail(
        problems.toSorted((a, b) => a.number - b.number).map(({ number, value }) => `line ${number}: ${value}`)
      )
}

/**
 * Whose token this is at a time (Unix milliseconds). It is compared with every line in constant time, so how long that takes tells
 * neither which line matches nor how much of one.
 */
export const callerOf = (tokens: ReadonlyArray<Token>, token: Redacted.Redacted, now: number): Caller | undefined => {
  const digest = Buffer.from(sha256(Redacted.value(token)), "hex")
  const [found] = tokens.filter((line) => timingSafeEqual(line.sha256, digest))
  return found === undefined || now >= found.expiresAt ? undefined : { name: found.name, role: found.role }
}
