import { assert, it } from "@effect/vitest"
import { Duration, Effect, type Layer } from "effect"
import { Author } from "../../src/domain/Act.ts"
import { Pauses } from "../../src/ports/Pauses.ts"
import { StoreFixture } from "./StoreFixture.ts"

const author = Author.make("anna@host")

const forgetAll = Effect.flatMap(StoreFixture, ({ clear }) => clear)

/** What every `Pauses` must do. */
export const suite = <E>(name: string, layer: Layer.Layer<Pauses | StoreFixture, E>): void => {
  it.layer(layer, { excludeTestServices: true })(name, (it) => {
    it.effect("has no pause at first, and none to resume", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { beginPass, current, resume } = yield* Pauses
        assert.isUndefined(yield* current)
        assert.isUndefined(yield* beginPass)
        assert.isUndefined(yield* resume)
      })
    )

    it.effect("pauses until somebody resumes, and tells every pass who did and why", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { beginPass, current, pause, resume } = yield* Pauses
        const paused = yield* pause({ author, reason: "a look at the shelf", duration: undefined })
        assert.deepInclude(paused, { author, reason: "a look at the shelf", until: null })
        assert.isBelow(Math.abs(paused.pausedAt.getTime() - Date.now()), 60_000)
        assert.deepStrictEqual(yield* current, paused)
        assert.deepStrictEqual(yield* beginPass, paused)
        assert.deepStrictEqual(yield* current, paused)
        assert.deepStrictEqual(yield* resume, paused)
        assert.isUndefined(yield* current)
        assert.isUndefined(yield* beginPass)
        assert.isUndefined(yield* resume)
      })
    )

    it.effect("replaces one pause by the next, but nobody else's that lasts longer", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { current, pause } = yield* Pauses
        const other = Author.make("ben")
        yield* pause({ author, reason: "first", duration: Duration.hours(2) })
        const second = yield* pause({ author: other, reason: "second", duration: undefined })
        assert.deepInclude(second, { author: other, reason: "second", until: null })
        assert.deepStrictEqual(yield* current, second)
        assert.deepStrictEqual(yield* pause({ author, reason: "third", duration: Duration.days(30) }), second)
        assert.deepStrictEqual(yield* current, second)
        const fourth = yield* pause({ author: other, reason: "fourth", duration: Duration.days(30) })
        assert.strictEqual((fourth.until?.getTime() ?? 0) - fourth.pausedAt.getTime(), Duration.toMillis("30 days"))
        assert.deepStrictEqual(yield* current, fourth)
        const fifth = yield* pause({ author, reason: "fifth", duration: Duration.days(31) })
        assert.deepStrictEqual(yield* current, fifth)
      })
    )

    it.effect("lets a pause end by itself, after which there is none to resume", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { beginPass, current, pause, resume } = yield* Pauses
        yield* pause({ author, reason: "over at once", duration: Duration.zero })
        assert.isUndefined(yield* current)
        assert.isUndefined(yield* beginPass)
        assert.isUndefined(yield* resume)
      })
    )
  })
}
