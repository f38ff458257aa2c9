import { randomUUID } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Duration, Effect, type Layer } from "effect"
import { Author } from "../../src/domain/Act.ts"
import { isContainerId } from "../../src/domain/ContainerId.ts"
import { GameLeases } from "../../src/ports/GameLeases.ts"
import { type HoldEnd, Holds } from "../../src/ports/Holds.ts"
import { RuntimeRecords } from "../../src/ports/RuntimeRecords.ts"
import type { StoreError } from "../../src/ports/StoreError.ts"
import { auditRow, longAgo, micros, momentAt, stopped } from "../support/records.ts"
import { StoreFixture } from "./StoreFixture.ts"

const [ann, bob, cat] = (["ann", "bob", "cat"] as const).map((name) => Author.make(name)) as [Author, Author, Author]

const day = Duration.days(1)

const place = (gameId: string, author: Author, end: HoldEnd = null, reason = `${author} looks at it`) =>
  Effect.flatMap(Holds, (holds) => holds.place({ gameId, author, reason, end }))

/** Who holds each game, as the list has it. */
const listed = Effect.flatMap(Holds, ({ list }) =>
  Effect.map(list({ after: undefined, limit: 100 }), (holds) =>
    holds.map(({ author, gameId }) => `${gameId} ${author}`)
  )
)

const forgetAll = Effect.flatMap(StoreFixture, ({ clear }) => clear)

/** How far this is from now plus the duration, by the store's clock. */
const offBy = Effect.fnUntraced(function* (at: Date | null | undefined, duration: Duration.Duration) {
  const now = yield* (yield* RuntimeRecords).clock
  return Math.abs((at?.getTime() ?? 0) - now - Duration.toMillis(duration))
})

const close = 10_000

/** The hold that the record of the game comes with, under the lease and in both listings. */
const seenOn = Effect.fnUntraced(function* (gameId: string) {
  const { acquire, settle } = yield* GameLeases
  const { listDue, listStopped } = yield* RuntimeRecords
  const acquired = yield* acquire(gameId)
  assert(acquired._tag === "Leased")
  yield* settle(acquired.lease, { failure: undefined, backoff: undefined, keep: false })
  const page = { after: undefined, limit: 100 }
  const [shown] = (yield* listStopped(page))?.records ?? []
  assert.deepStrictEqual(shown?.hold, acquired.record?.hold)
  const due = (yield* listDue({ moment: momentAt(longAgo), ...page })).records.length === 1
  assert.strictEqual(due, acquired.record?.hold === null)
  return acquired.record?.hold
})

/** What every `Holds` must do, and what the other stores make of holds. */
export const suite = <E>(
  name: string,
  layer: Layer.Layer<Holds | GameLeases | RuntimeRecords | StoreFixture, E>
): void => {
  it.layer(layer, { excludeTestServices: true })(name, (it) => {
    const test = (name: string, body: () => Effect.Effect<void, StoreError, Layer.Success<typeof layer>>) =>
      it.effect(name, () => Effect.andThen(forgetAll, body()))

    test("places a hold on a game that has no record, and shows it", () =>
      Effect.gen(function* () {
        const { count, of } = yield* Holds
        assert.deepStrictEqual(yield* of("game"), [])
        const placed = yield* place("game", ann, null, "the players complain: 'über-lag'")
        assert.deepInclude(placed, {
          gameId: "game",
          author: ann,
          reason: "the players complain: 'über-lag'",
          until: null
        })
        assert.isBelow(yield* offBy(placed?.placedAt, Duration.zero), close)
        assert.deepStrictEqual(yield* of("game"), placed && [placed])
        assert.deepStrictEqual(yield* of("gam"), [])
        assert.strictEqual(yield* count, 1)
      }))

    test("gives each game and author one hold, whose reason and end the next one replaces", () =>
      Effect.gen(function* () {
        const { of } = yield* Holds
        yield* place("game", ann)
        yield* place("game", bob)
        const until = new Date(Date.now() + 3_600_000)
        yield* place("game", ann, until, "again")
        assert.deepStrictEqual(
          (yield* of("game")).map(({ author, reason, until }) => [author, reason, until]),
          [
            [ann, "again", until],
            [bob, "bob looks at it", null]
          ]
        )
      }))

    test("counts an end from now by the store's clock", () =>
      Effect.gen(function* () {
        const placed = yield* place("game", ann, day)
        assert.strictEqual((placed?.until?.getTime() ?? 0) - (placed?.placedAt.getTime() ?? 0), Duration.toMillis(day))
        assert.isBelow(yield* offBy(placed?.until, day), close)
      }))

    test("places no hold whose end is over, and leaves the one that is there", () =>
      Effect.gen(function* () {
        const { of } = yield* Holds
        for (const end of [new Date(longAgo), Duration.zero]) assert.isUndefined(yield* place("other", ann, end))
        const placed = yield* place("game", ann)
        assert.isUndefined(yield* place("game", ann, new Date(longAgo)))
        assert.deepStrictEqual(yield* of("game"), placed && [placed])
        assert.deepStrictEqual(yield* of("other"), [])
      }))

    test("lets the author's own hold end after the grace, and no other's", () =>
      Effect.gen(function* () {
        const { of, release } = yield* Holds
        yield* place("game", ann)
        const kept = yield* place("game", bob)
        yield* place("other", ann)
        const [released, ...more] = yield* release("game", { author: ann, grace: day })
        assert.deepStrictEqual(more, [])
        assert.deepInclude(released, { gameId: "game", author: ann, reason: "ann looks at it" })
        assert.isBelow(yield* offBy(released?.until, day), close)
        assert.deepStrictEqual(yield* of("game"), released && kept && [released, kept])
        assert.isNull((yield* of("other"))[0]?.until)
      }))

    test("does not let a hold last longer for its release", () =>
      Effect.gen(function* () {
        const { release } = yield* Holds
        const placed = yield* place("game", ann, Duration.hours(1))
        assert.deepStrictEqual(yield* release("game", { author: ann, grace: day }), placed && [placed])
      }))

    test("ends everybody's holds at once, and finds none afterwards", () =>
      Effect.gen(function* () {
        const { count, of, release } = yield* Holds
        yield* place("game", bob)
        yield* place("game", ann, day)
        const all = { author: undefined, grace: Duration.zero }
        assert.deepStrictEqual(
          (yield* release("game", all)).map(({ author }) => author),
          [ann, bob]
        )
        assert.deepStrictEqual([yield* of("game"), yield* count, yield* listed], [[], 0, []])
        assert.deepStrictEqual(yield* release("game", all), [])
      }))

    test("ends only holds that were seen, and none if another one would have to end", () =>
      Effect.gen(function* () {
        const { of, release } = yield* Holds
        const seen = [yield* place("game", ann), yield* place("game", bob)].flatMap((hold) => hold ?? [])
        const all = { author: undefined, grace: Duration.zero }
        const cat = yield* place("game", Author.make("cat"))
        assert.deepStrictEqual(yield* release("game", { ...all, seen }), [])
        const [anns, bobs] = seen
        assert.deepStrictEqual(yield* of("game"), anns && bobs && cat && [anns, bobs, cat])
        for (const other of [
          [],
          seen.slice(1),
          seen.map((hold) => ({ ...hold, placedAt: new Date(hold.placedAt.getTime() - 1) })),
          seen.map((hold) => ({ ...hold, placedAt: new Date(Number.NaN) }))
        ]) {
          assert.deepStrictEqual(yield* release("game", { ...all, author: ann, seen: other }), [])
        }
        assert.lengthOf(yield* release("game", { ...all, author: ann, seen }), 1)
        assert.lengthOf(yield* release("game", { ...all, seen: [...seen, ...(cat === undefined ? [] : [cat])] }), 2)
        assert.deepStrictEqual(yield* of("game"), [])
      }))

    test("takes one author's hold back, and no other", () =>
      Effect.gen(function* () {
        const { withdraw } = yield* Holds
        const placed = yield* place("game", ann)
        yield* place("game", bob)
        yield* place("other", ann)
        assert(placed !== undefined)
        yield* withdraw(placed, undefined)
        assert.deepStrictEqual(yield* listed, ["game bob", "other ann"])
      }))

    test("puts the author's former hold back, and leaves one that was placed since", () =>
      Effect.gen(function* () {
        const { of, withdraw } = yield* Holds
        const former = yield* place("game", ann)
        yield* Effect.sleep("2 millis")
        const placed = yield* place("game", ann, day)
        assert(former !== undefined && placed !== undefined)
        yield* withdraw(placed, former)
        assert.deepStrictEqual(yield* of("game"), [former])
        yield* withdraw(placed, undefined)
        assert.deepStrictEqual(yield* of("game"), [former])
      }))

    test("lists what is held by game and author, page by page", () =>
      Effect.gen(function* () {
        const { count, list, release } = yield* Holds
        for (const author of [cat, ann, bob]) for (const game of ["b", "a", "c"]) yield* place(game, author, day)
        yield* release("b", { author: bob, grace: Duration.zero })
        const all = ["a ann", "a bob", "a cat", "b ann", "b cat", "c ann", "c bob", "c cat"]
        assert.deepStrictEqual(yield* listed, all)
        assert.strictEqual(yield* count, all.length)
        for (const limit of [1, 2, 3]) {
          const seen: Array<string> = []
          let page = yield* list({ after: undefined, limit })
          while (page.length > 0) {
            assert.isAtMost(page.length, limit)
            seen.push(...page.map(({ author, gameId }) => `${gameId} ${author}`))
            page = yield* list({ after: page.at(-1), limit })
          }
          assert.deepStrictEqual(seen, all, `pages of ${limit}`)
        }
      }))

    test("names the last logged removal of a game's container", () =>
      Effect.gen(function* () {
        const { removedBy } = yield* Holds
        const { acquire, commit, settle } = yield* GameLeases
        const { put } = yield* StoreFixture
        assert.isUndefined(yield* removedBy("game"))
        for (const [i, digit] of ["a", "b"].entries()) {
          const record = stopped("game", { containerId: digit.repeat(64) })
          yield* put(record)
          const acquired = yield* acquire("game")
          assert(acquired._tag === "Leased")
          assert(isContainerId(record.containerId))
          const row = auditRow({ containerId: record.containerId, finishedAt: longAgo + 1000 * i })
          assert.strictEqual(yield* commit(acquired.lease, record, row), "committed")
        }
        yield* put(stopped("game"))
        const acquired = yield* acquire("game")
        assert(acquired._tag === "Leased")
        const failure = auditRow({ errorCode: "engine_error", traceId: null })
        yield* settle(acquired.lease, { failure, backoff: undefined, keep: false })
        const removal = yield* removedBy("game")
        assert.strictEqual(typeof removal?.id, "bigint")
        assert.deepInclude(removal, {
          opSource: "auto_ttl",
          containerId: "b".repeat(64),
          finishedAt: new Date(longAgo + 1000),
          traceId: auditRow().traceId
        })
        assert.isUndefined(yield* removedBy("other"))
      }))

    test("gives a record its hold that ends last, under the lease and in the listings, where it is not due", () =>
      Effect.gen(function* () {
        const { release } = yield* Holds
        yield* (yield* StoreFixture).put(stopped("game", { lastOpAt: micros(longAgo - 1) }))
        assert.isNull(yield* seenOn("game"))
        const hour = yield* place("game", cat, Duration.hours(1))
        assert.deepInclude(yield* seenOn("game"), { author: cat, reason: "cat looks at it" })
        assert.closeTo((yield* seenOn("game"))?.until?.getTime() ?? 0, hour?.until?.getTime() ?? 0, 1)
        const until = new Date(Math.floor(Date.now() / 1000) * 1000 + 86_400_000)
        yield* place("game", bob, until)
        yield* place("game", ann, until)
        assert.deepStrictEqual(yield* seenOn("game"), { author: ann, reason: "ann looks at it", until })
        yield* place("game", cat)
        assert.deepStrictEqual(yield* seenOn("game"), { author: cat, reason: "cat looks at it", until: null })
        yield* place("game", bob)
        assert.deepStrictEqual(yield* seenOn("game"), { author: bob, reason: "bob looks at it", until: null })
        yield* release("game", { author: bob, grace: Duration.zero })
        yield* release("game", { author: cat, grace: Duration.zero })
        assert.deepStrictEqual((yield* seenOn("game"))?.author, ann)
        yield* release("game", { author: undefined, grace: Duration.zero })
        assert.isNull(yield* seenOn("game"))
      }))

    test("counts held games apart: they are neither due nor backing off, and wait from the end of their last hold", () =>
      Effect.gen(function* () {
        const { put, putLease } = yield* StoreFixture
        const { backlog, clock } = yield* RuntimeRecords
        const { release } = yield* Holds
        const now = yield* clock
        const moment = { now, cutoff: now - 86_400_000 }
        const failing = { attempts: 12, nextAttemptAt: now + 3_600_000, lastError: "engine_error" }
        const expired = { lastOpAt: micros(moment.cutoff - 5000) }
        yield* put(stopped("free", expired))
        yield* put(stopped("held", expired))
        yield* put(stopped("held-waits", { ...expired, backoff: { ...failing, attempts: 1 } }))
        yield* put(stopped("held-stuck", { ...expired, backoff: failing }))
        yield* put(stopped("held-young", { lastOpAt: micros(now - 1000) }))
        yield* put(stopped("held-running", { ...expired, status: "running" }))
        yield* put(stopped("held-elsewhere", { ...expired, engine: "host-1" }))
        for (const game of ["held", "waits", "stuck", "young", "running", "elsewhere", "gone"]) {
          yield* place(game === "held" ? game : `held-${game}`, ann)
        }
        yield* place("held", bob)
        yield* putLease({ gameId: "held", owner: randomUUID(), token: 1n }, false)
        const counted = yield* backlog(moment)
        assert.deepInclude(counted, { due: 1, leased: 0, held: 3, backingOff: 0, stuck: 1, oldestDueAge: 5 })
        yield* place("free", ann)
        assert.deepInclude(yield* backlog(moment), { due: 0, held: 4, oldestDueAge: 0 })
        yield* release("free", { author: undefined, grace: Duration.zero })
        const later = (yield* clock) + 1000
        const { due, oldestDueAge } = yield* backlog({ now: later, cutoff: later - 86_400_000 })
        assert.strictEqual(due, 1)
        assert.isBelow(oldestDueAge, 4.5)
      }))
  })
}
