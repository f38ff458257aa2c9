import { chmodSync, existsSync, readdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { temporaryFolder } from "./support/postgres.ts"
import { command } from "./support/service.ts"

describe("the command line", () => {
  it.live.each([
    { args: ["--help"], shows: /serve.*run.*plan.*demo.*migrate.*engine.*pause.*resume.*retention/s },
    { args: ["serve", "--help"], shows: /rtmanager-cleanup serve/ },
    { args: ["run", "--help"], shows: /--json/ },
    { args: ["engine", "accept", "--help"], shows: /engine accept.*--reason/s },
    { args: ["pause", "--help"], shows: /--for.*pause --for 2h --reason/s },
    { args: ["resume", "--help"], shows: /resume --reason/ },
    { args: ["token", "--help"], shows: /--expires.*--role.*token ann --role act/s },
    { args: ["retention", "accept", "--help"], shows: /retention accept --reason/ },
    { args: ["--version"], shows: /\d+\.\d+\.\d+/ }
  ])("needs no settings for $args", ({ args, shows }) =>
    Effect.gen(function* () {
      const { code, stdout } = yield* command(args, {})
      assert.strictEqual(code, 0)
      assert.match(stdout, shows)
    })
  )

  it.live.each([
    { args: ["bogus"] },
    { args: ["run", "--bogus"] },
    { args: ["engine", "bogus"] },
    { args: ["engine", "accept"] },
    { args: ["pause"] }
  ])("ends with 2 for arguments that it does not know: $args", ({ args }) =>
    Effect.gen(function* () {
      assert.strictEqual((yield* command(args, {})).code, 2)
    })
  )

  it.live.each(["serve", "run", "plan", "migrate"].map((name) => ({ name })))(
    "ends $name with 2 and every unusable setting at once, and has touched nothing",
    ({ name }) =>
      Effect.gen(function* () {
        const folder = `${tmpdir()}/rtmanager-never-made`
        const { code, stdout, log } = yield* command([name], {
          RTMANAGER_DATABASE_URL: `embedded:${folder}`,
          RTMANAGER_CONTAINER_RETENTION_DAYS: "0",
          RTMANAGER_CLEANUP_INTERVAL: "1 month",
          RTMANAGER_GAME_LEASE_TTL: "20s"
        })
        assert.strictEqual(code, 2)
        assert.strictEqual(stdout, "")
        const text = log.map((line) => String(line["text"])).join("\n")
        for (const variable of ["CONTAINER_RETENTION_DAYS=", "CLEANUP_INTERVAL=", "GAME_LEASE_TTL="]) {
          assert.include(text, `RTMANAGER_${variable}`)
        }
        assert.isFalse(existsSync(folder))
      })
  )

  it.live("never shows the database's password", () =>
    Effect.gen(function* () {
      const { code, stdout, log } = yield* command(["run"], {
        RTMANAGER_DATABASE_URL: "postgres://user:opensesame@127.0.0.1:1/db"
      })
      assert.strictEqual(code, 3)
      assert.notInclude(stdout + JSON.stringify(log), "opensesame")
    })
  )

  it.live.each([
    { name: "sslmode=Require", url: "postgres://user:opensesame@127.0.0.1:1/db?sslmode=Require" },
    { name: "port=abc", url: "postgres://user:opensesame@127.0.0.1:abc/db" },
    { name: "connect_timeout=x", url: "postgres://user:opensesame@127.0.0.1:1/db?connect_timeout=x" },
    { name: "no user", url: "postgres://127.0.0.1:1/db" },
    { name: "a # in the password", url: "postgres://user:open#sesame@127.0.0.1:1/db" }
  ])("event 33: serve does not start with a database URL that cannot work: $name", ({ url }) =>
    Effect.gen(function* () {
      const { code, stdout, log } = yield* command(["serve"], { RTMANAGER_DATABASE_URL: url })
      const text = stdout + JSON.stringify(log)
      assert.strictEqual(code, 2)
      assert.match(text, /RTMANAGER_DATABASE_URL=<redacted>: needs postgres:/)
      assert.notMatch(text, /sesame/)
    })
  )

  it.live.each([
    { name: "another machine's database", host: "127.1", warnings: 1 },
    { name: "this machine's database", host: "127.0.0.1", warnings: 0 }
  ])("event 30: $warnings warnings of plain text to $name", ({ host, warnings }) =>
    Effect.gen(function* () {
      const { log } = yield* command(["run"], { RTMANAGER_DATABASE_URL: `postgres://user@${host}:1/db` })
      assert.isTrue(log.some(({ event }) => event === "run.started"))
      assert.strictEqual(log.filter(({ event }) => event === "database.plain_text").length, warnings)
    })
  )

  it.live("warns of variables that it does not know, but for those of the tests", () =>
    Effect.gen(function* () {
      const { log } = yield* command(["run"], {
        RTMANAGER_DATABASE_URL: "postgres://user@127.0.0.1:1/db",
        RTMANAGER_CLEANUP_INTERVALL: "1h",
        RTMANAGER_TEST_ANYTHING: "1"
      })
      const [warning, ...more] = log.filter(({ event }) => event === "settings.unknown")
      assert.deepStrictEqual(warning?.["variables"], ["RTMANAGER_CLEANUP_INTERVALL"])
      assert.deepStrictEqual(more, [])
    })
  )

  it.live("shows the main job without settings, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      // As a folder for temporary files is: the server may run as another user.
      chmodSync(folder, 0o777)
      const { code, stdout } = yield* command(["demo", "--json"], { TMPDIR: folder })
      assert.strictEqual(code, 0)
      const games = JSON.parse(stdout).games.map((game: Record<string, string>) => [
        game["game"],
        game["container"],
        game["error_code"]
      ])
      assert.deepStrictEqual(games, [
        ["long-expired", "removed", null],
        ["just-expired", "removed", null],
        ["too-young", "kept", null],
        ["running", "kept", null],
        ["drifted", "kept", "container_running"],
        ["wrong-label", "kept", "identity_mismatch"],
        ["already-gone", "was gone", null],
        ["hostile-id", "kept", "invalid_container_id"]
      ])
      assert.deepStrictEqual(readdirSync(folder), [])
    })
  )
})
