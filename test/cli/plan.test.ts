import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { describeEngine } from "../support/docker.ts"
import { dump, game, layerEngine, world } from "../support/e2e.ts"
import { postgresServer, temporaryFolder } from "../support/postgres.ts"
import { stopped } from "../support/records.ts"
import { command, start } from "../support/service.ts"

const why = ["--reason", "the studio agreed", "--author", "ann@desk"]

const textOf = ({ log }: Effect.Success<ReturnType<typeof command>>) =>
  log.map((line) => String(line["text"])).join("\n")

describeEngine("plans and cleaning by hand, over real PostgreSQL and a real engine", () => {
  it.layer(Layer.merge(postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
    it.effect("a plan is kept, looked at, and applied once: what it shows is what happens", () =>
      Effect.gen(function* () {
        const here = yield* world()
        const file = join(yield* temporaryFolder, "plan.json")
        for (const gameId of ["one", "two", "restarted"]) yield* game(here, gameId, "exited")
        yield* game(here, "running", "running")
        yield* game(here, "young", "exited", { daysAgo: 3 })
        yield* game(here, "gone", "exited", { containerId: "f".repeat(64), label: "nobody" })
        yield* here.store.put(stopped("stray", { engine: "host-9" }))
        const acts = dump(here, "cleanup_acts")

        const plan = yield* command(["plan"], here.env)
        assert.strictEqual(plan.code, 0)
        assert.match(plan.stdout, /^remove +one +retention 30d +its retention is over$/m)
        assert.match(plan.stdout, /^keep +engine host-9 +- +1 stopped game; no service has ever/m)
        assert.match(plan.stdout, /\n3 to remove, 1 to mark removed, 2 kept\n$/)
        const limited = yield* command(["plan", "--limit", "2"], here.env)
        assert.match(limited.stdout, /kept; there may be more games\n$/)
        assert.lengthOf(limited.stdout.trim().split("\n"), 3)
        assert.strictEqual((yield* command(["plan", "--limit", "0"], here.env)).code, 2)
        const single = JSON.parse((yield* command(["plan", "--game", "young", "--json"], here.env)).stdout)
        assert.deepInclude(single[0], { game_id: "young", action: "keep", rule: "retention 30d" })
        const nobody = yield* command(["plan", "--game", "nobody"], here.env)
        assert.deepStrictEqual([nobody.code, textOf(nobody)], [1, "there is no record of game nobody"])

        const kept = yield* command(["plan", "--out", file, "--json"], here.env)
        assert.deepInclude(JSON.parse(kept.stdout), { file, remove: 3, mark_removed: 1, keep: 2 })
        assert.strictEqual((yield* command(["plan", "--out", file], here.env)).code, 2)
        const shown = JSON.parse(readFileSync(file, "utf8"))
        assert.deepInclude(shown, { version: 1, engine: "default", retention: "30d" })
        assert.deepStrictEqual(yield* acts, [])

        const restarted = yield* here.store.record("restarted")
        assert.isDefined(restarted)
        yield* here.store.put({ ...restarted, lastOpAt: (restarted.lastOpAt ?? 0n) + 1n })
        yield* game(here, "unlisted", "exited")
        const applied = yield* command(["run", "--plan", file, "--json", ...why], here.env)
        const { not_done, outcomes } = JSON.parse(applied.stdout)
        assert.strictEqual(applied.code, 1)
        assert.deepInclude(outcomes, { removed: 2, already_absent: 1 })
        assert.deepStrictEqual(
          not_done.map((one: { game_id: string; why: string }) => [one.game_id, one.why]),
          [["restarted", "changed"]]
        )
        assert.sameMembers(
          (yield* here.engine.left).map(({ gameId }) => gameId),
          ["restarted", "running", "young", "nobody", "unlisted"]
        )
        assert.deepInclude((yield* here.store.log("one"))[0], { opSource: "admin_cli", sourceRef: "ann@desk" })

        const again = yield* command(["run", "--plan", file, ...why], here.env)
        assert.strictEqual(again.code, 4)
        assert.match(textOf(again), /was applied before/)
        assert.lengthOf(yield* acts, 2)
      })
    )

    it.effect("a plan that cannot be applied is refused by its exit code, and only a plan leaves an act", () =>
      Effect.gen(function* () {
        const here = yield* world()
        const file = join(yield* temporaryFolder, "plan.json")
        yield* game(here, "one", "exited")
        yield* command(["plan", "--out", file], here.env)
        const text = readFileSync(file, "utf8")
        const run = (changes: object, args: ReadonlyArray<string> = why) => {
          writeFileSync(file, JSON.stringify({ ...JSON.parse(text), ...changes }))
          return command(["run", "--plan", file, ...args], here.env)
        }
        const garbage = yield* run({ games: [{ game_id: "one" }] })
        assert.strictEqual(garbage.code, 2)
        assert.match(textOf(garbage), /games\[0\]\.container_id/)
        assert.strictEqual((yield* run({}, [])).code, 2)
        assert.strictEqual((yield* run({}, [...why, "--accept-absent"])).code, 2)
        assert.strictEqual((yield* command(["run", ...why], here.env)).code, 2)
        assert.deepStrictEqual(yield* dump(here, "cleanup_acts"), [])

        const old = yield* run({ made_at: new Date(Date.now() - 25 * 3_600_000).toISOString() })
        assert.strictEqual(old.code, 4)
        assert.match(textOf(old), /over 1d ago: make a new one/)
        assert.strictEqual((yield* run({ engine: "host-1" })).code, 4)
        assert.strictEqual((yield* run({ engine_id: "another" })).code, 4)
        assert.lengthOf(yield* dump(here, "cleanup_acts"), 3)
        assert.lengthOf(yield* here.engine.left, 1)
        assert.strictEqual((yield* run({})).code, 0)
        assert.lengthOf(yield* here.engine.left, 0)
      })
    )

    it.effect("what a service says and does is what the command here would: plan, engines, and the plan's pass", () =>
      Effect.gen(function* () {
        const here = yield* world()
        const folder = yield* temporaryFolder
        for (const gameId of ["one", "two"]) yield* game(here, gameId, "exited")
        yield* game(here, "running", "running")
        yield* game(here, "young", "exited", { daysAgo: 3 })
        yield* game(here, "gone", "exited", { containerId: "f".repeat(64), label: "nobody" })
        yield* here.store.put(stopped("stray", { engine: "host-9" }))
        const [token = "", line = ""] = (yield* command(["token", "ann", "--role", "act"], {})).stdout.split("\n")
        const env = { RTMANAGER_TOKEN_FILE: join(folder, "token") }
        const tokens = join(folder, "tokens")
        writeFileSync(env.RTMANAGER_TOKEN_FILE, token, { mode: 0o600 })
        writeFileSync(tokens, line, { mode: 0o600 })
        yield* command(["pause", ...why], here.env)
        const service = yield* start(["serve"], { ...here.env, RTMANAGER_API_TOKENS_FILE: tokens })
        const { http } = yield* service.event("service.started")
        yield* service.event("cleanup.pass.refused")
        yield* command(["resume", ...why], here.env)
        const there = (...args: ReadonlyArray<string>) => command([...args, "--server", String(http)], env)

        const readings = [
          ["plan"],
          ["plan", "--json"],
          ["plan", "--limit", "2"],
          ["plan", "--game", "young", "--json"],
          ["plan", "--game", "nobody"],
          ["engine", "list"],
          ["engine", "list", "--json"]
        ]
        // The service is seen once a minute, perhaps just between the two.
        const untimed = (text: string) => text.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "then")
        for (const args of readings) {
          const [one, other] = [yield* command(args, here.env), yield* there(...args)]
          assert.deepStrictEqual([untimed(other.stdout), other.code], [untimed(one.stdout), one.code], args.join(" "))
          assert.strictEqual(textOf(other), textOf(one))
        }

        const [ours, theirs] = [join(folder, "ours.json"), join(folder, "theirs.json")]
        yield* command(["plan", "--out", ours], here.env)
        yield* there("plan", "--out", theirs)
        const [own, other] = [ours, theirs].map((path) => JSON.parse(readFileSync(path, "utf8")))
        const { cutoff: _, id: __, made_at: ___, ...shown } = other
        assert.deepStrictEqual({ ...own, ...shown }, own)
        assert.deepStrictEqual(Object.keys(other), Object.keys(own))

        const applied = yield* there("run", "--plan", theirs, "--reason", "the studio agreed")
        assert.deepStrictEqual([applied.code, applied.stdout], [0, "3 of 3 games done\n"])
        assert.sameMembers(
          (yield* here.engine.left).map(({ gameId }) => gameId),
          ["running", "young", "nobody"]
        )
        assert.deepInclude((yield* here.store.log("one"))[0], { opSource: "admin_rest", sourceRef: "ann" })
        assert.strictEqual((yield* command(["run", "--plan", theirs, ...why], here.env)).code, 4)
        const accepted = yield* there("retention", "accept", "--reason", "it is right")
        assert.match(accepted.stdout, /^accepted a retention of 30d for engine default/)
      })
    )

    it.effect("one game is cleaned by hand, whatever its age, and by every other guard", () =>
      Effect.gen(function* () {
        const here = yield* world()
        yield* game(here, "young", "exited", { daysAgo: 1 })
        yield* game(here, "running", "running", { daysAgo: 1 })
        yield* game(here, "other", "exited", { daysAgo: 1, engine: "host-9" })
        const clean = (gameId: string, env: Readonly<Record<string, string>> = here.env) =>
          command(["clean", gameId, "--json", ...why], env)

        const dry = yield* clean("young", { ...here.env, RTMANAGER_CLEANUP_MODE: "dry_run" })
        assert.deepInclude(JSON.parse(dry.stdout), { dry_run: true, outcome: "removed" })
        assert.deepStrictEqual([dry.code, yield* dump(here, "cleanup_acts")], [0, []])
        const done = yield* clean("young")
        assert.deepInclude(JSON.parse(done.stdout), { game_id: "young", outcome: "removed", error_code: null })
        assert.strictEqual(done.code, 0)
        const running = yield* clean("running")
        assert.deepInclude(JSON.parse(running.stdout), { outcome: "failed", error_code: "container_running" })
        assert.strictEqual(running.code, 1)
        const other = yield* clean("other")
        assert.deepInclude(JSON.parse(other.stdout), { outcome: "conflict", error_code: "record_moved" })
        assert.strictEqual(other.code, 1)
        const nobody = yield* clean("nobody")
        assert.strictEqual(nobody.code, 4)
        assert.match(textOf(nobody), /^there is no record of game nobody$/m)
        const paused = yield* clean("running", { ...here.env, RTMANAGER_CLEANUP_MODE: "paused" })
        assert.strictEqual(paused.code, 4)
        assert.strictEqual((yield* command(["clean", "young"], here.env)).code, 2)
        assert.lengthOf(yield* dump(here, "cleanup_acts"), 5)
        assert.sameMembers(
          (yield* here.engine.left).map(({ gameId }) => gameId),
          ["running", "other"]
        )
      })
    )
  })
})
