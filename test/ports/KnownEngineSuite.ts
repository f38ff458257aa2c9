import { assert, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { EngineId } from "../../src/ports/ContainerEngine.ts"
import { KnownEngine } from "../../src/ports/KnownEngine.ts"
import { StoreFixture } from "./StoreFixture.ts"

const first = EngineId.make("first/none-1")
const second = EngineId.make("second/none-2")
const third = EngineId.make("third/none-3")

const forgetAll = Effect.flatMap(StoreFixture, ({ clear }) => clear)

/** What every `KnownEngine` must do. */
export const suite = <E>(name: string, layer: Layer.Layer<KnownEngine | StoreFixture, E>): void => {
  it.layer(layer, { excludeTestServices: true })(name, (it) => {
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
        assert.deepStrictEqual(yield* remember(first), { id: first, braked: false })
        assert.deepStrictEqual(yield* remember(second), { id: first, braked: false })
        assert.deepStrictEqual(yield* read, { id: first, braked: false })
      })
    )

    it.effect("accepts another engine deliberately, and again the same", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { accept, read, remember } = yield* KnownEngine
        yield* remember(first)
        yield* accept(second)
        yield* accept(second)
        assert.deepStrictEqual(yield* read, { id: second, braked: false })
        assert.deepStrictEqual(yield* remember(first), { id: second, braked: false })
      })
    )

    it.effect("accepts an engine where none is known", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { accept, read } = yield* KnownEngine
        yield* accept(first)
        assert.deepStrictEqual(yield* read, { id: first, braked: false })
      })
    )

    it.effect("agrees on one engine when many are remembered at once", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { read, remember } = yield* KnownEngine
        const ids = Array.from({ length: 16 }, (_, i) => EngineId.make(`engine-${i}`))
        const answers = yield* Effect.forEach(ids, remember, { concurrency: "unbounded" })
        const known = yield* read
        for (const answer of answers) assert.deepStrictEqual(answer, known)
      })
    )

    it.effect("accepts one engine that several accept at once where none is known", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { accept, read } = yield* KnownEngine
        yield* Effect.forEach(Array.from({ length: 16 }), () => accept(first), { concurrency: "unbounded" })
        assert.deepStrictEqual(yield* read, { id: first, braked: false })
      })
    )

    it.effect("widens the known engine's identity, once, and keeps its brake; no other's", () =>
      Effect.gen(function* () {
        yield* (yield* StoreFixture).clear
        const { accept, brake, read, remember, widen } = yield* KnownEngine
        assert.deepStrictEqual(yield* widen(first, second), { id: second, braked: false })
        assert.isUndefined(yield* read)
        yield* remember(first)
        yield* brake(first)
        const both = Effect.forEach([1, 2], () => widen(first, second), { concurrency: "unbounded" })
        assert.deepStrictEqual(yield* both, [
          { id: second, braked: true },
          { id: second, braked: true }
        ])
        assert.deepStrictEqual(yield* read, { id: second, braked: true })
        yield* accept(first)
        assert.deepStrictEqual(yield* widen(second, third), { id: first, braked: false })
      })
    )

    it.effect("puts the brake on the known engine alone, and keeps it until an engine is accepted", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { accept, brake, read, remember } = yield* KnownEngine
        yield* brake(first)
        yield* remember(first)
        yield* brake(second)
        assert.deepStrictEqual(yield* read, { id: first, braked: false })
        yield* brake(first)
        yield* brake(first)
        assert.deepStrictEqual(yield* remember(second), { id: first, braked: true })
        yield* accept(first)
        assert.deepStrictEqual(yield* read, { id: first, braked: false })
      })
    )
  })
}
