import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted } from "effect"
import { EngineName } from "../../src/domain/EngineName.ts"
import { stepOf } from "../crash/failpoints.ts"
import { describeEngine } from "../support/docker.ts"
import * as EngineProxy from "../support/EngineProxy.ts"
import { dump, game, layerEngine, twoWorlds, type World, world } from "../support/e2e.ts"
import type { Gate } from "../support/Gate.ts"
import { describeOwnEngine, OtherEngine, startEngine } from "../support/otherEngine.ts"
import { makePostgresProxy } from "../support/PostgresProxy.ts"
import { PostgresServer, postgresServer } from "../support/postgres.ts"
import { containerId, stopped } from "../support/records.ts"
import { command, type Ended } from "../support/service.ts"

/** All that any service has written. */
const everything = (here: World) =>
  Effect.forEach(["runtime_records", "operation_log", "game_leases", "cleanup_backoff", "cleanup_engines"], (table) =>
    dump(here, table)
  )

/** The records of one engine, and what became of them. */
const records = ({ engineName, sql }: World) =>
  sql<{ gameId: string; status: string }>`
    select game_id as "gameId", status from runtime_records where coalesce(engine, 'default') = ${engineName} order by 1`

const rows = ({ store }: World, gameId: string) =>
  Effect.map(store.log(gameId), (rows) => rows.map(({ outcome, errorCode }) => errorCode ?? outcome))

const gamesLeft = ({ engine }: World) =>
  Effect.map(engine.left, (containers) => containers.map(({ gameId }) => gameId).sort())

/** What a command said on stderr, one line after another. */
const said = ({ log }: Ended) => log.map(({ message, text }) => `${message ?? text}`).join("\n")

/** Another part of rtmanager gives the game to another engine. */
const moveTo = ({ sql }: World, gameId: string, engine: string) =>
  Effect.orDie(sql`update runtime_records set engine = ${engine} where game_id = ${gameId}`)

/** The game is given away when the passage is `at` the place; everything waits for it. */
const moving =
  (here: World, gameId: string, engine: string, at: (passage: Parameters<Gate>[0]) => boolean): Gate =>
  (passage) =>
    at(passage) ? Effect.runPromise(Effect.as(moveTo(here, gameId, engine), "pass")) : "pass"

describeEngine("engine accept", () => {
  describeOwnEngine("with two engines", undefined, () => {
    it.layer(Layer.merge(postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
      it.effect("is what it takes before an empty engine behind the same address is believed", () =>
        Effect.gen(function* () {
          const here = yield* world()
          yield* command(["run"], here.env)
          yield* game(here, "expired", "exited")
          const other = { ...here.env, DOCKER_HOST: `unix://${(yield* startEngine).socketPath}` }
          const tables = Effect.all(
            ["runtime_records", "operation_log", "game_leases", "cleanup_engines"].map((name) => dump(here, name))
          )
          const before = yield* tables

          const refused = yield* command(["run", "--json"], other)
          assert.strictEqual(refused.code, 4)
          assert.include(JSON.parse(refused.stdout), { result: "refused", reason: "engine_changed", listed: 0 })
          assert.isTrue(refused.log.some(({ text }) => /engine accept/.test(String(text))))
          assert.strictEqual((yield* command(["plan"], other)).code, 4)
          assert.deepStrictEqual(yield* tables, before)

          const acceptance = yield* command(["engine", "accept", "--reason=a test"], other)
          assert.strictEqual(acceptance.code, 0)
          const [, identity = ""] = /^accepted engine (\S+) as default/.exec(acceptance.stdout) ?? []
          assert.match(identity, /:\/./)
          assert.include((yield* command(["engine", "list"], other)).stdout, ` ${identity} `)
          const [act, ...acts] = yield* here.sql`select act, target, reason, result, message from cleanup_acts`
          assert.deepStrictEqual(acts, [])
          assert.deepInclude(act, { act: "engine_accept", target: "default", reason: "a test", result: "done" })
          assert.strictEqual(`${act?.["message"]}`, acceptance.stdout.trimEnd())
          const accepted = yield* command(["run", "--json"], other)
          assert.strictEqual(accepted.code, 0)
          assert.include(JSON.parse(accepted.stdout).outcomes, { already_absent: 1 })
          assert.strictEqual((yield* command(["run"], here.env)).code, 4)
        })
      )
    })
  })
})

describeEngine("services with names, over one database", () => {
  describeOwnEngine("and an engine each", undefined, () => {
    const layer = Layer.mergeAll(postgresServer(), layerEngine, OtherEngine.layer)
    it.layer(layer, { excludeTestServices: true })((it) => {
      it.effect.each(["default", "host-1"])(
        "remove their own games and no other's, and are listed with what they have: %s beside host-2",
        (name) =>
          Effect.gen(function* () {
            const [first, second] = yield* twoWorlds(name, "host-2")
            for (const [index, here] of [first, second].entries()) {
              yield* game(here, `expired-${index}`, "exited")
              yield* game(here, `running-${index}`, "running")
              yield* game(here, `young-${index}`, "exited", { daysAgo: 29 })
            }
            for (const [here, other] of [
              [first, second],
              [second, first]
            ] as const) {
              const before = yield* Effect.all([records(other), gamesLeft(other)])
              const { code, stdout } = yield* command(["run", "--json"], here.env)
              assert.strictEqual(code, 1)
              assert.include(JSON.parse(stdout), { result: "partial", listed: 2 })
              assert.include(JSON.parse(stdout).outcomes, { removed: 1, failed: 1 })
              assert.deepStrictEqual(yield* Effect.all([records(other), gamesLeft(other)]), before)
            }
            for (const [index, here] of [first, second].entries()) {
              const [expired, running, young] = [`expired-${index}`, `running-${index}`, `young-${index}`]
              assert.deepStrictEqual(yield* records(here), [
                { gameId: expired, status: "removed" },
                { gameId: running, status: "stopped" },
                { gameId: young, status: "stopped" }
              ])
              assert.deepStrictEqual(yield* gamesLeft(here), [running, young])
              assert.deepStrictEqual(yield* rows(here, expired), ["success"])
              assert.deepStrictEqual(yield* rows(here, running), ["container_running"])
              assert.deepStrictEqual(yield* rows(here, young), [])
            }

            // However short the wait that was drawn.
            yield* first.sql`update cleanup_backoff set next_attempt_at = now() + interval '1 hour'`
            const known = yield* first.sql<{ name: string; id: string }>`
              select name, identity as id from cleanup_engines order by name`
            assert.deepStrictEqual(
              known.map(({ name }) => name),
              [name, "host-2"]
            )
            for (const here of [first, second]) {
              const listed = JSON.parse((yield* command(["engine", "list", "--json"], here.env)).stdout)
              assert.deepStrictEqual(
                listed.map(({ last_pass_at, last_seen_at, ...engine }: Record<string, string>) => engine),
                known.map(({ name, id }) => ({
                  name,
                  engine_id: id,
                  braked: false,
                  accepted_at: null,
                  // The one that has failed backs off.
                  due: 0,
                  stopped: 2
                }))
              )
              for (const { last_pass_at, last_seen_at } of listed) {
                assert.isBelow(Date.now() - Date.parse(last_pass_at), 300_000)
                assert.strictEqual(last_seen_at, last_pass_at)
              }
              const { code, stdout } = yield* command(["engine", "list"], here.env)
              assert.strictEqual(code, 0)
              const [head, ...lines] = stdout.trimEnd().split("\n")
              assert.match(head ?? "", /^name +identity +brake +accepted +last_pass +last_seen +due +stopped$/)
              assert.deepStrictEqual(
                lines.map((line) => line.split(/ {2,}/).toSpliced(4, 2)),
                known.map(({ name, id }) => [name, id, "-", "-", "0", "2"])
              )
            }
          })
      )

      it.effect("are listed before their first pass, each by its own service", () =>
        Effect.gen(function* () {
          const here = yield* world({ engineName: EngineName.make("host-1") })
          yield* game(here, "waiting", "exited")
          const { code, stdout } = yield* command(["engine", "list"], here.env)
          assert.strictEqual(code, 0)
          const [, ...lines] = stdout.trimEnd().split("\n")
          assert.deepStrictEqual(
            lines.map((line) => line.split(/ {2,}/)),
            [["host-1", "unknown until the first pass", "-", "-", "-", "-", "1", "1"]]
          )
        })
      )

      it.effect("have a brake each, and only its own is released", () =>
        Effect.gen(function* () {
          const [first, second] = yield* twoWorlds("host-1", "host-2")
          yield* game(first, "expired", "exited")
          for (let i = 0; i < 30; i++) {
            yield* second.store.put(stopped(`gone-${i}`, { engine: "host-2", containerId: containerId(i) }))
          }
          assert.strictEqual((yield* command(["run"], second.env)).code, 4)
          assert.strictEqual((yield* command(["run"], first.env)).code, 0)
          assert.deepStrictEqual(yield* gamesLeft(first), [])
          const brakes = Effect.map(command(["engine", "list", "--json"], first.env), ({ stdout }) =>
            JSON.parse(stdout).map(({ braked, name }: { braked: boolean; name: string }) => [name, braked])
          )
          const both = [
            ["host-1", false],
            ["host-2", true]
          ]
          assert.deepStrictEqual(yield* brakes, both)
          assert.match((yield* command(["engine", "list"], first.env)).stdout, /^host-2 .* {2}on {2}/m)
          assert.strictEqual((yield* command(["engine", "accept", "host-1", "--reason=a test"], first.env)).code, 0)
          assert.deepStrictEqual(yield* brakes, both)
          assert.strictEqual((yield* command(["engine", "accept", "host-2", "--reason=a test"], second.env)).code, 0)
          assert.deepStrictEqual(yield* brakes, [
            ["host-1", false],
            ["host-2", false]
          ])
        })
      )

      it.effect("event 42: a name over another name's engine changes nothing, and is told both names", () =>
        Effect.gen(function* () {
          const [first, second] = yield* twoWorlds("host-1", "host-2")
          for (const here of [first, second]) yield* command(["run"], here.env)
          yield* game(first, "on-host-1", "exited")
          yield* game(second, "on-host-2", "exited")
          yield* game(first, "on-host-3", "exited", { engine: "host-3" })
          const state = Effect.all([everything(first), first.engine.left, second.engine.left])
          const before = yield* state
          const asked = [first, second].map(({ proxy }) => proxy.requests.length)

          for (const [name, { env, engineName }] of [
            ["host-1", second],
            ["host-2", first],
            ["host-3", first]
          ] as const) {
            const wrong = { ...env, RTMANAGER_ENGINE_NAME: name }
            const acts = [
              ["run", "--accept-absent", "--reason=a test"],
              ["engine", "accept", name, "--reason=a test"]
            ]
            const refused = [["run"], ["plan"], ...acts]
            for (const ended of yield* Effect.forEach(refused, (args) => command(args, wrong), { concurrency: 2 })) {
              assert.strictEqual(ended.code, 4)
              assert.include(said(ended), `the engine that answers is ${engineName}, not ${name}: `)
            }
          }
          assert.deepStrictEqual(yield* state, before)
          const acts = yield* first.sql`select act, target, result from cleanup_acts order by target, act`
          assert.deepStrictEqual(
            acts,
            ["host-1", "host-2", "host-3"].flatMap((target) =>
              ["absence_accept", "engine_accept"].map((act) => ({ act, target, result: "refused" }))
            )
          )
          for (const [index, { proxy }] of [first, second].entries()) {
            const since = proxy.requests.slice(asked[index])
            assert.isNotEmpty(since)
            assert.isFalse(since.some((request) => request.includes("/containers/")))
          }

          for (const here of [first, second]) assert.strictEqual((yield* command(["run"], here.env)).code, 0)
          assert.deepStrictEqual(yield* Effect.all([gamesLeft(first), gamesLeft(second)]), [["on-host-3"], []])
        })
      )

      it.effect("event 42: only the service's own name is accepted, so that no brake is released by mistake", () =>
        Effect.gen(function* () {
          const here = yield* world({ engineName: EngineName.make("host-1") })
          yield* command(["run"], here.env)
          yield* here.sql`update cleanup_engines set braked_at = now()`
          const before = yield* everything(here)
          for (const name of ["host-2", "HOST-1"]) {
            const ended = yield* command(["engine", "accept", name, "--reason=a test"], here.env)
            assert.strictEqual(ended.code, 2)
            assert.include(said(ended), `RTMANAGER_ENGINE_NAME is host-1, not ${name}: nothing was changed`)
          }
          assert.deepStrictEqual(yield* everything(here), before)
        })
      )

      it.effect("event 43: a game that moves to another engine before it is read again is left alone on both", () =>
        Effect.gen(function* () {
          const [first, second] = yield* twoWorlds("host-1", "host-2")
          for (const here of [first, second]) yield* command(["run"], here.env)
          yield* second.engine.create({ gameId: "moving", state: "exited" })
          yield* game(first, "moving", "exited")
          yield* game(first, "staying", "exited")
          const afterListing = moving(
            first,
            "moving",
            "host-2",
            (passage) => stepOf(passage) === "list" && passage.side === "after"
          )
          const { url } = yield* makePostgresProxy((yield* PostgresServer).url, afterListing)
          const before = yield* first.store.record("moving")

          const { code, stdout } = yield* command(["run", "--json"], {
            ...first.env,
            RTMANAGER_DATABASE_URL: Redacted.value(url)
          })
          assert.strictEqual(code, 0)
          assert.include(JSON.parse(stdout), { listed: 2 })
          assert.include(JSON.parse(stdout).outcomes, { removed: 1, conflict: 1 })
          assert.deepStrictEqual(JSON.parse(stdout).error_codes, { record_moved: 1 })
          assert.deepStrictEqual(yield* first.store.record("moving"), before && { ...before, engine: "host-2" })
          assert.deepStrictEqual(yield* Effect.all([gamesLeft(first), gamesLeft(second)]), [["moving"], ["moving"]])
          const [row, ...more] = yield* first.store.log("moving")
          assert.include(row, { outcome: "failure", errorCode: "conflict" })
          assert.match(row?.message ?? "", /not on engine host-1 but on host-2/)
          assert.deepStrictEqual(more, [])
          assert.deepStrictEqual(yield* dump(first, "game_leases"), [])
        })
      )

      it.effect("event 43: a game that moves to another engine during its removal does not become removed", () =>
        Effect.gen(function* () {
          const [first, second] = yield* twoWorlds("host-1", "host-2")
          for (const here of [first, second]) yield* command(["run"], here.env)
          yield* second.engine.create({ gameId: "moving", state: "exited" })
          yield* game(first, "moving", "exited")
          const onItsWay = moving(
            first,
            "moving",
            "host-2",
            (passage) => stepOf(passage) === "remove" && passage.side === "before"
          )
          const proxy = yield* EngineProxy.serve(first.engine.host, { age: Duration.days(40), gate: onItsWay })
          const before = yield* first.store.record("moving")

          const { code, stdout } = yield* command(["run", "--json"], {
            ...first.env,
            DOCKER_HOST: `unix://${proxy.socketPath}`
          })
          assert.strictEqual(code, 1)
          assert.deepStrictEqual(JSON.parse(stdout).error_codes, { removed_not_committed: 1 })
          const after = yield* first.store.record("moving")
          assert.deepStrictEqual(after && { ...after, backoff: null }, before && { ...before, engine: "host-2" })
          assert.deepStrictEqual(yield* Effect.all([gamesLeft(first), gamesLeft(second)]), [[], ["moving"]])
          assert.deepStrictEqual(yield* rows(first, "moving"), ["removed_not_committed"])
        })
      )

      it.effect("event 44: games on an engine that no service has are left alone, counted and named", () =>
        Effect.gen(function* () {
          const [first, second] = yield* twoWorlds("host-1", "host-2")
          const hostile = "host-9\n\u001b[31mhost-1"
          yield* game(first, "own", "exited")
          yield* game(first, "strange-1", "exited", { engine: "host-9" })
          yield* game(first, "strange-2", "created", { engine: "host-9", daysAgo: 29 })
          yield* game(first, "strange-3", "running", { engine: "host-9", status: "running" })
          yield* game(first, "invalid", "exited", { engine: "Host 9" })
          yield* game(first, "hostile", "exited", { engine: hostile })
          yield* game(second, "not-yet-seen", "exited")
          const strange = Effect.map(dump(first, "runtime_records"), (rows) =>
            rows.filter((row) => !row.includes("own"))
          )
          const before = yield* strange

          const unknown = [
            ["host-9", "host-9", 2, "2 stopped games"],
            ["Host 9", "Host 9", 1, "1 stopped game"],
            ["host-2", "host-2", 1, "1 stopped game"],
            [hostile, "host-9\\u{a}\\u{1b}[31mhost-1", 1, "1 stopped game"]
          ] as const
          const plan = (yield* command(["plan"], first.env)).stdout.trimEnd().split("\n")
          assert.match(plan[0] ?? "", /^remove +own /)
          assert.deepStrictEqual(
            plan.slice(1).map((line) => line.split(/ {2,}/)),
            [
              ...unknown.map(([, shown, , games]) => [
                "keep",
                `engine ${shown}`,
                "-",
                `${games}; no service has ever cleaned an engine of this name`
              ]),
              ["1 to remove, 0 to mark removed, 0 kept"]
            ]
          )
          const [own, ...others] = JSON.parse((yield* command(["plan", "--json"], first.env)).stdout)
          assert.include(own, { game_id: "own", action: "remove" })
          assert.deepStrictEqual(
            others.map(({ action, engine, game_id }: Record<string, string>) => [action, engine, game_id]),
            unknown.map(([name]) => ["keep", name, null])
          )

          const { code, stdout } = yield* command(["run", "--json"], first.env)
          assert.strictEqual(code, 0)
          assert.include(JSON.parse(stdout), { result: "success", listed: 1 })
          assert.deepStrictEqual(yield* strange, before)
          assert.strictEqual((yield* gamesLeft(first)).length, 5)
          assert.deepStrictEqual(yield* gamesLeft(second), ["not-yet-seen"])

          const listed = JSON.parse((yield* command(["engine", "list", "--json"], first.env)).stdout)
          const isKnown = ({ name }: { name: string }) => name === "host-1"
          assert.include(listed.find(isKnown), { name: "host-1", due: 0, stopped: 0 })
          assert.sameDeepMembers(
            listed.filter((engine: { name: string }) => !isKnown(engine)),
            unknown.map(([name, , stopped]) => ({
              name,
              engine_id: null,
              braked: false,
              accepted_at: null,
              last_pass_at: null,
              last_seen_at: null,
              due: null,
              stopped
            }))
          )
          const [, ...lines] = (yield* command(["engine", "list"], first.env)).stdout.trimEnd().split("\n")
          assert.sameDeepMembers(
            lines.map((line) => line.split(/ {2,}/)).filter(([name]) => name !== "host-1"),
            unknown.map(([, shown, stopped]) => [
              shown,
              "unknown: no service has cleaned it",
              ...["-", "-", "-", "-", "-"],
              String(stopped)
            ])
          )
        })
      )
    })
  })
})
