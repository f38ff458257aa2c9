import { assert, describe, it } from "@effect/vitest"
import { Redacted } from "effect"
import { type DatabaseLocation, describeLocation, isExposed } from "../../src/config/DatabaseSettings.ts"
import { serverAt } from "../../src/config/databaseUrl.ts"

const server = (host: string): DatabaseLocation & { _tag: "Server" } => ({
  _tag: "Server",
  server: serverAt(Redacted.make(`postgres://user:secret@${host}/games`))
})

describe("plain text", () => {
  for (const host of ["localhost", "127.0.0.1", "127.8.9.10", "[::1]", "[::ffff:127.0.0.1]", "%2Frun"]) {
    it(`event 30: stays on this machine to ${host}`, () => assert.isFalse(isExposed(server(host))))
  }

  for (const host of ["db.example", "10.0.0.5", "0.0.0.0", "[2001:db8::1]", "localhost.example", "127.example"]) {
    it(`event 30: can be read by others to ${host}, which TLS prevents`, () => {
      const location = server(host)
      assert.isTrue(isExposed(location))
      const tls = { verify: "none", ca: undefined, client: undefined } as const
      assert.isFalse(isExposed({ ...location, server: { ...location.server, tls } }))
    })
  }

  it("is no matter of an embedded database", () => {
    assert.isFalse(isExposed({ _tag: "Embedded", directory: "db" }))
  })
})

describe("a database's description", () => {
  for (const [location, shown] of [
    [server("db.example:6432"), "postgres://db.example:6432/games"],
    [server("[::1]"), "postgres://[::1]:5432/games"],
    [server("%2Frun"), "postgres:///run:5432/games"],
    [{ _tag: "Embedded", directory: "db" } as const, "embedded:db"]
  ] as const) {
    it(`is ${shown}, without its user and password`, () => assert.strictEqual(describeLocation(location), shown))
  }
})
