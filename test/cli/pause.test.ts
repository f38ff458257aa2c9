import { hostname, userInfo } from "node:os"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { describeEngine } from "../support/docker.ts"
import { game, layerEngine, world } from "../support/e2e.ts"
import { freshSchema, layerDatabase, PostgresServer, postgresServer } from "../support/postgres.ts"
import { command, type Ended, start } from "../support/service.ts"

const said = ({ log }: Ended) => log.map(({ message, text }) => `${message ?? text}`).join("\n")

/** A migrated schema of its own, and no engine that answers. */
const database = Effect.gen(function* () {
  const schema = freshSchema()
  const env = {
    RTMANAGER_DATABASE_URL: Redacted.value((yield* PostgresServer).url),
    RTMANAGER_DATABASE_SCHEMA: schema,
    DOCKER_HOST: "unix:///nowhere/docker.sock"
  }
  yield* command(["migrate"], env)
  const sql = yield* Effect.provide(SqlClient, yield* Layer.build(layerDatabase(schema)))
  const acts = sql<
    Record<string, string>
  >`select act, target, author, reason, result, message from cleanup_acts order by id`
  return { env, sql, acts }
})

it.layer(postgresServer(), { excludeTestServices: true })("pause and resume, whatever the engine does", (it) => {
  it.effect("say what they did, in words and as JSON, and leave a row each", () =>
    Effect.gen(function* () {
      const { acts, env, sql } = yield* database
      const paused = yield* command(
        ["pause", "--reason", "a look at the shelf", "--author", "anna", "--for", "1h"],
        env
      )
      assert.strictEqual(paused.code, 0)
      assert.match(paused.stdout, /^paused until 20\S*Z: no removal begins after 2 s from now\n$/)
      const longer = yield* command(["pause", "--reason", "longer", "--for", "30d", "--json"], env)
      const { author, paused_at, reason, until } = JSON.parse(longer.stdout)
      assert.deepStrictEqual([author, reason], [`${userInfo().username}@${hostname()}`, "longer"])
      assert.strictEqual(Date.parse(until) - Date.parse(paused_at), 30 * 86_400_000)
      assert.deepStrictEqual(yield* sql`select engine, reason from cleanup_pause`, [{ engine: "*", reason: "longer" }])

      const shorter = yield* command(["pause", "--reason", "shorter", "--author", "anna", "--for", "1h"], env)
      assert.match(shorter.stdout, /^paused until 20\S*Z by \S+@\S+, which lasts longer: /)
      assert.deepStrictEqual(yield* sql`select reason from cleanup_pause`, [{ reason: "longer" }])

      const resumed = yield* command(["resume", "--reason", "seen enough", "--author", "ben"], env)
      assert.strictEqual(resumed.code, 0)
      assert.match(
        resumed.stdout,
        /^resumed: \S+@\S+ had paused since 20.*Z: "longer"\. The next passes remove again\n$/
      )
      const again = yield* command(["resume", "--reason", "to be sure", "--author", "ben"], env)
      assert.deepStrictEqual([again.code, again.stdout], [4, ""])
      assert.include(said(again), "nothing to resume: nobody has paused cleaning")
      assert.deepStrictEqual(
        (yield* acts).map(({ act, author, reason, result, target }) => [act, target, author, reason, result]),
        [
          ["pause", null, "anna", "a look at the shelf", "done"],
          ["pause", null, author, "longer", "done"],
          ["pause", null, "anna", "shorter", "done"],
          ["resume", null, "ben", "seen enough", "done"],
          ["resume", null, "ben", "to be sure", "refused"]
        ]
      )
      assert.strictEqual((yield* acts)[3]?.["message"], resumed.stdout.trimEnd())
    })
  )

  it.effect("end with 2 for what they cannot use, and with 3 without their tables, and leave no row", () =>
    Effect.gen(function* () {
      const { acts, env } = yield* database
      const why = ["--reason", "a test"]
      for (const args of [
        ["pause"],
        ["resume"],
        ["pause", "--reason", " "],
        ["pause", "--reason", "two\nlines"],
        ["pause", ...why, "--author", "anna and ben"],
        ["pause", ...why, "--for", "0s"],
        ["pause", ...why, "--for", "tomorrow"],
        ["pause", ...why, "--for", "1.5d"]
      ]) {
        const { code, stdout } = yield* command(args, env)
        assert.deepStrictEqual([code, stdout.includes("paused until")], [2, false], args.join(" "))
      }
      assert.deepStrictEqual(yield* acts, [])
      const elsewhere = yield* command(["pause", ...why], { ...env, RTMANAGER_DATABASE_SCHEMA: "not_migrated" })
      assert.strictEqual(elsewhere.code, 3)
      assert.include(said(elsewhere), "migrate")
    })
  )

  it.effect("retention accept is refused before any pass has seen the engine", () =>
    Effect.gen(function* () {
      const { acts, env } = yield* database
      const ended = yield* command(["retention", "accept", "--reason", "a test", "--author", "anna"], env)
      assert.strictEqual(ended.code, 4)
      assert.include(said(ended), "no pass has seen an engine default yet")
      assert.deepStrictEqual(
        (yield* acts).map(({ act, result, target }) => [act, target, result]),
        [["retention_accept", "default", "refused"]]
      )
    })
  )
})

describeEngine("with an engine", () => {
  it.layer(Layer.merge(postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
    it.effect("a pause refuses every pass, of a service and of a person, and hides nothing from who looks", () =>
      Effect.gen(function* () {
        const here = yield* world()
        yield* game(here, "expired", "exited")
        yield* command(["pause", "--reason", "a test", "--author", "anna"], here.env)
        const run = yield* command(["run", "--json"], here.env)
        assert.strictEqual(run.code, 4)
        assert.include(JSON.parse(run.stdout), { result: "refused", reason: "paused", listed: 0 })
        assert.match(said(run), /anna has paused cleaning since .*: "a test"\. To end that, run: resume --reason/)
        const accepting = yield* command(["run", "--accept-absent", "--reason", "a test"], here.env)
        assert.strictEqual(accepting.code, 4)
        const service = yield* start(["serve"], here.env)
        assert.include(yield* service.event("cleanup.pass.refused"), { reason: "paused" })
        yield* service.signal("SIGTERM")
        yield* service.ended
        assert.match((yield* command(["plan"], here.env)).stdout, /^remove +expired/)
        assert.strictEqual((yield* here.engine.left).length, 1)
        yield* command(["resume", "--reason", "a test"], here.env)
        assert.include(JSON.parse((yield* command(["run", "--json"], here.env)).stdout).outcomes, { removed: 1 })
      })
    )

    it.effect("a retention that became much shorter refuses the pass until a person accepts it", () =>
      Effect.gen(function* () {
        const here = yield* world()
        assert.strictEqual((yield* command(["run"], here.env)).code, 0)
        yield* Effect.forEach(
          Array.from({ length: 21 }),
          (_, i) => game(here, `young-${i}`, "created", { daysAgo: 20 }),
          { concurrency: 4 }
        )
        const shorter = { ...here.env, RTMANAGER_CONTAINER_RETENTION_DAYS: "3" }
        const refused = yield* command(["run", "--json"], shorter)
        assert.strictEqual(refused.code, 4)
        assert.include(JSON.parse(refused.stdout), { result: "refused", reason: "retention_shortened", listed: 0 })
        assert.match(said(refused), /retention is 3d and was 30d before, which makes 21 more .* run: retention accept/)
        const plan = yield* command(["plan", "--json"], shorter)
        assert.strictEqual(JSON.parse(plan.stdout).length, 21)
        assert.strictEqual((yield* here.engine.left).length, 21)
        assert.strictEqual((yield* command(["run"], here.env)).code, 0)

        const accepted = yield* command(["retention", "accept", "--reason", "the disk is small", "--json"], shorter)
        assert.deepStrictEqual(JSON.parse(accepted.stdout), { engine: "default", retention: "72h", before: "720h" })
        assert.include(JSON.parse((yield* command(["run", "--json"], shorter)).stdout).outcomes, { removed: 21 })
        assert.strictEqual((yield* command(["run"], here.env)).code, 0)
        const again = yield* command(["retention", "accept", "--reason", "again"], shorter)
        assert.strictEqual(again.stdout, "accepted a retention of 3d for engine default: it was 30d before\n")
      })
    )
  })
})
