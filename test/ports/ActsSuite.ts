import { assert, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { type Act, Author, longestReason, Reason } from "../../src/domain/Act.ts"
import { Acts, type Begun } from "../../src/ports/Acts.ts"
import { StoreFixture } from "./StoreFixture.ts"

const pause: Act = { act: "pause", target: null, author: Author.make("anna@host"), reason: Reason.make("a test") }
const plan: Act = { ...pause, act: "plan_apply", target: "2a0e1f9c-0000-4000-8000-000000000000" }

const forgetAll = Effect.flatMap(StoreFixture, ({ clear }) => clear)

/** The row of an act that has begun. */
const rowOf = (begun: Begun) => {
  assert(begun._tag === "Begun")
  return begun
}

const isRecent = (at: Date | null | undefined) => Math.abs((at?.getTime() ?? 0) - Date.now()) < 60_000

/** What every `Acts` must do. */
export const suite = <E>(name: string, layer: Layer.Layer<Acts | StoreFixture, E>): void => {
  it.layer(layer, { excludeTestServices: true })(name, (it) => {
    it.effect("has a row without a result for an act that goes on, and its result once it has ended", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { begin, end, list } = yield* Acts
        assert.deepStrictEqual(yield* list({ limit: 10 }), [])
        const begun = rowOf(yield* begin(pause))
        const [goesOn, ...others] = yield* list({ limit: 10 })
        assert.deepStrictEqual(others, [])
        assert.deepInclude(goesOn, { ...pause, id: begun.id, result: null, message: null, endedAt: null })
        assert.isTrue(isRecent(goesOn?.askedAt))
        yield* end(begun, { result: "done", message: "paused" })
        const [ended] = yield* list({ limit: 10 })
        assert(goesOn !== undefined && ended !== undefined)
        assert.deepStrictEqual(ended, { ...goesOn, endedAt: ended.endedAt, result: "done", message: "paused" })
        assert.isTrue(isRecent(ended.endedAt))
      })
    )

    it.effect("keeps the whole of the longest reason", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { begin, list } = yield* Acts
        const reason = Reason.make(`a${"🎲".repeat(longestReason - 1)}`)
        rowOf(yield* begin({ ...pause, reason }))
        assert.deepStrictEqual(
          (yield* list({ limit: 10 })).map((act) => act.reason),
          [reason]
        )
      })
    )

    it.effect("sets a result once, of the one act alone", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { begin, end, list } = yield* Acts
        const first = rowOf(yield* begin(pause))
        const second = rowOf(yield* begin(pause))
        yield* end(first, { result: "refused", message: null })
        const before = yield* list({ limit: 10 })
        assert.deepStrictEqual(
          before.map(({ id, result }) => [id, result]),
          [
            [second.id, null],
            [first.id, "refused"]
          ]
        )
        yield* end(first, { result: "done", message: "again" })
        yield* end({ ...first, id: first.id + second.id }, { result: "done", message: "no such act" })
        assert.deepStrictEqual(yield* list({ limit: 10 }), before)
      })
    )

    it.effect("sets no result of an act whose id came again after a failover", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { begin, end, list } = yield* Acts
        const begun = rowOf(yield* begin(pause))
        const before = yield* list({ limit: 10 })
        yield* end({ ...begun, askedAt: begun.askedAt - 1n }, { result: "done", message: "of the lost act" })
        assert.deepStrictEqual(yield* list({ limit: 10 }), before)
        yield* end(begun, { result: "refused", message: null })
        assert.strictEqual((yield* list({ limit: 10 }))[0]?.result, "refused")
      })
    )

    it.effect("goes on from the first and the last place that a cursor can name", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { begin, list } = yield* Acts
        yield* begin(pause)
        assert.deepStrictEqual(yield* list({ before: -(2n ** 63n), limit: 1 }), [])
        assert.lengthOf(yield* list({ before: 2n ** 63n - 1n, limit: 1 }), 1)
      })
    )

    it.effect("lets an author ask once with a key, however many ask at once, and finds that act by it", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { begin, end, keyed, list } = yield* Acts
        const answers = yield* Effect.forEach(
          Array.from({ length: 16 }, (_, i) => ({ key: "k1", requestHash: `hash-${i}` })),
          (key) => Effect.map(begin(pause, key), (begun) => ({ begun, key })),
          { concurrency: "unbounded" }
        )
        const [first, ...others] = answers.filter(({ begun }) => begun._tag === "Begun")
        assert(first !== undefined)
        assert.deepStrictEqual(others, [])
        assert.lengthOf(
          answers.filter(({ begun }) => begun._tag === "KeyTaken"),
          15
        )
        const [row, ...more] = yield* list({ limit: 100 })
        assert.deepStrictEqual(more, [])
        assert.deepStrictEqual(
          yield* keyed(pause.author, "k1"),
          row && { act: row, requestHash: first.key.requestHash }
        )
        yield* end(rowOf(first.begun), { result: "done", message: "paused" })
        assert.deepInclude((yield* keyed(pause.author, "k1"))?.act, { result: "done", message: "paused" })
        assert.strictEqual((yield* begin({ ...pause, act: "resume" }, first.key))._tag, "KeyTaken")
      })
    )

    it.effect("lets other authors use the same key, other keys be used, and acts have none", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { begin, keyed } = yield* Acts
        const key = { key: "k1", requestHash: "hash" }
        const own = rowOf(yield* begin(pause, key))
        rowOf(yield* begin({ ...pause, author: Author.make("ben@host") }, key))
        rowOf(yield* begin(pause, { ...key, key: "k2" }))
        rowOf(yield* begin(pause))
        rowOf(yield* begin(pause))
        assert.strictEqual((yield* keyed(pause.author, "k1"))?.act.id, own.id)
        assert.isUndefined(yield* keyed(pause.author, "k3"))
      })
    )

    it.effect("tells of a plan that was applied before from a request that came before", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { begin, keyed, list } = yield* Acts
        const [first, second] = [
          { key: "k1", requestHash: "hash" },
          { key: "k2", requestHash: "hash" }
        ] as const
        rowOf(yield* begin(plan, first))
        assert.strictEqual((yield* begin(plan, first))._tag, "KeyTaken")
        assert.strictEqual((yield* begin(plan, second))._tag, "PlanTaken")
        assert.strictEqual((yield* begin(plan, second))._tag, "KeyTaken")
        assert.strictEqual((yield* keyed(plan.author, "k2"))?.act.result, "refused")
        assert.lengthOf(yield* list({ limit: 10 }), 2)
      })
    )

    it.effect("lists the newest first, page by page, all or those of one target", () =>
      Effect.gen(function* () {
        yield* forgetAll
        const { begin, list } = yield* Acts
        const targets = ["a", "b", "a", null, "b"]
        const rows = yield* Effect.forEach(targets, (target) => begin({ ...pause, act: "hold", target }))
        const [one, two, three, four, five] = rows.map((begun) => rowOf(begun).id)
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
        const [began, ...others] = answers.filter(({ _tag }) => _tag === "Begun").map((begun) => rowOf(begun).id)
        assert.isDefined(began)
        assert.deepStrictEqual(others, [])
        assert.lengthOf(
          answers.filter(({ _tag }) => _tag === "PlanTaken"),
          15
        )
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
        const refused = rowOf(yield* begin(plan))
        yield* end(refused, { result: "refused", message: "another engine" })
        const failed = rowOf(yield* begin(plan))
        rowOf(yield* begin({ ...plan, target: "another" }))
        rowOf(yield* begin({ ...plan, act: "hold" }))
        assert.strictEqual((yield* begin(plan))._tag, "PlanTaken")
        yield* end(failed, { result: "failed", message: "the database went away" })
        assert.strictEqual((yield* begin(plan))._tag, "PlanTaken")
      })
    )
  })
}
