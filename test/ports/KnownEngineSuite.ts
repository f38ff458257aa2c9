import { assert, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { EngineId } from "../../src/ports/ContainerEngine.ts"
import { KnownEngine } from "../../src/ports/KnownEngine.ts"
import { StoreFixture } from "./StoreFixture.ts"

const first = EngineId.make("first/none-1")
const second = EngineId.make("second/none-2")

const forgetAll = Effect.flatMap(StoreFixture, ({ clear }) => clear)

/** What every `KnownEngine` must do. */
export const suite = <E>(name: string, layer: Layer.Layer<KnownEngine | StoreFixture, E>): void => {
  it.layer(layer, { timeout: "30 seconds", excludeTestServices: true })(name, (it) => {
    it.effect("knows no engine at first", () =>
      Effect.gen(function* () {
        yield* forgetAll
        assert.isUndefined(yield* (yield* KnownEngine).read)
      })
    )

    it.effect("remembers the first engine and no other", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { read, remember } = yield* KnownEngine
        assert.strictEqual(yield* remember(first), first)
        assert.strictEqual(yield* remember(second), first)
        assert.strictEqual(yield* read, first)
      })
    )

    it.effect("accepts another engine deliberately, and again the same", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { accept, read, remember } = yield* KnownEngine
        yield* remember(first)
        yield* accept(second)
        yield* accept(second)
        assert.strictEqual(yield* read, second)
        assert.strictEqual(yield* remember(first), second)
      })
    )

    it.effect("accepts an engine where none is known", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { accept, read } = yield* KnownEngine
        yield* accept(first)
        assert.strictEqual(yield* read, first)
      })
    )

    it.effect("agrees on one engine when many are remembered at once", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { read, remember } = yield* KnownEngine
        const ids = Array.from({ length: 16 }, (_, i) => EngineId.make(`engine-${i}`))
        const answers = yield* Effect.forEach(ids, remember, { concurrency: "unbounded" })
        assert.deepStrictEqual([...new Set(answers)], [yield* read])
      })
    )
  })
}
