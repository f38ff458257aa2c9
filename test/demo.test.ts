import { readFile } from "node:fs/promises"
import { parseEnv } from "node:util"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import { decode } from "../src/config/Settings.ts"
import { describeEngine } from "./support/docker.ts"
import { layerEngine, type World, world } from "./support/e2e.ts"
import { eventually } from "./support/eventually.ts"
import { addressOf, hostAndPort, urlWith } from "./support/externalServer.ts"
import * as FaultProxy from "./support/FaultProxy.ts"
import { postgresServer } from "./support/postgres.ts"
import { command, start } from "./support/service.ts"

describe("deploy/demo.env", () => {
  it.effect("holds settings that the service takes: a pass every 15 s, and almost the shortest retention", () =>
    Effect.gen(function* () {
      const env = parseEnv(yield* Effect.promise(() => readFile("deploy/demo.env", "utf8")))
      const compose = yield* Effect.promise(() => readFile("docker-compose.yml", "utf8"))
      const settings = yield* decode({ ...env, RTMANAGER_DATABASE_URL: "postgres://demo@127.0.0.1/demo" })
      const seconds = Duration.toSeconds(settings.retention)
      assert.isTrue(seconds >= 60 && seconds < 65, `${seconds} s`)
      assert.strictEqual(Duration.toSeconds(settings.interval), 15)
      assert.deepStrictEqual(settings.unknown, [])
      const names = Object.keys(env).filter((name) => name.startsWith("RTMANAGER_"))
      for (const name of names) assert.include(compose, `\n      ${name}:\n`, "does not reach the service")
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it("gives the demo a project, and so a database, of its own", async () => {
    const { COMPOSE_PROJECT_NAME, COMPOSE_PROFILES } = parseEnv(await readFile("deploy/demo.env", "utf8"))
    const project = /^name: (\S+)$/m.exec(await readFile("docker-compose.yml", "utf8"))?.[1]
    assert.isDefined(project)
    assert.strictEqual(COMPOSE_PROJECT_NAME, `${project}-demo`)
    assert.strictEqual(COMPOSE_PROFILES, "demo")
  })
})

/** The test image with its one program under another name. */
const imageWithSleep = ({ engine }: World) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const script = "/busybox mkdir /bin && /busybox ln /busybox /bin/sleep"
      const container = await engine.docker.createContainer({
        Image: engine.image,
        Cmd: ["/busybox", "sh", "-c", script],
        HostConfig: { NetworkMode: "none" }
      })
      try {
        await container.start()
        assert.strictEqual((await container.wait()).StatusCode, 0)
        const { Id }: { Id: string } = await container.commit()
        return Id
      } finally {
        await container.remove({ force: true })
      }
    }),
    (image) => Effect.promise(() => engine.docker.getImage(image).remove())
  )

/** A migrated schema and an engine, both reached through a proxy; what the program makes there goes with the scope. */
const stage = Effect.fnUntraced(function* () {
  const here = yield* world()
  const { docker, gameLabel, host } = here.engine
  const containers = Effect.promise(() => docker.listContainers({ all: true, filters: { label: [gameLabel] } }))
  const image = yield* imageWithSleep(here)
  yield* Effect.addFinalizer(() =>
    Effect.flatMap(containers, (left) =>
      Effect.promise(() => Promise.all(left.map(({ Id }) => docker.getContainer(Id).remove({ force: true }))))
    )
  )
  const url = Redacted.make(here.env.RTMANAGER_DATABASE_URL)
  const database = yield* FaultProxy.serve(addressOf(url), "tcp")
  const engine = yield* FaultProxy.serve("socketPath" in host ? { path: host.socketPath } : host, "unix")
  // What a killed process has asked for is there before the rest is removed.
  yield* Effect.addFinalizer(() => engine.idle)
  const env = {
    DATABASE_URL: Redacted.value(urlWith(url, hostAndPort(database.address))),
    DATABASE_SCHEMA: here.env.RTMANAGER_DATABASE_SCHEMA,
    DOCKER_HOST: `unix://${engine.address}`,
    IMAGE: image,
    GAME_LABEL: gameLabel,
    EVERY: "10 millis"
  }
  return {
    env: here.env,
    sql: here.sql,
    proxies: { database, engine },
    containers: Effect.map(containers, (found) =>
      found.map(({ Id, Labels }) => ({
        id: Id,
        gameId: Labels[gameLabel] ?? "",
        situation: Labels["rtmanager.sample"]
      }))
    ),
    create: (gameId: string) =>
      Effect.promise(() =>
        docker.createContainer({
          Image: image,
          Entrypoint: ["sleep", "3600"],
          Labels: { "rtmanager.sample": "ended", [gameLabel]: gameId },
          HostConfig: { NetworkMode: "none" }
        })
      ),
    inspect: (id: string) => Effect.promise(() => docker.getContainer(id).inspect()),
    removeByHand: (id: string) => Effect.promise(() => docker.getContainer(id).remove()),
    records: here.sql<{ gameId: string; containerId: string }>`
      select game_id as "gameId", current_container_id as "containerId"
      from runtime_records where status = 'stopped'`,
    play: (changes: { readonly MOST_CONTAINERS?: string } = {}) =>
      start([], { ...env, ...changes }, "deploy/demo/main.ts")
  }
})

type Stage = Effect.Success<ReturnType<typeof stage>>

/** Ends as when the stack is stopped. Gives back what it has said, with how many lines for each event. */
const stop = Effect.fnUntraced(function* (program: Effect.Success<ReturnType<Stage["play"]>>) {
  yield* program.signal("SIGTERM")
  const { code, log } = yield* Effect.timeout(program.ended, "1 minute")
  assert.strictEqual(code, 130)
  return Object.groupBy(log, ({ event }) => String(event))
})

type Change = (stage: Stage) => Effect.Effect<unknown, SqlError>
type Away = readonly [what: string, leave: Change, come: Change]

const away: ReadonlyArray<Away> = [
  [
    "engine",
    ({ proxies }) => Effect.sync(() => proxies.engine.inject("reset")),
    ({ proxies }) => Effect.sync(proxies.engine.heal)
  ],
  [
    "database",
    ({ proxies }) => Effect.sync(() => proxies.database.inject("reset")),
    ({ proxies }) => Effect.sync(proxies.database.heal)
  ],
  [
    "table",
    ({ sql }) => sql`alter table runtime_records rename to elsewhere`,
    ({ sql }) => sql`alter table elsewhere rename to runtime_records`
  ]
]

describeEngine("the sample games of the demo", () => {
  it.layer(Layer.merge(postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
    it.effect("give a pass containers to remove, one that is gone and one that runs on", () =>
      Effect.gen(function* () {
        const here = yield* stage()
        const program = yield* here.play({ MOST_CONTAINERS: "6" })
        yield* eventually(here.records, ({ length }) => length >= 5)
        yield* stop(program)
        yield* here.proxies.engine.idle

        const records = yield* here.records
        const recorded = new Set(records.map(({ containerId }) => containerId))
        const left = (yield* here.containers).filter(({ id }) => recorded.has(id))
        const ended = left.filter(({ situation }) => situation === "ended")
        const running = left.filter(({ situation }) => situation === "still_running")
        assert.deepStrictEqual([left.length, running.length], [ended.length + 1, 1])
        assert.strictEqual(records.length, left.length + 1)
        for (const { gameId, id, situation } of left) {
          const { HostConfig, State } = yield* here.inspect(id)
          const { CapDrop, NetworkMode, ReadonlyRootfs } = HostConfig
          assert.deepStrictEqual([CapDrop, NetworkMode, ReadonlyRootfs], [["ALL"], "none", true])
          assert.strictEqual(State.Status, situation === "ended" ? "exited" : "running")
          const later = yield* here.sql`
            select 1 from runtime_records where game_id = ${gameId} and current_container_id = ${id}
              and last_op_at > ${State.FinishedAt}::text::timestamptz`
          assert.strictEqual(later.length, 1, "the record is not of after the container's end")
        }

        yield* here.sql`update runtime_records set last_op_at = now() - interval '40 days'`
        const { code, stdout } = yield* command(["run", "--json"], here.env)
        assert.strictEqual(code, 1)
        const report = JSON.parse(stdout)
        assert.include(report.outcomes, { removed: ended.length, already_absent: 1, failed: 1 })
        assert.deepStrictEqual(report.error_codes, { container_running: 1 })
        const kept = new Set((yield* here.containers).map(({ id }) => id))
        assert.deepStrictEqual(
          left.filter(({ id }) => kept.has(id)),
          running
        )
      })
    )

    it.effect("are no more than allowed at once, which is said once, and go on when the last one is gone", () =>
      Effect.gen(function* () {
        const here = yield* stage()
        const program = yield* here.play({ MOST_CONTAINERS: "1" })
        const [first] = yield* eventually(here.records, ({ length }) => length === 1)
        assert.isDefined(first)
        // A record that comes back shows one more round.
        const round = Effect.andThen(
          here.sql`delete from runtime_records`,
          eventually(here.records, ({ length }) => length > 0)
        )
        for (let rounds = 0; rounds < 3; rounds++) assert.deepStrictEqual(yield* round, [first])
        assert.strictEqual((yield* here.containers).length, 1)

        // The second removes itself.
        yield* here.removeByHand(first.containerId)
        yield* eventually(here.records, ({ length }) => length === 3)
        yield* Effect.andThen(round, round)
        assert.strictEqual((yield* here.containers).length, 1)
        const said = yield* stop(program)
        assert.sameMembers(Object.keys(said), ["samples.made", "samples.paused"])
        assert.deepStrictEqual([said["samples.made"]?.length, said["samples.paused"]?.length], [3, 3])
      })
    )

    it.effect("get their records once they have ended, also those that an earlier process did not come to", () =>
      Effect.gen(function* () {
        const here = yield* stage()
        const before = yield* here.play()
        yield* eventually(here.containers, ({ length }) => length >= 3)
        yield* before.signal("SIGKILL")
        yield* before.ended
        yield* here.proxies.engine.idle
        yield* here.sql`delete from runtime_records`
        yield* here.create("sample-never-started")
        const played = yield* here.create("sample-played")
        yield* Effect.promise(() => played.start())
        const left = yield* here.containers

        const program = yield* here.play({ MOST_CONTAINERS: "1" })
        const records = yield* eventually(here.records, ({ length }) => length >= left.length - 1)
        assert.isFalse(records.some(({ gameId }) => gameId === "sample-played"))
        yield* Effect.promise(() => played.kill())
        yield* eventually(here.records, ({ length }) => length === left.length)
        const said = yield* stop(program)
        assert.sameMembers(Object.keys(said), ["samples.paused"])
      })
    )

    it.effect("are not made in a database that has other games", () =>
      Effect.gen(function* () {
        const here = yield* stage()
        yield* here.sql`insert into runtime_records (game_id, status, last_op_at) values ('real', 'running', now())`
        const program = yield* here.play()
        const { reason } = yield* program.event("samples.paused")
        assert.match(String(reason), /real games/)
        assert.deepStrictEqual(yield* here.containers, [])
        yield* here.sql`delete from runtime_records`
        yield* eventually(here.records, ({ length }) => length > 0)
        yield* stop(program)
      })
    )

    it.effect.each(away)("outlive that the %s is away, with a line for each try", ([, leave, come]) =>
      Effect.gen(function* () {
        const here = yield* stage()
        yield* leave(here)
        const program = yield* here.play({ MOST_CONTAINERS: "1" })
        const { reason } = yield* program.event("samples.failed")
        assert.isString(reason)
        yield* come(here)
        yield* eventually(here.records, ({ length }) => length > 0)
        yield* program.event("samples.paused")
        const said = yield* stop(program)
        assert.sameMembers(Object.keys(said), ["samples.failed", "samples.made", "samples.paused"])
      })
    )
  })
})
