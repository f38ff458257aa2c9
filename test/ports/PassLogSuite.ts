import { randomUUID } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Effect, Exit, type Layer } from "effect"
import { empty, type PassReport, report } from "../../src/domain/PassReport.ts"
import { PassLog, type PassProgress } from "../../src/ports/PassLog.ts"
import { StoreFixture } from "./StoreFixture.ts"

const tally = { ...empty("schedule", false), listed: 5 }

const progress = (changes: Partial<PassProgress> = {}): PassProgress => ({ ...tally, due: 9, seconds: 3, ...changes })

const ended = (changes: Partial<PassReport & { readonly seconds: number }> = {}) => ({
  ...report(tally, Exit.void),
  seconds: 3,
  ...changes
})

const removed = (count: number) => ({ ...tally.outcomes, removed: count })

/** Each test's rows alone. */
const emptied = Effect.andThen(
  Effect.flatMap(StoreFixture, ({ clear }) => clear),
  PassLog
)

const isRecent = (at: Date | null | undefined) => Math.abs((at?.getTime() ?? 0) - Date.now()) < 60_000

/** What every `PassLog` must do, for the engine `default`. */
export const suite = <E>(name: string, layer: Layer.Layer<PassLog | StoreFixture, E>): void => {
  it.layer(layer, { excludeTestServices: true })(name, (it) => {
    it.effect("keeps no pass at first", () =>
      Effect.gen(function* () {
        const passes = yield* emptied
        assert.deepStrictEqual(yield* passes.recent(5), [])
        assert.deepStrictEqual(yield* passes.unended(5), [])
      })
    )

    it.effect("adds the row of a pass under way and brings it up to date; when it began stays", () =>
      Effect.gen(function* () {
        const passes = yield* emptied
        const id = randomUUID()
        yield* passes.progress(id, progress({ seconds: 3600 }))
        const [first] = yield* passes.recent(5)
        assert(first !== undefined)
        assert.strictEqual(first.updatedAt.getTime() - first.startedAt.getTime(), 3_600_000)
        assert.isNull(first.lagMax)
        assert.isTrue(isRecent(first.updatedAt))
        yield* passes.progress(
          id,
          progress({ listed: 7, outcomes: removed(2), lagMax: 90.25, due: undefined, seconds: 1 })
        )
        const [second, ...more] = yield* passes.recent(5)
        assert.deepStrictEqual(more, [])
        const { owner, updatedAt, ...row } = second ?? first
        assert.isAtLeast(updatedAt.getTime(), first.updatedAt.getTime())
        assert.strictEqual(owner, first.owner)
        assert.deepStrictEqual(row, {
          ...{ id, engine: "default", trigger: "schedule", startedAt: first.startedAt, endedAt: null },
          ...{ result: null, reason: null, message: null },
          ...{ due: 9, listed: 7, removed: 2, alreadyAbsent: 0, conflict: 0, failed: 0, lagMax: 90.25 }
        })
        assert.deepStrictEqual(yield* passes.unended(5), yield* passes.recent(5))
      })
    )

    it.effect("gives a pass its result, and lets nothing that was sent before change it", () =>
      Effect.gen(function* () {
        const passes = yield* emptied
        const id = randomUUID()
        yield* passes.progress(id, progress())
        const refused = { result: "refused", reason: "cannot_record", message: "why" } as const
        yield* passes.end(id, ended({ ...refused, outcomes: removed(4), lagMax: 4000 }))
        const [row] = yield* passes.recent(5)
        assert.deepInclude(row, { ...refused, due: 9, listed: 5, removed: 4, lagMax: 4000 })
        assert.isTrue(isRecent(row?.endedAt))
        yield* passes.progress(id, progress({ listed: 1 }))
        yield* passes.end(id, ended({ listed: 1 }))
        assert.deepStrictEqual(yield* passes.recent(5), row && [row])
        assert.deepStrictEqual(yield* passes.unended(5), [])
      })
    )

    it.effect("adds the row of a pass that ended before it had one", () =>
      Effect.gen(function* () {
        const passes = yield* emptied
        const outcomes = { ...tally.outcomes, removed: 1, already_absent: 2, conflict: 3, failed: 4 }
        yield* passes.end(randomUUID(), ended({ result: "partial", outcomes }))
        const [row] = yield* passes.recent(5)
        assert.deepInclude(row, { result: "partial", due: null, removed: 1, alreadyAbsent: 2, conflict: 3, failed: 4 })
        assert.strictEqual(row?.endedAt?.getTime(), row?.updatedAt.getTime())
      })
    )

    it.effect("lists the newest first, and no more than asked", () =>
      Effect.gen(function* () {
        const passes = yield* emptied
        const ids = [randomUUID(), randomUUID(), randomUUID()] as const
        for (const [index, id] of ids.entries()) yield* passes.end(id, ended({ listed: index, seconds: 100 - index }))
        yield* passes.progress(randomUUID(), progress({ seconds: 1000 }))
        assert.deepStrictEqual(
          (yield* passes.recent(2)).map(({ id }) => id),
          [ids[2], ids[1]]
        )
        assert.lengthOf(yield* passes.recent(5), 4)
        assert.lengthOf(yield* passes.unended(5), 1)
      })
    )

    it.effect("finds a pass by its id, and nothing by another one or by what is no id", () =>
      Effect.gen(function* () {
        const passes = yield* emptied
        const id = randomUUID()
        yield* passes.end(id, ended())
        assert.deepStrictEqual(yield* passes.find(id), (yield* passes.recent(1))[0])
        assert.strictEqual((yield* passes.find(id.toUpperCase()))?.id, id)
        for (const other of [randomUUID(), "", "latest", `${id}'`, `{${id}}`, `${id}\0`]) {
          assert.isUndefined(yield* passes.find(other), other)
        }
      })
    )

    it.effect("sums up the passes of each hour and gives their longest lag, also of hours without one", () =>
      Effect.gen(function* () {
        const passes = yield* emptied
        const { agePasses } = yield* StoreFixture
        const outcomes = { ...tally.outcomes, removed: 4, already_absent: 3, conflict: 2, failed: 1 }
        yield* passes.end(randomUUID(), ended({ outcomes, lagMax: 2.5, seconds: 86_400 }))
        yield* passes.progress(randomUUID(), progress({ outcomes: removed(5), lagMax: 86_400 }))
        yield* passes.end(randomUUID(), ended())
        yield* agePasses("3 hours")
        yield* passes.end(randomUUID(), ended({ outcomes: removed(7) }))
        const before = yield* passes.recent(1)
        const hours = yield* passes.hours(24)
        assert.lengthOf(hours, 24)
        for (const [i, { at }] of hours.entries()) {
          assert.strictEqual(at.getTime() % 3_600_000, 0)
          if (i > 0) assert.strictEqual(at.getTime() - (hours[i - 1]?.at.getTime() ?? 0), 3_600_000)
        }
        const of = (back: number) => {
          const at = Math.floor((before[0]?.updatedAt.getTime() ?? 0) / 3_600_000) - back
          return hours.find((hour) => hour.at.getTime() === at * 3_600_000)
        }
        assert.deepInclude(of(0), { passes: 1, removed: 7, alreadyAbsent: 0, conflict: 0, failed: 0, lagMax: null })
        assert.strictEqual(
          hours.reduce((sum, { passes }) => sum + passes, 0),
          4
        )
        assert.deepInclude(of(3), { passes: 3, removed: 9, alreadyAbsent: 3, conflict: 2, failed: 1, lagMax: 86_400 })
        assert.deepInclude(of(1), { passes: 0, removed: 0, alreadyAbsent: 0, conflict: 0, failed: 0, lagMax: null })
      })
    )

    it.effect("sums up no more hours than asked", () =>
      Effect.gen(function* () {
        const passes = yield* emptied
        yield* passes.end(randomUUID(), ended({ outcomes: removed(7) }))
        const sumOf = (hours: ReadonlyArray<{ readonly removed: number }>) =>
          hours.reduce((sum, { removed }) => sum + removed, 0)
        assert.strictEqual(sumOf(yield* passes.hours(2)), 7)
        yield* (yield* StoreFixture).agePasses("2 hours")
        assert.strictEqual(sumOf(yield* passes.hours(2)), 0)
        assert.lengthOf(yield* passes.hours(1), 1)
        assert.lengthOf(yield* passes.hours(2160), 2160)
      })
    )

    it.effect("deletes those that nobody has heard of for 90 days, when it writes another", () =>
      Effect.gen(function* () {
        const passes = yield* emptied
        const { agePasses } = yield* StoreFixture
        yield* passes.end(randomUUID(), ended())
        yield* passes.progress(randomUUID(), progress())
        yield* agePasses("2 days")
        const kept = randomUUID()
        yield* passes.end(kept, ended({ seconds: 86_400 * 200 }))
        yield* agePasses("89 days")
        const last = randomUUID()
        yield* passes.progress(last, progress())
        assert.deepStrictEqual(
          (yield* passes.recent(5)).map(({ id }) => id),
          [last, kept]
        )
      })
    )
  })
}
