import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { describeEngine } from "../support/docker.ts"
import { game, layerEngine, type World, world } from "../support/e2e.ts"
import { eventually } from "../support/eventually.ts"
import { postgresServer } from "../support/postgres.ts"
import { launch } from "../support/service.ts"

const underNpm = { npm_config_update_notifier: "false" }

/** Waits until the game's container is gone. */
const removed = ({ engine }: World) => eventually(engine.left, (left) => left.length === 0)

const ways: ReadonlyArray<{ line: string; signal: NodeJS.Signals }> = [
  { line: "npm start", signal: "SIGTERM" },
  { line: "npm start", signal: "SIGKILL" },
  { line: "npm run cleanup -- serve", signal: "SIGHUP" },
  { line: "npm run cleanup -- serve", signal: "SIGINT" },
  { line: "npx rtmanager-cleanup serve", signal: "SIGTERM" },
  { line: "npx rtmanager-cleanup serve", signal: "SIGKILL" }
]

describeEngine("a service that npm started", () => {
  it.layer(Layer.merge(postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
    it.effect.each(ways)(
      "event 29: ends in an orderly way within ten seconds of $signal to $line",
      ({ line, signal }) =>
        Effect.gen(function* () {
          const here = yield* world()
          const stuck = yield* game(here, "stuck", "exited")
          yield* game(here, "a", "exited")
          here.proxy.holdAnswers(new RegExp(`^DELETE .*${stuck}`))
          const [program = "", ...args] = line.split(" ")
          const npm = yield* launch(program, args, { ...here.env, ...underNpm })
          yield* here.proxy.asked(/^DELETE/, 2)
          const since = performance.now()
          yield* npm.signal(signal)
          const { log } = yield* npm.ended
          assert.isBelow(performance.now() - since, 10_000)
          const stopped = log.find(({ event }) => event === "service.stopped")
          assert.deepStrictEqual(stopped?.["unresolved_removals"], ["stuck"])
          const leases = yield* here.sql`select game_id as "gameId" from game_leases`
          assert.deepStrictEqual(leases, [{ gameId: "stuck" }])
          assert.strictEqual((yield* here.store.log("a")).length, 1)
        })
    )

    it.effect("event 29: goes on where it was started without npm and its parent ends", () =>
      Effect.gen(function* () {
        const here = yield* world()
        const line = `node bin/node26.mjs src/main.ts serve & printf '{"event":"pid","pid":%d}\\n' $! >&2; read go; exit 0`
        const shell = yield* launch("sh", ["-c", line], { ...here.env, RTMANAGER_CLEANUP_INTERVAL: "1s" })
        yield* shell.event("service.started")
        // `read` comes to its end at once, as there is no input; each pass is a second after the one before.
        yield* Effect.forEach(["first", "second"], (gameId) =>
          Effect.andThen(game(here, gameId, "exited"), removed(here))
        )
        yield* shell.event("cleanup.pass.success")
        yield* stopByPid(shell)
        assert.include((yield* shell.ended).log.at(-1), { event: "service.stopped" })
      })
    )
  })
})

const stopByPid = (shell: Effect.Success<ReturnType<typeof launch>>) =>
  Effect.map(shell.event("pid"), ({ pid }) => process.kill(Number(pid), "SIGTERM"))

describe("bin/node26.mjs", () => {
  it.live("event 29: passes on the exit code", () =>
    Effect.gen(function* () {
      const { code } = yield* Effect.flatMap(
        launch("npm", ["run", "cleanup", "--", "bogus"], underNpm),
        (npm) => npm.ended
      )
      assert.strictEqual(code, 2)
    })
  )

  it.live("event 29: ends the program whose wrapper was killed", () =>
    Effect.gen(function* () {
      const env = {
        RTMANAGER_DATABASE_URL: "postgres://nobody@127.0.0.1:1/nowhere",
        RTMANAGER_HTTP_ADDR: "127.0.0.1:0"
      }
      const line = "NODE26_WRAPPER=$$ node bin/node26.mjs src/main.ts serve & wait"
      const wrapper = yield* launch("sh", ["-c", line], env)
      yield* wrapper.event("service.started")
      yield* wrapper.signal("SIGKILL")
      assert.include((yield* wrapper.ended).log.at(-1), { event: "service.stopped" })
    })
  )
})
