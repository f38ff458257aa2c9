import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import fc from "fast-check"
import { isContainerId } from "../../src/domain/ContainerId.ts"
import { defaultEngine } from "../../src/domain/EngineName.ts"
import { describeEngine } from "../support/docker.ts"
import { dump, game, layerEngine, world } from "../support/e2e.ts"
import { postgresServer } from "../support/postgres.ts"
import { micros } from "../support/records.ts"
import { command } from "../support/service.ts"

const long = "x".repeat(100_000)
const daysAgo = (days: number) => micros(Date.now() - Duration.toMillis(Duration.days(days)))

/** PostgreSQL's text holds any character but NUL, and no lone surrogate. */
const text = fc.string({ unit: "binary", maxLength: 80 }).filter((text) => !text.includes("\0") && text.isWellFormed())

/** Texts that resemble a container's id or name, an engine's path or a query. */
const nearId = fc.oneof(
  text,
  fc.stringMatching(/^[0-9a-fA-F]{60,68}$/),
  fc.stringMatching(/^[0-9a-f]{1,63}$/),
  fc
    .tuple(fc.stringMatching(/^[0-9a-f]{64}$/), fc.constantFrom("?force=1", "/", "\n", " ", "#", "%00"))
    .map((p) => p.join("")),
  fc.constantFrom("..", ".", "../", "%2e%2e", "..%2f", "../../").chain((up) => text.map((rest) => up + rest))
)

describeEngine("hostile input, over real PostgreSQL and a real engine", () => {
  it.layer(Layer.merge(postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
    it.effect("event 12: removes nothing, whatever the records name as container, and asks nothing about it", () =>
      Effect.gen(function* () {
        const here = yield* world()
        const { docker, image } = here.engine
        const volume = yield* Effect.acquireRelease(
          Effect.promise(() => docker.createVolume({ Labels: { "rtmanager.test": "canary" } })),
          ({ name }) => Effect.promise(() => docker.getVolume(name).remove())
        )
        const running = yield* game(here, "canary-running", "running", { status: "running" })
        const stopped = yield* game(here, "canary-stopped", "exited", { status: "running" })
        const { Name } = yield* Effect.promise(() => docker.getContainer(stopped).inspect())
        const corpus = [
          "",
          Name.slice(1),
          Name,
          stopped.slice(0, 12),
          stopped.slice(0, 1),
          stopped.toUpperCase(),
          ` ${stopped}`,
          `${stopped}\n`,
          `sha256:${stopped}`,
          `${stopped}/../${running}?force=1`,
          `${running}?force=1`,
          `${running}?force=1&v=1&link=1#`,
          `${running}%3Fforce=1`,
          `../images/${image}`,
          `../images/${encodeURIComponent(image)}?force=1`,
          `../volumes/${volume.name}?force=1`,
          "..",
          "../..",
          "prune",
          `${running}\r\nDELETE /containers/${running}?force=1 HTTP/1.1\r\n`,
          "\u202e\u0007\u001b[2J",
          long
        ]
        const ids = [...corpus, ...fc.sample(nearId, 200).filter((id) => !isContainerId(id))]
        for (const [index, containerId] of ids.entries()) {
          const record = {
            engine: defaultEngine,
            status: "stopped",
            imageRef: null,
            backoff: null,
            hold: null,
            lastOpAt: daysAgo(40)
          }
          yield* here.store.put({ ...record, gameId: `hostile-${index}`, containerId })
        }

        const { code, log, stdout } = yield* command(["run", "--json"], here.env)
        assert.strictEqual(code, 1)
        const report = JSON.parse(stdout)
        assert.include(report.outcomes, { removed: 0, already_absent: 0, failed: ids.length })
        assert.include(report.error_codes, { invalid_container_id: ids.length })
        assert.deepStrictEqual(
          here.proxy.requests.filter((request) => !/^GET \/(?:info|networks\/none)$/.test(request)),
          []
        )
        const states = (yield* here.engine.left).map(({ gameId, state }) => [gameId, state]).sort()
        assert.deepStrictEqual(states, [
          ["canary-running", "running"],
          ["canary-stopped", "exited"]
        ])
        yield* Effect.promise(() => docker.getVolume(volume.name).inspect())
        assert.include((yield* Effect.promise(() => docker.getImage(image).inspect())).RepoTags, image)
        for (const row of yield* dump(here, "operation_log")) assert.isBelow(row.length, 1000)
        for (const line of log) {
          const printed = JSON.stringify(line)
          assert.isBelow(printed.length, 3000)
          assert.notMatch(printed, /\u202e/)
        }
      })
    )

    it.effect("event 11: treats games and labels as text, whatever they hold: each game gets its own container", () =>
      Effect.gen(function* () {
        const here = yield* world()
        const names = [
          ...[
            "../x",
            "a/b?force=1",
            "q\"uo'te",
            "a=b,c",
            "%2e%2e",
            "ä\u202eö",
            "{}",
            "$1",
            "\\",
            "a\nb",
            "'; drop table runtime_records; --"
          ],
          ...fc
            .sample(
              text.filter((name) => name !== ""),
              10
            )
            .map((name, index) => `${index} ${name}`)
        ]
        for (const name of names) {
          yield* game(here, name, "exited")
          yield* game(here, `other of ${name}`, "exited", { label: `${name} ` })
        }
        const { stdout } = yield* command(["run", "--json"], here.env)
        const report = JSON.parse(stdout)
        assert.include(report.outcomes, { removed: names.length, failed: names.length })
        assert.include(report.error_codes, { identity_mismatch: names.length })
        const left = (yield* here.engine.left).map(({ gameId }) => gameId).sort()
        assert.deepStrictEqual(left, names.map((name) => `${name} `).sort())
        for (const name of names) {
          assert.deepStrictEqual(
            (yield* here.store.log(name)).map(({ outcome }) => outcome),
            ["success"]
          )
        }
      })
    )
  })
})
