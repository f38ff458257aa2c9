import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { describeEngine } from "../support/docker.ts"
import { dump, game, layerEngine, type World, world } from "../support/e2e.ts"
import { postgresServer } from "../support/postgres.ts"
import { command, type Ended } from "../support/service.ts"

const lines = ({ stdout }: Ended) => stdout.trimEnd().split("\n")
const jsonOf = ({ stdout }: Ended) => JSON.parse(stdout)
const said = ({ log }: Ended) => log.map(({ message, text }) => `${message ?? text}`).join("\n")

/** One game of which the pass removed the container, one that runs although its record says stopped, and one that is young. */
const seeded = Effect.gen(function* () {
  const here = yield* world()
  const expired = yield* game(here, "expired", "exited")
  const running = yield* game(here, "running", "running")
  yield* game(here, "young", "exited", { daysAgo: 29 })
  assert.strictEqual((yield* command(["run"], here.env)).code, 1)
  yield* here.sql`update cleanup_backoff set next_attempt_at = now() + interval '1 hour'`
  return { here, expired, running }
})

const everything = (here: World) =>
  Effect.forEach(
    ["runtime_records", "operation_log", "game_leases", "cleanup_backoff", "cleanup_engines", "cleanup_passes"],
    (table) => dump(here, table)
  )

describeEngine("the commands that only look", () => {
  it.layer(Layer.merge(postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
    it.effect("show tells of each game what became of it, and changes nothing", () =>
      Effect.gen(function* () {
        const { expired, here, running } = yield* seeded
        const before = yield* everything(here)
        const removed = yield* command(["show", "expired", "--json"], here.env)
        assert.strictEqual(removed.code, 0)
        const story = jsonOf(removed)
        assert.deepInclude(story, {
          game_id: "expired",
          problem: null,
          backoff: null,
          lease: null,
          holds: [],
          acts: []
        })
        assert.deepInclude(story.record, { status: "removed", engine: "default", container_id: expired })
        assert.deepInclude(story.container, { found: "absent", message: "not on the engine" })
        assert.deepInclude(story.operations[0], { outcome: "success", game_id: "expired", container_id: expired })

        const kept = jsonOf(yield* command(["show", "running", "--json"], here.env))
        assert.deepInclude(kept.container, { found: "present", state: "running", game_id: "running" })
        assert.deepInclude(kept.backoff, { attempts: 1, last_error: "container_running" })
        assert.match(kept.due.rule, /^backing off until /)
        assert.strictEqual(kept.due.at, kept.backoff.next_attempt_at)

        const text = (yield* command(["show", "running"], here.env)).stdout
        assert.match(text, /^game: +running$/m)
        assert.match(text, /^record: +stopped on engine default, last_op_at \S+Z$/m)
        assert.include(text, running)
        assert.match(text, /^engine: +running, created \S+, started \S+, finished never, label running$/m)
        assert.match(text, /^backoff: +failed 1 times, last by container_running; next attempt from \S+Z$/m)
        assert.match(text, /^finished +game +outcome +code +source +container +message$/m)
        assert.match((yield* command(["show", "young"], here.env)).stdout, /^due: +\S+Z, retention 30d$/m)
        assert.deepStrictEqual(yield* everything(here), before)
      })
    )

    it.effect("show ends with 1 for a game of which nothing is known, and 3 without the database", () =>
      Effect.gen(function* () {
        const here = yield* world()
        const unknown = yield* command(["show", "nobody"], here.env)
        assert.deepStrictEqual([unknown.code, unknown.stdout], [1, ""])
        assert.include(said(unknown), "no game nobody")
        const away = { ...here.env, RTMANAGER_DATABASE_URL: "postgres://x@127.0.0.1:1/x" }
        for (const args of [["show", "nobody"], ["status"], ["log"]]) {
          assert.strictEqual((yield* command(args, away)).code, 3)
        }
      })
    )

    it.effect("show and status work while the engine is away", () =>
      Effect.gen(function* () {
        const { here } = yield* seeded
        const away = { ...here.env, DOCKER_HOST: "unix:///nowhere.sock" }
        const { container } = jsonOf(yield* command(["show", "running", "--json"], away))
        assert.strictEqual(container.found, "unknown")
        assert.match(container.message, /^the engine does not answer: /)
        assert.strictEqual((yield* command(["status"], away)).code, 0)
      })
    )

    it.effect("log tells what became of containers, newest first, as far as it is asked", () =>
      Effect.gen(function* () {
        const { here } = yield* seeded
        const games = (args: ReadonlyArray<string>) =>
          Effect.map(command(["log", "--json", ...args], here.env), (ended) =>
            jsonOf(ended).map((row: Record<string, string>) => [row["game_id"], row["outcome"], row["error_code"]])
          )
        const [removal, refusal] = [
          ["expired", "success", null],
          ["running", "failure", "container_running"]
        ]
        assert.sameDeepMembers(yield* games([]), [removal, refusal])
        assert.deepStrictEqual(yield* games(["--game", "expired"]), [removal])
        assert.deepStrictEqual(yield* games(["--outcome", "failure", "--since", "1h"]), [refusal])
        assert.lengthOf(yield* games(["--limit", "1"]), 1)
        assert.deepStrictEqual(yield* games(["--game", "nobody"]), [])
        assert.deepStrictEqual(yield* games(["--since", new Date(Date.now() + 3_600_000).toISOString()]), [])

        const [head, ...rows] = lines(yield* command(["log"], here.env))
        assert.match(head ?? "", /^finished +game +outcome +code +source +container +message$/)
        assert.lengthOf(rows, 2)
        assert.deepStrictEqual(lines(yield* command(["log", "--game", "nobody"], here.env)), ["no operation is logged"])
      })
    )

    it.effect("log reads any number of rows by pages, whatever an adopted log holds", () =>
      Effect.gen(function* () {
        const here = yield* world()
        yield* here.sql`alter table operation_log alter game_id drop not null, alter op_source drop not null,
          alter started_at drop not null, alter finished_at drop not null`
        yield* here.sql`insert into operation_log (game_id, op_kind, outcome, finished_at)
          select case when i % 2 = 0 then 'g' || i || chr(27) || '[31m' end, 'cleanup_container', 'success', now() - i * interval '1 microsecond'
          from generate_series(1, 1300) as i`
        yield* here.sql`insert into operation_log (game_id, op_kind, outcome, finished_at) values
          ('odd', 'cleanup_container', 'success', 'infinity'), ('odd', 'cleanup_container', 'success', null),
          ('odd', 'cleanup_container', 'half done', now()), ('odd', 'start_container', 'success', now())`
        const all = jsonOf(yield* command(["log", "--json", "--limit", "100000"], here.env))
        assert.lengthOf(all, 1300)
        const ids: ReadonlyArray<number> = all.map(({ id }: { readonly id: string }) => Number(id))
        assert.deepStrictEqual(
          ids.map((id) => id - (ids[0] ?? 0)),
          ids.map((_, i) => i)
        )
        const text = yield* command(["log", "--limit", "1200"], here.env)
        assert.lengthOf(lines(text), 1201)
        assert.include(text.stdout, "g2\\u{1b}[31m")
        assert.notInclude(text.stdout, "\u001b")
        const odd = jsonOf(yield* command(["log", "--json", "--game", "odd"], here.env))
        assert.deepStrictEqual(
          odd.map(({ finished_at, outcome }: Record<string, string>) => [outcome, finished_at === null]),
          [
            ["half done", false],
            ["success", true],
            ["success", true]
          ]
        )
        assert.strictEqual((yield* command(["show", "odd"], here.env)).code, 0)
      })
    )

    it.effect.each([
      ["--since", "yesterday"],
      ["--outcome", "odd"],
      ["--limit", "0"]
    ])("log ends with 2 for what it cannot use: %s %s", (args) =>
      Effect.gen(function* () {
        const here = { RTMANAGER_DATABASE_URL: "postgres://x@127.0.0.1:1/x" }
        assert.strictEqual((yield* command(["log", ...args], here)).code, 2)
      })
    )

    it.effect("status tells mode, backlog, engines, passes and what goes next", () =>
      Effect.gen(function* () {
        const { here } = yield* seeded
        const state = jsonOf(yield* command(["status", "--json"], here.env))
        assert.deepInclude(state, { mode: "enforce", engine: "default", pause: null, under_way: [] })
        const count = (count: number) => ({ count, more: false })
        assert.deepStrictEqual(state.backlog, {
          ...{
            stopped: count(2),
            due: count(0),
            backing_off: count(1),
            held: count(0),
            leased: count(0),
            stuck: count(0)
          }
        })
        assert.deepStrictEqual(
          state.next.map((one: Record<string, string>) => [one["game_id"], (one["rule"] ?? "").split(" ")[0]]),
          [
            ["running", "backing"],
            ["young", "retention"]
          ]
        )
        assert.deepStrictEqual(
          [state.engines.length, state.engines[0].name, state.engines[0].braked],
          [1, "default", false]
        )
        assert.deepInclude(state.passes[0], {
          ...{ trigger: "manual", result: "partial", reason: null, listed: 2, removed: 1, failed: 1, due: 2 }
        })

        const { stdout } = yield* command(["status"], here.env)
        assert.match(stdout, /^mode: +enforce, engine default$/m)
        assert.match(stdout, /^pause: +none$/m)
        assert.match(stdout, /^games: +2 stopped, 0 due, 1 backing off, 0 held, 0 leased, 0 stuck$/m)
        assert.match(stdout, /^game +due +rule\nrunning +\S+Z +backing off until/m)
        assert.match(
          stdout,
          /^started +engine +trigger +result +listed +removed +absent +conflict +failed +reason +message$/m
        )
      })
    )

    it.effect("status tells of a pass that was killed, and of one that goes on", () =>
      Effect.gen(function* () {
        const here = yield* world()
        yield* here.sql`insert into cleanup_passes
          select gen_random_uuid(), 'default', 'schedule', gen_random_uuid(), now() - interval '100 s' - age, now() - age, null, null, null, null,
            600, 500, 90, 5, 0, 5
          from (values (interval '2 s'), (interval '2 min')) as ages(age)`
        const { passes, under_way } = jsonOf(yield* command(["status", "--json"], here.env))
        assert.lengthOf(passes, 2)
        assert.lengthOf(under_way, 1)
        assert.deepInclude(under_way[0], { done: 100, rate: 1, seconds_left: 500 })
        const { stdout } = yield* command(["status"], here.env)
        assert.match(stdout, /^pass: +default, 100\/600 games, 1\.0 a second, 8m 20s left$/m)
        assert.match(stdout, / under way /)
        assert.match(stdout, / killed /)
      })
    )
  })
})
