import { assert, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Layer } from "effect"
import * as DockerEngine from "../../../src/adapters/docker/ContainerEngine.ts"
import { ContainerId, isContainerId } from "../../../src/domain/ContainerId.ts"
import { ContainerEngine } from "../../../src/ports/ContainerEngine.ts"
import { EngineFixture, suite } from "../../ports/ContainerEngineSuite.ts"
import { describeEngine, TestEngine, layer as testEngine } from "../../support/docker.ts"
import * as EngineProxy from "../../support/EngineProxy.ts"

const engine = Layer.unwrap(
  Effect.map(TestEngine, ({ host, gameLabel }) => DockerEngine.layer({ host, gameLabel, timeout: "15 seconds" }))
)
const fixture = Layer.effect(EngineFixture, Effect.map(TestEngine, EngineFixture.of))

describeEngine("ContainerEngine over a real Docker engine", () => {
  suite("keeps the contract", Layer.merge(engine, fixture).pipe(Layer.provide(testEngine)))

  it.layer(Layer.provideMerge(engine, testEngine), { excludeTestServices: true })((it) => {
    it.effect("event 12: leaves images, volumes and running containers alone, whatever it is asked to remove", () =>
      Effect.gen(function* () {
        const { remove, inspect } = yield* ContainerEngine
        const { docker, image, create } = yield* TestEngine
        const running = yield* create({ gameId: "canary", state: "running" })
        const stopped = yield* create({ gameId: "canary", state: "exited" })
        const volume = yield* Effect.acquireRelease(
          Effect.promise(() => docker.createVolume({ Labels: { "rtmanager.test": "canary" } })),
          ({ name }) => Effect.promise(() => docker.getVolume(name).remove())
        )
        const name = (yield* Effect.promise(() => docker.getContainer(stopped).inspect())).Name.slice(1)

        const hostile = [
          "",
          name,
          stopped.slice(0, 12),
          stopped.toUpperCase(),
          `../images/${image}`,
          `../images/${image}?force=1`,
          `../volumes/${volume.name}`,
          `${running}?force=1`,
          `${running}?force=1&v=1#`,
          `${stopped}/../${running}?force=1`,
          `${running}\r\nX: y`,
          "x".repeat(100_000)
        ]
        for (const text of hostile) {
          assert.isFalse(isContainerId(text))
          const unchecked = ContainerId.make(text, { disableChecks: true })
          assert.isTrue(Exit.hasDies(yield* Effect.exit(remove(unchecked))))
          assert.isTrue(Exit.hasDies(yield* Effect.exit(inspect(unchecked))))
        }

        assert.strictEqual((yield* inspect(running))?.state, "running")
        assert.strictEqual((yield* inspect(stopped))?.state, "exited")
        const { RepoTags } = yield* Effect.promise(() => docker.getImage(image).inspect())
        assert.include(RepoTags, image)
        yield* Effect.promise(() => docker.getVolume(volume.name).inspect())
      })
    )

    it.effect("event 36: keeps the volumes of a container that it removes, and counts those without a name", () =>
      Effect.gen(function* () {
        const { inspect, remove } = yield* ContainerEngine
        const { docker, image } = yield* TestEngine
        const container = yield* Effect.promise(() =>
          docker.createContainer({
            Image: image,
            Cmd: ["/busybox"],
            Volumes: { "/data": {}, "/more": {} },
            HostConfig: { Binds: ["rtmanager-test-named:/named", "/tmp:/bound"] }
          })
        )
        const volumes = (yield* Effect.promise(() => container.inspect())).Mounts.flatMap(({ Name }) => Name ?? [])
        const id = ContainerId.make(container.id)
        assert.strictEqual((yield* inspect(id))?.anonymousVolumes, 2)
        assert.strictEqual(yield* remove(id), "removed")
        assert.lengthOf(volumes, 3)
        for (const volume of volumes) yield* Effect.promise(() => docker.getVolume(volume).remove())
      })
    )

    it.effect("sees through the test proxy a container as old as the test wants, and removes it", () =>
      Effect.gen(function* () {
        const { host, gameLabel, create, left } = yield* TestEngine
        const id = yield* create({ gameId: "aged", state: "exited" })
        const proxy = yield* EngineProxy.serve(host, { age: "365 days" })
        const { inspect, remove } = Context.get(
          yield* Layer.build(
            DockerEngine.layer({ host: { socketPath: proxy.socketPath }, gameLabel, timeout: "15 seconds" })
          ),
          ContainerEngine
        )
        const container = yield* inspect(id)
        assert.isBelow(container?.finishedAt ?? Infinity, Date.now() - Duration.toMillis("364 days"))
        assert.strictEqual(yield* remove(id), "removed")
        assert.isFalse((yield* left).some((container) => container.id === id))
        assert.deepStrictEqual(proxy.requests, [`GET /containers/${id}/json`, `DELETE /containers/${id}`])
      })
    )
  })
})
