import { spawnSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { describeEngine } from "../support/docker.ts"
import { dump, game, layerEngine, world } from "../support/e2e.ts"
import { postgresServer } from "../support/postgres.ts"
import { command } from "../support/service.ts"

interface Found {
  readonly check: string
  readonly result: string
  readonly message: string
  readonly mend: string | null
}

const doctor = (env: Readonly<Record<string, string>>) =>
  Effect.map(command(["doctor", "--json"], env), ({ code, stdout }) => {
    const found: ReadonlyArray<Found> = JSON.parse(stdout)
    return { code, found: Object.fromEntries(found.map((one) => [one.check, one])) }
  })

describeEngine("doctor", () => {
  it.layer(Layer.merge(postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
    it.effect("looks at the real parts, changes nothing, and ends with 0", () =>
      Effect.gen(function* () {
        const here = yield* world()
        yield* game(here, "due", "exited")
        const everything = Effect.all(
          ["runtime_records", "operation_log", "game_leases", "cleanup_engines"].map((table) => dump(here, table))
        )
        const before = yield* everything
        const { code, found } = yield* doctor(here.env)
        const results = Object.values(found).map(({ check, result }) => `${check} ${result}`)
        assert.deepStrictEqual(results.slice(0, 8), [
          "database ok",
          "schema ok",
          "rights ok",
          "recording ok",
          "clock ok",
          "engine ok",
          "label ok",
          "requests ok"
        ])
        assert.strictEqual(code, 0)
        assert.deepStrictEqual(yield* everything, before)
        assert.strictEqual((yield* here.engine.left).length, 1)
        assert.match((yield* command(["doctor"], here.env)).stdout, /^ok +database +it answers$/m)
      })
    )

    it.effect("names what the role may not do, and ends with 1", () =>
      Effect.gen(function* () {
        const here = yield* world()
        yield* game(here, "due", "exited")
        const role = `${here.schema}_doctor`
        const url = new URL(here.env.RTMANAGER_DATABASE_URL)
        const password = url.password === "" ? "" : `password '${decodeURIComponent(url.password)}'`
        if (url.searchParams.has("user")) url.searchParams.set("user", role)
        else url.username = role
        for (const statement of [
          `create role "${role}" login ${password}`,
          `grant usage on schema "${here.schema}" to "${role}"`,
          `grant select on all tables in schema "${here.schema}" to "${role}"`
        ]) {
          yield* here.sql.unsafe(statement)
        }
        const { code, found } = yield* doctor({ ...here.env, RTMANAGER_DATABASE_URL: url.href })
        assert.strictEqual(code, 1)
        assert.include(found["rights"]?.message, `role ${role} lacks`)
        for (const right of ["insert on operation_log", "update (status) on runtime_records", "usage on sequence"]) {
          assert.include(found["rights"]?.message, right)
        }
        assert.strictEqual(found["recording"]?.result, "wrong")
        assert.include(found["recording"]?.message, "permission denied")
        yield* here.sql.unsafe(`drop owned by "${role}"`)
        yield* here.sql.unsafe(`drop role "${role}"`)
      })
    )

    it.effect("tells what is away, and still looks at the rest", () =>
      Effect.gen(function* () {
        const here = yield* world()
        const { code, found } = yield* doctor({
          ...here.env,
          DOCKER_HOST: "unix:///rtmanager/no/engine.sock",
          OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://127.0.0.1:1/v1/traces"
        })
        assert.strictEqual(code, 1)
        assert.strictEqual(found["engine"]?.result, "wrong")
        assert.strictEqual(found["requests"]?.result, "skipped")
        assert.strictEqual(found["database"]?.result, "ok")
        assert.include(found["traces"]?.message, "ECONNREFUSED")
        assert.strictEqual(found["logs"]?.result, "skipped")
      })
    )
  })
})

describe("completions", () => {
  it.live("come for bash, zsh and fish, name every command and are valid in bash", () =>
    Effect.gen(function* () {
      for (const shell of ["bash", "zsh", "fish"]) {
        const { code, stdout } = yield* command(["--completions", shell], {})
        assert.strictEqual(code, 0)
        for (const name of ["serve", "run", "plan", "migrate", "engine", "doctor"]) assert.include(stdout, name)
        if (shell === "bash") assert.strictEqual(spawnSync("bash", ["-n"], { input: stdout }).status, 0)
      }
    })
  )
})
