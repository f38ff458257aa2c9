import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { describeEngine } from "../support/docker.ts"
import { allowedRequest } from "../support/EngineProxy.ts"
import { dump, game, layerEngine, world } from "../support/e2e.ts"
import { postgresServer } from "../support/postgres.ts"
import { containerId, stopped } from "../support/records.ts"
import { command } from "../support/service.ts"

describeEngine("run, over real PostgreSQL and a real engine", () => {
  it.layer(Layer.merge(postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
    it.effect(
      "events 9, 10 and 11: removes what is expired and keeps everything else, each with its one row; a second pass changes nothing",
      () =>
        Effect.gen(function* () {
          const here = yield* world()
          yield* game(here, "expired", "exited")
          yield* game(here, "never-started", "created")
          yield* game(here, "running", "running")
          yield* game(here, "paused", "paused")
          yield* game(here, "mislabelled", "exited", { label: "somebody-else" })
          yield* game(here, "hostile", "exited", { containerId: "../images/x?force=1" })
          yield* game(here, "gone", "exited", { containerId: containerId("f"), label: "nobody" })
          yield* game(here, "recreated", "running", { containerId: containerId("e") })
          yield* game(here, "young", "exited", { daysAgo: 29 })
          yield* game(here, "played", "running", { status: "running" })

          const first = yield* command(["run", "--json"], here.env)
          assert.strictEqual(first.code, 1)
          const report = JSON.parse(first.stdout)
          assert.include(report, { result: "partial", listed: 8 })
          assert.include(report.outcomes, { removed: 2, already_absent: 1, failed: 5 })

          const left = (yield* here.engine.left).map(({ gameId }) => gameId).sort()
          assert.deepStrictEqual(left, [
            "hostile",
            "nobody",
            "paused",
            "played",
            "recreated",
            "running",
            "somebody-else",
            "young"
          ])
          const rows = (gameId: string) =>
            Effect.map(here.store.log(gameId), (rows) => rows.map(({ outcome, errorCode }) => errorCode ?? outcome))
          assert.deepStrictEqual(yield* rows("expired"), ["success"])
          assert.deepStrictEqual(yield* rows("never-started"), ["success"])
          assert.deepStrictEqual(yield* rows("gone"), ["success"])
          assert.deepStrictEqual(yield* rows("running"), ["container_running"])
          assert.deepStrictEqual(yield* rows("paused"), ["container_running"])
          assert.deepStrictEqual(yield* rows("recreated"), ["container_unrecorded"])
          assert.deepStrictEqual(yield* rows("mislabelled"), ["identity_mismatch"])
          assert.deepStrictEqual(yield* rows("hostile"), ["invalid_container_id"])
          assert.deepStrictEqual([...(yield* rows("young")), ...(yield* rows("played"))], [])
          assert.match((yield* here.store.log("expired"))[0]?.traceId ?? "", /^[0-9a-f]{32}$/)
          assert.deepStrictEqual(yield* dump(here, "game_leases"), [])

          const tables = Effect.all([dump(here, "runtime_records"), dump(here, "operation_log"), here.engine.left])
          const before = yield* tables
          const second = yield* command(["run", "--json"], here.env)
          assert.include(JSON.parse(second.stdout).outcomes, { removed: 0, already_absent: 0 })
          assert.deepStrictEqual(yield* tables, before)
          assert.deepStrictEqual(
            here.proxy.requests.filter((request) => !allowedRequest.test(request)),
            []
          )
        })
    )

    it.effect("keeps a container that changed after the cutoff although its record is old", () =>
      Effect.gen(function* () {
        const here = yield* world({ age: Duration.zero })
        yield* game(here, "restarted", "exited")
        const { code } = yield* command(["run"], here.env)
        assert.strictEqual(code, 0)
        assert.strictEqual((yield* here.engine.left).length, 1)
        assert.deepStrictEqual(
          (yield* here.store.log("restarted")).map(({ errorCode }) => errorCode),
          ["conflict"]
        )
      })
    )

    it.effect("event 7: lets two processes on one backlog leave one removal and one audit row for each game", () =>
      Effect.gen(function* () {
        const here = yield* world()
        const games = Array.from({ length: 12 }, (_, i) => `game-${i}`)
        yield* Effect.forEach(games, (gameId) => game(here, gameId, "exited"), { concurrency: 4 })
        yield* Effect.all([command(["run"], here.env), command(["run"], here.env)], { concurrency: 2 })
        assert.deepStrictEqual(yield* here.engine.left, [])
        for (const gameId of games) {
          assert.deepStrictEqual(
            (yield* here.store.log(gameId)).map(({ outcome }) => outcome),
            ["success"]
          )
        }
      })
    )

    it.effect("touches nothing when it plans or tries out, and says what a pass would do", () =>
      Effect.gen(function* () {
        const here = yield* world()
        yield* game(here, "expired", "exited")
        yield* game(here, "running", "running")
        yield* game(here, "young", "exited", { daysAgo: 3 })
        const tables = Effect.all(
          ["runtime_records", "operation_log", "cleanup_engines"].map((name) => dump(here, name))
        )
        const before = yield* tables

        const plan = yield* command(["plan", "--json"], here.env)
        const actions = JSON.parse(plan.stdout).map((game: { game_id: string; action: string; error_code: string }) => [
          game.game_id,
          game.action,
          game.error_code
        ])
        assert.sameDeepMembers(actions, [
          ["expired", "remove", null],
          ["running", "keep", "container_running"],
          ["young", "keep", null]
        ])
        const dry = yield* command(["run", "--json"], { ...here.env, RTMANAGER_CLEANUP_MODE: "dry_run" })
        assert.include(JSON.parse(dry.stdout), { dry_run: true, listed: 2 })

        assert.deepStrictEqual(yield* tables, before)
        assert.strictEqual((yield* here.engine.left).length, 3)
        assert.isFalse(here.proxy.requests.some((request) => request.startsWith("DELETE")))
      })
    )

    it.effect("ends with 3 where the schema is not migrated, and names the command that does it", () =>
      Effect.gen(function* () {
        const here = yield* world()
        const { code, log } = yield* command(["run"], { ...here.env, RTMANAGER_DATABASE_SCHEMA: "not_there" })
        assert.strictEqual(code, 3)
        assert.isTrue(log.some((line) => /rtmanager-cleanup migrate/.test(String(line["text"]))))
      })
    )

    it.effect("event 15: ends with 3 and leaves no row when the engine is away", () =>
      Effect.gen(function* () {
        const here = yield* world()
        yield* game(here, "expired", "exited")
        const { code } = yield* command(["run"], { ...here.env, DOCKER_HOST: "unix:///nowhere/docker.sock" })
        assert.strictEqual(code, 3)
        assert.deepStrictEqual(yield* dump(here, "operation_log"), [])
      })
    )

    it.effect("event 13: ends with 4 where most containers are absent, until a person accepts it", () =>
      Effect.gen(function* () {
        const here = yield* world()
        for (let i = 0; i < 30; i++) yield* here.store.put(stopped(`gone-${i}`, { containerId: containerId(i) }))
        const removed = Effect.map(
          here.sql<{ count: number }>`select count(*)::int as count from runtime_records where status = 'removed'`,
          ([row]) => row?.count
        )
        const first = yield* command(["run", "--json"], here.env)
        assert.strictEqual(first.code, 4)
        assert.strictEqual(JSON.parse(first.stdout).reason, "absent_brake")
        const moved = (yield* removed) ?? 0
        assert.isBelow(moved, 20)
        assert.strictEqual((yield* command(["run"], here.env)).code, 4)
        assert.strictEqual(yield* removed, moved)
        const accept = ["run", "--accept-absent"]
        for (const args of [accept, [...accept, "--author=anna"], ["run", "--reason=a test"]]) {
          const { code, log } = yield* command(args, here.env)
          assert.strictEqual(code, 2)
          assert.match(String(log.at(-1)?.["text"]), /--accept-absent needs --reason|go with --plan or --accept-absent/)
        }
        assert.strictEqual(yield* removed, moved)
        assert.strictEqual((yield* command([...accept, "--author=anna", "--reason=a prune"], here.env)).code, 0)
        const acts = yield* here.sql`select act, target, author, reason, result, message from cleanup_acts`
        assert.deepStrictEqual(acts, [
          {
            act: "absence_accept",
            target: "default",
            author: "anna",
            reason: "a prune",
            result: "done",
            message: `pass: success; already_absent ${30 - moved}`
          }
        ])
        assert.strictEqual(yield* removed, 30)
        assert.strictEqual((yield* command(["run"], here.env)).code, 0)
      })
    )

    it.effect("ends with 4 while paused", () =>
      Effect.gen(function* () {
        const here = yield* world()
        assert.strictEqual((yield* command(["run"], { ...here.env, RTMANAGER_CLEANUP_MODE: "paused" })).code, 4)
      })
    )
  })
})
