import { assert, it } from "@effect/vitest"
import { Context, Effect, type Layer } from "effect"
import type { ContainerId } from "../../src/domain/ContainerId.ts"
import { ContainerEngine, type RemoveResult } from "../../src/ports/ContainerEngine.ts"
import { containerId } from "../support/records.ts"

/** The states that every adapter's engine can be brought into. */
export type SuiteState = "created" | "exited" | "running" | "paused" | "restarting"

/** How the suite puts containers into the engine under test. A `null` game means no label. */
export class EngineFixture extends Context.Service<
  EngineFixture,
  { readonly create: (spec: { gameId: string | null; state: SuiteState }) => Effect.Effect<ContainerId> }
>()("rtmanager/test/EngineFixture") {}

const nowhere = containerId("0")
const removable = ["created", "exited"] as const
const busy = ["running", "paused", "restarting"] as const

/** A removal's result in a word. */
export const resultOf = (result: RemoveResult): string =>
  typeof result === "string" ? result : result._tag === "RemovalUnknown" ? "unknown" : `refused by the ${result.by}`

/** What every `ContainerEngine` must do. */
export const suite = (name: string, layer: Layer.Layer<ContainerEngine | EngineFixture>): void => {
  it.layer(layer, { excludeTestServices: true })(name, (it) => {
    it.effect("answers a ping", () => Effect.flatMap(ContainerEngine, (engine) => engine.ping))

    it.effect("keeps its identity", () =>
      Effect.gen(function* () {
        const engine = yield* ContainerEngine
        const first = yield* engine.identity
        assert.strictEqual(yield* engine.identity, first)
      })
    )

    for (const state of [...removable, ...busy]) {
      it.effect(`describes a container that is ${state}`, () =>
        Effect.gen(function* () {
          const { inspect } = yield* ContainerEngine
          const { create } = yield* EngineFixture
          const id = yield* create({ gameId: `described-${state}`, state })
          const container = yield* inspect(id)
          assert.isDefined(container)
          assert.strictEqual(container.id, id)
          assert.strictEqual(container.state, state)
          assert.strictEqual(container.gameId, `described-${state}`)
          assert.isTrue(Number.isSafeInteger(container.createdAt))
          assert.strictEqual(container.startedAt === null, state === "created")
          assert.isAtLeast(container.startedAt ?? Infinity, container.createdAt)
          // A real engine may say that a short process finished a moment before it started.
          if (state === "created") assert.isNull(container.finishedAt)
          if (state === "exited") assert.isAtLeast(container.finishedAt ?? 0, container.createdAt)
        })
      )
    }

    it.effect("says of a container without the label that it has no game", () =>
      Effect.gen(function* () {
        const { inspect } = yield* ContainerEngine
        const id = yield* (yield* EngineFixture).create({ gameId: null, state: "created" })
        const container = yield* inspect(id)
        assert.isNull(container?.gameId)
      })
    )

    it.effect("calls a container that never was absent", () =>
      Effect.gen(function* () {
        const engine = yield* ContainerEngine
        assert.isUndefined(yield* engine.inspect(nowhere))
        assert.strictEqual(yield* engine.remove(nowhere), "absent")
      })
    )

    it.effect("finds the containers of one game in every state, and no others", () =>
      Effect.gen(function* () {
        const { findByGame } = yield* ContainerEngine
        const { create } = yield* EngineFixture
        const expected = yield* Effect.forEach(removable, (state) => create({ gameId: "found", state }))
        expected.push(yield* create({ gameId: "found", state: "running" }))
        for (const gameId of ["found-2", "foun", "Found", null]) yield* create({ gameId, state: "created" })
        assert.sameMembers([...(yield* findByGame("found"))], expected)
        assert.deepStrictEqual(yield* findByGame("never-played"), [])
      })
    )

    for (const gameId of ["a=b", 'a","b', "a&all=false", "a b+c%20", "игра-7", "*", "../x"]) {
      it.effect(`finds the container of a game called ${JSON.stringify(gameId)}`, () =>
        Effect.gen(function* () {
          const { findByGame } = yield* ContainerEngine
          const id = yield* (yield* EngineFixture).create({ gameId, state: "created" })
          assert.deepStrictEqual(yield* findByGame(gameId), [id])
        })
      )
    }

    for (const state of removable) {
      it.effect(`removes a container that is ${state}, once`, () =>
        Effect.gen(function* () {
          const engine = yield* ContainerEngine
          const id = yield* (yield* EngineFixture).create({ gameId: "gone", state })
          assert.strictEqual(yield* engine.remove(id), "removed")
          assert.isUndefined(yield* engine.inspect(id))
          assert.notInclude(yield* engine.findByGame("gone"), id)
          assert.strictEqual(yield* engine.remove(id), "absent")
        })
      )
    }

    for (const state of busy) {
      it.effect(`does not remove a container that is ${state}`, () =>
        Effect.gen(function* () {
          const engine = yield* ContainerEngine
          const id = yield* (yield* EngineFixture).create({ gameId: "kept", state })
          assert.strictEqual(resultOf(yield* engine.remove(id)), "refused by the engine")
          const container = yield* engine.inspect(id)
          assert.strictEqual(container?.state, state)
        })
      )
    }

    it.effect("says `removed` to one of eight that remove the same container at once", () =>
      Effect.gen(function* () {
        const engine = yield* ContainerEngine
        const id = yield* (yield* EngineFixture).create({ gameId: "contested", state: "exited" })
        const results = yield* Effect.all(
          Array.from({ length: 8 }, () => engine.remove(id)),
          { concurrency: "unbounded" }
        )
        assert.lengthOf(
          results.filter((result) => result === "removed"),
          1
        )
      })
    )
  })
}
