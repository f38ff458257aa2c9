import { assert, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { type Act, Author, Reason } from "../../src/domain/Act.ts"
import { Acts } from "../../src/ports/Acts.ts"
import { StoreFixture } from "./StoreFixture.ts"

const pause: Act = { act: "pause", target: null, author: Author.make("anna@host"), reason: Reason.make("a test") }
const plan: Act = { ...pause, act: "plan_apply", target: "2a0e1f9c-0000-4000-8000-000000000000" }

const forgetAll = Effect.flatMap(StoreFixture, ({ clear }) => clear)

const isRecent = (at: Date | null | undefined) => Math.abs((at?.getTime() ?? 0) - Date.now()) < 60_000

/** What every `Acts` must do. */
export const suite = <E>(name: string, layer: Layer.Layer<Acts | StoreFixture, E>): void => {
  it.layer(layer, { excludeTestServices: true })(name, (it) => {
    it.effect("has a row without a result for an act that goes on, and its result once it has ended", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { begin, end, list } = yield* Acts
        assert.deepStrictEqual(yield* list({ limit: 10 }), [])
        const id = yield* begin(pause)
        assert(id !== undefined)
        const [goesOn, ...others] = yield* list({ limit: 10 })
        assert.deepStrictEqual(others, [])
        assert.deepInclude(goesOn, { ...pause, id, result: null, message: null, endedAt: null })
        assert.isTrue(isRecent(goesOn?.askedAt))
        yield* end(id, { result: "done", message: "paused" })
        const [ended] = yield* list({ limit: 10 })
        assert(goesOn !== undefined && ended !== undefined)
        assert.deepStrictEqual(ended, { ...goesOn, endedAt: ended.endedAt, result: "done", message: "paused" })
        assert.isTrue(isRecent(ended.endedAt))
      })
    )

    it.effect("sets a result once, of the one act alone", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { begin, end, list } = yield* Acts
        const first = yield* begin(pause)
        const second = yield* begin(pause)
        assert(first !== undefined && second !== undefined)
        yield* end(first, { result: "refused", message: null })
        const before = yield* list({ limit: 10 })
        assert.deepStrictEqual(
          before.map(({ id, result }) => [id, result]),
          [
            [second, null],
            [first, "refused"]
          ]
        )
        yield* end(first, { result: "done", message: "again" })
        yield* end(first + second, { result: "done", message: "no such act" })
        assert.deepStrictEqual(yield* list({ limit: 10 }), before)
      })
    )

    it.effect("lists the newest first, page by page, all or those of one target", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { begin, list } = yield* Acts
        const targets = ["a", "b", "a", null, "b"]
        const ids = yield* Effect.forEach(targets, (target) => begin({ ...pause, act: "hold", target }))
        const [one, two, three, four, five] = ids
        const listed = (page: Parameters<typeof list>[0]) => Effect.map(list(page), (rows) => rows.map(({ id }) => id))
        assert.deepStrictEqual(yield* listed({ limit: 10 }), [five, four, three, two, one])
        assert.deepStrictEqual(yield* listed({ limit: 2 }), [five, four])
        assert.deepStrictEqual(yield* listed({ limit: 2, ...(four && { before: four }) }), [three, two])
        assert.deepStrictEqual(yield* listed({ limit: 10, target: "a" }), [three, one])
        assert.deepStrictEqual(yield* listed({ limit: 10, target: "a", ...(three && { before: three }) }), [one])
        assert.deepStrictEqual(yield* listed({ limit: 10, target: "c" }), [])
      })
    )

    it.effect("lets a plan be applied once, however many begin at once, with a row for each who was refused", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { begin, list } = yield* Acts
        const answers = yield* Effect.forEach(Array.from({ length: 16 }), () => begin(plan), {
          concurrency: "unbounded"
        })
        const [began, ...others] = answers.filter((id) => id !== undefined)
        assert.isDefined(began)
        assert.deepStrictEqual(others, [])
        const rows = yield* list({ limit: 100 })
        assert.strictEqual(rows.length, 16)
        for (const { endedAt, id, message, result } of rows) {
          assert.deepStrictEqual([id === began, endedAt === null], [result === null, result === null])
          if (result !== null) assert.match(`${result}: ${message}`, /^refused: the plan was applied before/)
        }
      })
    )

    it.effect("lets a plan be applied after it was refused, not after any other end, and others meanwhile", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { begin, end } = yield* Acts
        const refused = yield* begin(plan)
        assert(refused !== undefined)
        yield* end(refused, { result: "refused", message: "another engine" })
        const failed = yield* begin(plan)
        assert(failed !== undefined)
        assert.isDefined(yield* begin({ ...plan, target: "another" }))
        assert.isDefined(yield* begin({ ...plan, act: "hold" }))
        assert.isUndefined(yield* begin(plan))
        yield* end(failed, { result: "failed", message: "the database went away" })
        assert.isUndefined(yield* begin(plan))
      })
    )
  })
}
