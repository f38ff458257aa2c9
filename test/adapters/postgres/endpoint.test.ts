import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result, Schema } from "effect"
import { parseEndpoint } from "../../../src/adapters/postgres/endpoint.ts"

const parsed = (url: string) => {
  const { host, port, database } = Result.getOrThrow(parseEndpoint(Redacted.make(url)))
  return { host, port, database }
}

describe("a database URL's place", () => {
  const cases: ReadonlyArray<readonly [string, string, number, string | undefined]> = [
    ["postgres://user:secret@db.example:6432/games", "db.example", 6432, "games"],
    ["postgresql://db.example/games", "db.example", 5432, "games"],
    ["postgres://db.example", "db.example", 5432, undefined],
    ["postgres://[::1]:5433/games", "::1", 5433, "games"],
    ["postgres://user@/games?host=/var/run/postgresql", "/var/run/postgresql", 5432, "games"],
    ["postgres://user:p%40ss@?host=/run&dbname=games", "/run", 5432, "games"],
    ["postgres:///games?host=/run&port=6000", "/run", 6000, "games"],
    ["postgres://%2Frun/games", "/run", 5432, "games"],
    ["postgres:///", "localhost", 5432, undefined],
    ["postgres://db.example/a%20b", "db.example", 5432, "a b"]
  ]
  for (const [url, host, port, database] of cases) {
    it(`is read from ${url}`, () => assert.deepStrictEqual(parsed(url), { host, port, database }))
  }

  const refused = [
    "",
    "mysql://db/games",
    "postgres://host:port/",
    "postgres://user:secret@a b/",
    "postgres://%zz/secret"
  ]
  for (const url of refused) {
    it(`is not found in ${JSON.stringify(url)}, and the reason does not quote it`, () => {
      const result = parseEndpoint(Redacted.make(url))
      assert(Result.isFailure(result))
      assert.notInclude(result.failure, "secret")
    })
  }

  it.prop("never throws", [Schema.String], ([text]) => {
    parseEndpoint(Redacted.make(text))
    parseEndpoint(Redacted.make(`postgres://${text}`))
  })
})
