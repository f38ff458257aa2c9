import { assert, it } from "@effect/vitest"
import { Duration, Effect, type Layer } from "effect"
import { EngineId } from "../../src/ports/ContainerEngine.ts"
import { KnownEngine } from "../../src/ports/KnownEngine.ts"
import { longAgo, micros, stopped } from "../support/records.ts"
import { StoreFixture } from "./StoreFixture.ts"

const first = EngineId.make("first/none-1")
const second = EngineId.make("second/none-2")
const third = EngineId.make("third/none-3")

/** An identity of the present form, whose old form is `first`. */
const firstInFull = EngineId.make(`${first}/overlay2:/data`)

const known = (id: EngineId, braked = false, retention?: Duration.Duration) => ({
  known: { id, braked, retention },
  otherName: undefined
})
const none = { known: undefined, otherName: undefined }

/** The engine of the service's name, as it is listed until a pass has seen it. */
const unseen = {
  name: "default",
  engineId: null,
  braked: false,
  acceptedAt: null,
  lastPassAt: null,
  lastSeenAt: null,
  due: 0,
  stopped: 0
}

const forgetAll = Effect.flatMap(StoreFixture, ({ clear }) => clear)

/** Within a second or so of now, by the store's clock. */
const isRecent = (at: Date | null | undefined) => Math.abs((at?.getTime() ?? 0) - Date.now()) < 60_000

/** What every `KnownEngine` must do, for the engine `default`. */
export const suite = <E>(name: string, layer: Layer.Layer<KnownEngine | StoreFixture, E>): void => {
  it.layer(layer, { excludeTestServices: true })(name, (it) => {
    it.effect("knows no engine at first", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { beginPass, list, recognize } = yield* KnownEngine
        assert.deepStrictEqual(yield* recognize(first), none)
        assert.deepStrictEqual(yield* beginPass(first), none)
        assert.deepStrictEqual(yield* list(0), [unseen])
      })
    )

    it.effect("lists the engine of its name before the first pass, with its games", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { put, putEngine } = yield* StoreFixture
        yield* putEngine("host-1", first)
        yield* put(stopped("due"))
        yield* put(stopped("young", { lastOpAt: micros(longAgo + 1) }))
        const [own, other] = yield* (yield* KnownEngine).list(longAgo + 1)
        assert.deepStrictEqual(own, { ...unseen, due: 1, stopped: 2 })
        assert.deepInclude(other, { name: "host-1", engineId: first })
      })
    )

    it.effect("remembers the first engine and no other", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { recognize, remember } = yield* KnownEngine
        assert.deepStrictEqual(yield* remember(first), known(first))
        assert.deepStrictEqual(yield* remember(second), known(first))
        assert.deepStrictEqual(yield* recognize(first), known(first))
        assert.deepStrictEqual(yield* recognize(second), known(first))
      })
    )

    it.effect("accepts another engine deliberately, and again the same", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { accept, recognize, remember } = yield* KnownEngine
        yield* remember(first)
        yield* accept(second)
        yield* accept(second)
        assert.deepStrictEqual(yield* recognize(second), known(second))
        assert.deepStrictEqual(yield* remember(first), known(second))
      })
    )

    it.effect("accepts an engine where none is known", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { accept, recognize } = yield* KnownEngine
        yield* accept(first)
        assert.deepStrictEqual(yield* recognize(first), known(first))
      })
    )

    it.effect("agrees on one engine when many are remembered at once", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { recognize, remember } = yield* KnownEngine
        const ids = Array.from({ length: 16 }, (_, i) => EngineId.make(`engine-${i}`))
        const answers = yield* Effect.forEach(ids, remember, { concurrency: "unbounded" })
        const answer = yield* recognize(first)
        for (const one of answers) assert.deepStrictEqual(one, answer)
      })
    )

    it.effect("accepts one engine that several accept at once where none is known", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { accept, recognize } = yield* KnownEngine
        yield* Effect.forEach(Array.from({ length: 16 }), () => accept(first), { concurrency: "unbounded" })
        assert.deepStrictEqual(yield* recognize(first), known(first))
      })
    )

    it.effect("widens the known engine's identity, once, and keeps its brake; no other's", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { accept, brake, recognize, remember, widen } = yield* KnownEngine
        assert.deepStrictEqual(yield* widen(first, second), none)
        yield* remember(first)
        yield* brake(first)
        const both = Effect.forEach([1, 2], () => widen(first, second), { concurrency: "unbounded" })
        assert.deepStrictEqual(yield* both, [known(second, true), known(second, true)])
        assert.deepStrictEqual(yield* recognize(second), known(second, true))
        yield* accept(first)
        assert.deepStrictEqual(yield* widen(second, third), known(first))
      })
    )

    it.effect("puts the brake on the known engine alone, and keeps it until an engine is accepted", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { accept, brake, recognize, remember } = yield* KnownEngine
        yield* brake(first)
        yield* remember(first)
        yield* brake(second)
        assert.deepStrictEqual(yield* recognize(first), known(first))
        yield* brake(first)
        yield* brake(first)
        assert.deepStrictEqual(yield* remember(second), known(first, true))
        yield* accept(first)
        assert.deepStrictEqual(yield* recognize(first), known(first))
      })
    )

    it.effect("event 42: gives no engine a second name, and changes nothing of the other", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { accept, beginPass, brake, list, recognize, remember, widen } = yield* KnownEngine
        const { putEngine } = yield* StoreFixture
        yield* putEngine("host-1", first)
        const answer = { known: undefined, otherName: "host-1" }
        assert.deepStrictEqual(yield* recognize(first), answer)
        assert.deepStrictEqual(yield* beginPass(first), answer)
        assert.deepStrictEqual(yield* remember(first), answer)
        assert.deepStrictEqual(yield* accept(first), answer)
        yield* widen(first, second)
        yield* brake(first)
        assert.deepStrictEqual(yield* recognize(first), answer)
        yield* remember(second)
        assert.deepStrictEqual(yield* recognize(second), known(second))
        assert.deepStrictEqual(yield* accept(first), { ...known(second), otherName: "host-1" })
        assert.deepStrictEqual(yield* recognize(first), { ...known(second), otherName: "host-1" })
        assert.deepStrictEqual(
          (yield* list(0)).map(({ braked, engineId, name }) => [name, engineId, braked]),
          [
            ["default", second, false],
            ["host-1", first, false]
          ]
        )
      })
    )

    it.effect("event 42: recognizes an engine whose other name an earlier version stored in the old form", () =>
      Effect.gen(function* () {
        yield* forgetAll
        yield* (yield* StoreFixture).putEngine("host-1", first)
        assert.deepStrictEqual(yield* (yield* KnownEngine).recognize(firstInFull), {
          known: undefined,
          otherName: "host-1"
        })
      })
    )

    it.effect("keeps the time at which a pass over the known engine last began, unless it is braked", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { accept, beginPass, brake, list, recognize } = yield* KnownEngine
        const lastPass = Effect.map(list(0), ([row]) => row?.lastPassAt)
        yield* (yield* StoreFixture).putEngine("default", first)
        yield* recognize(first)
        yield* beginPass(second)
        yield* brake(first)
        assert.deepStrictEqual(yield* beginPass(first), known(first, true))
        assert.isNull(yield* lastPass)
        yield* accept(first)
        assert.deepStrictEqual(yield* beginPass(first), known(first))
        assert.isTrue(isRecent(yield* lastPass))
      })
    )

    it.effect("keeps when a service of its name was last there, and of no other", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { list, markSeen } = yield* KnownEngine
        yield* markSeen
        assert.deepStrictEqual(yield* list(0), [unseen])
        yield* (yield* StoreFixture).putEngine("default", first)
        yield* (yield* StoreFixture).putEngine("host-1", second)
        yield* markSeen
        const [own, other] = yield* list(0)
        assert.deepStrictEqual([isRecent(own?.lastSeenAt), own?.lastPassAt], [true, null])
        assert.isNull(other?.lastSeenAt)
      })
    )

    it.effect("keeps the retention of its name's engine, in whole milliseconds, whatever else changes", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { accept, beginPass, brake, recognize, remember, setRetention, widen } = yield* KnownEngine
        const { putEngine } = yield* StoreFixture
        const [long, short] = [Duration.days(3650), Duration.minutes(1)]
        assert.isUndefined(yield* setRetention(long))
        yield* putEngine("host-1", third)
        assert.isUndefined(yield* setRetention(long))
        yield* remember(first)
        assert.deepStrictEqual(yield* setRetention(long), { before: undefined })
        assert.deepStrictEqual(yield* setRetention(short), { before: long })
        assert.deepStrictEqual(yield* recognize(first), known(first, false, short))
        assert.deepStrictEqual(yield* beginPass(first), known(first, false, short))
        assert.deepStrictEqual(yield* recognize(third), { ...known(first, false, short), otherName: "host-1" })
        assert.deepStrictEqual(yield* setRetention(Duration.millis(1_000_000.25)), { before: short })
        const whole = Duration.millis(1_000_001)
        yield* brake(first)
        assert.deepStrictEqual(yield* widen(first, firstInFull), known(firstInFull, true, whole))
        assert.deepStrictEqual(yield* accept(second), known(second, false, whole))
      })
    )

    it.effect("lists every engine with when it was accepted and how many of its games are due and stopped", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { accept, list } = yield* KnownEngine
        const { put, putEngine } = yield* StoreFixture
        yield* putEngine("host-1", second)
        yield* accept(first)
        yield* put(stopped("old", { lastOpAt: micros(1000) }))
        yield* put(stopped("young", { lastOpAt: micros(2000) }))
        const waits = { attempts: 1, nextAttemptAt: Date.now() + 3_600_000, lastError: "engine_error" }
        yield* put(stopped("backs-off", { lastOpAt: micros(1000), backoff: waits }))
        yield* put(stopped("untimed", { lastOpAt: null }))
        yield* put(stopped("running", { status: "running" }))
        yield* put(stopped("elsewhere", { engine: "host-1", lastOpAt: micros(1000) }))
        yield* put(stopped("nowhere", { engine: "host-2" }))
        const [own, other, ...more] = yield* list(2000)
        assert.deepInclude(own, { name: "default", engineId: first, braked: false, due: 1, stopped: 4 })
        assert.isTrue(isRecent(own?.acceptedAt))
        assert.deepStrictEqual(other, {
          name: "host-1",
          engineId: second,
          braked: false,
          acceptedAt: null,
          lastPassAt: null,
          lastSeenAt: null,
          due: 1,
          stopped: 1
        })
        assert.deepStrictEqual(more, [])
      })
    )
  })
}
