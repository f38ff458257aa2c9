import { randomUUID } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { isDue } from "../../src/domain/Expiry.ts"
import type { RuntimeRecord } from "../../src/domain/RuntimeRecord.ts"
import { EngineId } from "../../src/ports/ContainerEngine.ts"
import { KnownEngine } from "../../src/ports/KnownEngine.ts"
import { type Cursor, type Page, RuntimeRecords } from "../../src/ports/RuntimeRecords.ts"
import type { StoreError } from "../../src/ports/StoreError.ts"
import { containerId, longAgo, micros, momentAt, stopped } from "../support/records.ts"
import { StoreFixture } from "./StoreFixture.ts"

const cutoff = longAgo
const at = micros(cutoff)
const moment = momentAt(cutoff)

const backedOffUntil = (nextAttemptAt: number, attempts = 1) => ({
  backoff: { attempts, nextAttemptAt, lastError: "container_running" }
})

/** Every page in turn, with what a test does between two of them. */
const readAll = Effect.fnUntraced(function* (
  list: (after: Cursor | undefined) => Effect.Effect<Page | undefined, StoreError>,
  between: Effect.Effect<void> = Effect.void
) {
  const games: Array<string> = []
  const undecodable: Array<string> = []
  let after: Cursor | undefined
  do {
    const page: Page | undefined = yield* list(after)
    assert(page !== undefined)
    games.push(...page.records.map((record) => record.gameId))
    undecodable.push(...page.undecodable)
    after = page.next
    yield* between
  } while (after !== undefined)
  return { games, undecodable }
})

const allDue = Effect.fnUntraced(function* (limit = 100) {
  const { listDue } = yield* RuntimeRecords
  return yield* readAll((after) => listDue({ moment, after, limit }))
})

const allStopped = Effect.fnUntraced(function* (limit = 100) {
  const { listStopped } = yield* RuntimeRecords
  return yield* readAll((after) => listStopped({ after, limit }))
})

const fill = Effect.fnUntraced(function* (...records: ReadonlyArray<RuntimeRecord>) {
  const { clear, put } = yield* StoreFixture
  yield* clear
  yield* Effect.forEach(records, put, { discard: true })
})

const nothing = {
  due: 0,
  backingOff: 0,
  leased: 0,
  held: 0,
  stuck: 0,
  stuckGames: [],
  oldestDueAge: 0,
  oldestLeasedAge: 0,
  noTime: 0,
  future: 0
}

const ages: ReadonlyArray<readonly [string, RuntimeRecord]> = [
  ["exactly at the cutoff", stopped("g", { lastOpAt: at })],
  ["one microsecond older", stopped("g", { lastOpAt: at - 1n })],
  ["one microsecond younger", stopped("g", { lastOpAt: at + 1n })],
  ["before 1970", stopped("g", { lastOpAt: -1n })],
  ["without a time", stopped("g", { lastOpAt: null })],
  ["backed off until this moment", stopped("g", { lastOpAt: at - 1n, ...backedOffUntil(moment.now) })],
  ["backed off until a millisecond later", stopped("g", { lastOpAt: at - 1n, ...backedOffUntil(moment.now + 1) })],
  ["held", stopped("g", { lastOpAt: at - 1n, hold: { author: "ann", reason: "why", until: null } })],
  ["running", stopped("g", { lastOpAt: at - 1n, status: "running" })],
  ["removed", stopped("g", { lastOpAt: at - 1n, status: "removed" })],
  ["of a status that we do not know", stopped("g", { lastOpAt: at - 1n, status: "hibernating" })]
]

/** What every `RuntimeRecords` must do. */
export const suite = <E>(name: string, layer: Layer.Layer<KnownEngine | RuntimeRecords | StoreFixture, E>): void => {
  it.layer(layer, { excludeTestServices: true })(name, (it) => {
    it.effect("tells its clock in whole milliseconds", () =>
      Effect.gen(function* () {
        const { clock } = yield* RuntimeRecords
        const before = Date.now()
        const now = yield* clock
        assert.isTrue(Number.isSafeInteger(now))
        assert.closeTo(now, before, 60_000)
      })
    )

    for (const [what, record] of ages) {
      const due = isDue(record, moment)
      it.effect(`${due ? "lists" : "does not list"} a record ${what}, as the re-check decides too`, () =>
        Effect.gen(function* () {
          yield* fill(record)
          assert.deepStrictEqual(yield* allDue(), { games: due ? ["g"] : [], undecodable: [] })
        })
      )
    }

    it.effect("gives each column of a record, and NULLs as they are", () =>
      Effect.gen(function* () {
        const full = stopped("full", { lastOpAt: at - 123_457n })
        const failing = stopped("failing", { lastOpAt: at - 5n, ...backedOffUntil(1_234_567_890_123, 7) })
        const bare = stopped("bare", { lastOpAt: at - 2n, containerId: null, imageRef: null })
        yield* fill(full, failing, bare)
        const { listDue } = yield* RuntimeRecords
        const page = yield* listDue({ moment, after: undefined, limit: 10 })
        assert.deepStrictEqual(page, { records: [full, failing, bare], undecodable: [], next: undefined })
      })
    )

    it.effect("goes oldest first, and by game where times are equal to the microsecond", () =>
      Effect.gen(function* () {
        yield* fill(
          stopped("d", { lastOpAt: at - 1n }),
          stopped("c", { lastOpAt: at - 2n }),
          stopped("b", { lastOpAt: at - 2n }),
          stopped("a", { lastOpAt: at - 3n })
        )
        for (const limit of [1, 2, 3, 4, 5]) {
          assert.deepStrictEqual((yield* allDue(limit)).games, ["a", "b", "c", "d"], `pages of ${limit}`)
        }
      })
    )

    it.effect("neither skips nor repeats a record while others come, change and vanish", () =>
      Effect.gen(function* () {
        const { put } = yield* StoreFixture
        const { listDue } = yield* RuntimeRecords
        const games = Array.from({ length: 12 }, (_, i) => `game-${String(i).padStart(2, "0")}`)
        yield* fill(...games.map((game, i) => stopped(game, { lastOpAt: at - 20n + BigInt(Math.floor(i / 3)) })))
        let step = 0
        const { games: seen } = yield* readAll(
          (after) => listDue({ moment, after, limit: 2 }),
          Effect.gen(function* () {
            // Those already listed move on, and a new one comes in before the cursor.
            yield* put(stopped(games[step] ?? "none", { status: "removed", lastOpAt: at + 5n }))
            yield* put(stopped(`early-${step++}`, { lastOpAt: at - 30n }))
          })
        )
        assert.deepStrictEqual(seen, games)
      })
    )

    it.effect("event 20: names rows that do not decode and moves past them", () =>
      Effect.gen(function* () {
        yield* fill(
          stopped("before", { lastOpAt: at - 3n }),
          stopped("", { lastOpAt: at - 2n }),
          stopped("behind", { lastOpAt: at - 1n })
        )
        const { games, undecodable } = yield* allDue(1)
        assert.deepStrictEqual(games, ["before", "behind"])
        assert.strictEqual(undecodable.length, 1)
        assert.notInclude(undecodable[0], "\n")
      })
    )

    it.effect("lists every stopped record, those without a time last, at any page size", () =>
      Effect.gen(function* () {
        yield* fill(
          stopped("untimed-2", { lastOpAt: null }),
          stopped("young", { lastOpAt: at + 1_000_000n }),
          stopped("running", { status: "running" }),
          stopped("untimed-1", { lastOpAt: null }),
          stopped("old", { lastOpAt: at - 1n })
        )
        for (const limit of [1, 2, 3, 4, 5]) {
          const { games } = yield* allStopped(limit)
          assert.deepStrictEqual(games, ["old", "young", "untimed-1", "untimed-2"], `pages of ${limit}`)
        }
      })
    )

    it.effect("lists nothing from a place with bytes that are no text", () =>
      Effect.gen(function* () {
        yield* fill(stopped("old"))
        const { listStopped } = yield* RuntimeRecords
        for (const lastOpAt of [at, null]) {
          for (const gameId of ["\0ff", "\u000000"]) {
            assert.isUndefined(yield* listStopped({ after: { lastOpAt, gameId }, limit: 1 }))
          }
        }
      })
    )

    it.effect("lists, counts and names as witnesses the games of its own engine alone", () =>
      Effect.gen(function* () {
        const { backlog, listDue, listStopped, witnesses } = yield* RuntimeRecords
        const { putEngine } = yield* StoreFixture
        yield* fill(
          stopped("ours", { lastOpAt: at - 1n }),
          ...["host-1", "host-2", "", "Default", "default "].flatMap((engine) => [
            stopped(`due on ${engine}`, { engine, lastOpAt: at - 2n }),
            stopped(`due too on ${engine}`, { engine, lastOpAt: at - 2n }),
            stopped(`young on ${engine}`, { engine, lastOpAt: at }),
            stopped(`untimed on ${engine}`, { engine, lastOpAt: null }),
            stopped(`live on ${engine}`, { engine, status: "running", lastOpAt: at })
          ])
        )
        yield* putEngine("host-1", EngineId.make("first/none"))
        for (const limit of [1, 2, 10]) {
          assert.deepStrictEqual((yield* readAll((after) => listDue({ moment, after, limit }))).games, ["ours"])
          assert.deepStrictEqual((yield* readAll((after) => listStopped({ after, limit }))).games, ["ours"])
        }
        assert.deepInclude(yield* backlog(moment), { due: 1, noTime: 0, future: 0 })
        assert.deepStrictEqual(yield* witnesses(moment), { others: [], due: [containerId("a")] })
      })
    )

    it.effect("event 44: counts and names the engines that no service has, with their stopped games", () =>
      Effect.gen(function* () {
        const { unknownEngines } = yield* RuntimeRecords
        const { putEngine } = yield* StoreFixture
        const on = (engine: string, games: number, changes: Partial<RuntimeRecord> = {}) =>
          Array.from({ length: games }, (_, i) => stopped(`${engine}-${i}`, { engine, ...changes }))
        yield* fill(
          ...on("default", 2),
          ...on("host-1", 4),
          ...on("host-2", 3),
          ...on("a-first", 1),
          ...on("host-10", 2, { lastOpAt: null }),
          ...on("zz-last", 2),
          ...on("Host", 1, { status: "removed" })
        )
        assert.lengthOf(yield* unknownEngines, 5)
        yield* putEngine("host-1", EngineId.make("first/none"))
        yield* putEngine("quiet", EngineId.make("second/none"))
        assert.deepStrictEqual(yield* unknownEngines, [
          { name: "host-2", stopped: 3 },
          { name: "host-10", stopped: 2 },
          { name: "zz-last", stopped: 2 },
          { name: "a-first", stopped: 1 }
        ])
        yield* fill(...on("default", 1))
        assert.deepStrictEqual(yield* unknownEngines, [])
      })
    )

    it.effect(
      "counts the engine's stopped games that ended between two times, exactly, whatever else they wait for",
      () =>
        Effect.gen(function* () {
          const { clear, put } = yield* StoreFixture
          yield* clear
          const { countStopped } = yield* RuntimeRecords
          const [from, until] = [longAgo, longAgo + 1000]
          const ended = (gameId: string, lastOpAt: bigint | null, changes: Partial<RuntimeRecord> = {}) =>
            put(stopped(gameId, { lastOpAt, ...changes }))
          assert.strictEqual(yield* countStopped({ from, until }), 0)
          yield* ended("before", micros(from) - 1n)
          yield* ended("first", micros(from))
          yield* ended("last", micros(until) - 1n)
          yield* ended("after", micros(until))
          yield* ended("untimed", null)
          yield* ended("running", micros(from), { status: "running" })
          yield* ended("elsewhere", micros(from), { engine: "host-1" })
          const backoff = { attempts: 3, nextAttemptAt: Date.now() + 3_600_000, lastError: "engine_error" }
          yield* ended("backs-off", micros(from), { backoff })
          assert.strictEqual(yield* countStopped({ from, until }), 3)
          assert.strictEqual(yield* countStopped({ from: until, until: from }), 0)
          assert.strictEqual(yield* countStopped({ from: until - 3650 * 86_400_000, until }), 4)
        })
    )

    it.effect("counts an empty backlog as nothing", () =>
      Effect.gen(function* () {
        yield* fill(stopped("running", { status: "running" }))
        const { backlog } = yield* RuntimeRecords
        assert.deepStrictEqual(yield* backlog(moment), nothing)
      })
    )

    it.effect("counts what is due, its age, and the stopped records that can never be due", () =>
      Effect.gen(function* () {
        const { backlog, clock } = yield* RuntimeRecords
        const now = yield* clock
        yield* fill(
          stopped("oldest", { lastOpAt: at - 2_500_000n }),
          stopped("old", { lastOpAt: at - 1n }),
          stopped("exact", { lastOpAt: at }),
          stopped("untimed", { lastOpAt: null }),
          stopped("future", { lastOpAt: micros(now + 3_600_000) }),
          stopped("future-running", { lastOpAt: micros(now + 3_600_000), status: "running" })
        )
        assert.deepStrictEqual(yield* backlog(moment), {
          ...nothing,
          due: 2,
          oldestDueAge: 2.5,
          noTime: 1,
          future: 1
        })
      })
    )

    it.effect("event 18: fills its pages with what may be tried, however many in front may not", () =>
      Effect.gen(function* () {
        const failing = Array.from({ length: 7 }, (_, i) =>
          stopped(`failing-${i}`, { lastOpAt: at - 100n, ...backedOffUntil(moment.now + 1) })
        )
        yield* fill(...failing, stopped("a", { lastOpAt: at - 3n }), stopped("b", { lastOpAt: at - 2n }))
        const { listDue } = yield* RuntimeRecords
        const page = yield* listDue({ moment, after: undefined, limit: 2 })
        assert.deepStrictEqual(
          page.records.map(({ gameId }) => gameId),
          ["a", "b"]
        )
      })
    )

    it.effect("event 18: counts the games that back off, those that are stuck, and names the stuck ones", () =>
      Effect.gen(function* () {
        yield* fill(
          stopped("ready", { lastOpAt: at - 1n, ...backedOffUntil(moment.now, 9) }),
          stopped("waits", { lastOpAt: at - 1n, ...backedOffUntil(moment.now + 1, 9) }),
          stopped("young", { lastOpAt: at, ...backedOffUntil(moment.now + 1, 50) }),
          stopped("running", { lastOpAt: at - 1n, status: "running", ...backedOffUntil(moment.now + 1, 50) }),
          ...Array.from({ length: 7 }, (_, i) =>
            stopped(`stuck-${i}`, {
              lastOpAt: at - 2_500_000n,
              ...backedOffUntil(moment.now + (i % 2), i === 3 ? 11 : 10)
            })
          )
        )
        const { backlog } = yield* RuntimeRecords
        assert.deepStrictEqual(yield* backlog(moment), {
          ...nothing,
          due: 5,
          backingOff: 1,
          stuck: 7,
          stuckGames: ["stuck-3", "stuck-0", "stuck-1", "stuck-2", "stuck-4"]
        })
      })
    )

    it.effect("counts a game's age from when it could first be tried, and those that are leased apart", () =>
      Effect.gen(function* () {
        yield* fill(
          stopped("again", { lastOpAt: at - 9_000_000n, ...backedOffUntil(moment.now - 1500) }),
          stopped("tried-young", { lastOpAt: at - 1_000_000n, ...backedOffUntil(moment.now - 8000) }),
          stopped("leased", { lastOpAt: at - 7_000_000n })
        )
        const { putLease } = yield* StoreFixture
        yield* putLease({ gameId: "leased", owner: randomUUID(), token: 1n }, false)
        const { backlog } = yield* RuntimeRecords
        assert.deepStrictEqual(yield* backlog(moment), {
          ...nothing,
          due: 3,
          leased: 1,
          oldestDueAge: 1.5,
          oldestLeasedAge: 7
        })
      })
    )

    it.effect(
      "event 28: names the containers of five games that run, and of the five that stopped last and are not due",
      () =>
        Effect.gen(function* () {
          const { witnesses } = yield* RuntimeRecords
          yield* fill()
          assert.deepStrictEqual(yield* witnesses(moment), { others: [], due: [] })
          const id = (name: string) => Buffer.from(name).toString("hex").padStart(64, "0")
          const record = (gameId: string, changes: Partial<RuntimeRecord>) =>
            stopped(gameId, { containerId: id(gameId), lastOpAt: at + 1_000_000n, ...changes })
          const now = micros(moment.now)
          yield* fill(
            ...Array.from({ length: 9 }, (_, i) => record(`live-${i}`, { status: "running" })),
            ...Array.from({ length: 9 }, (_, i) => record(`young-${i}`, { lastOpAt: at + BigInt(i) })),
            record("due", { lastOpAt: at - 1n }),
            record("due-too", { lastOpAt: at - 1n }),
            record("due-without", { lastOpAt: at - 1n, containerId: null }),
            record("future", { lastOpAt: now + 1n }),
            record("timeless", { lastOpAt: null }),
            record("without", { lastOpAt: now, containerId: null }),
            record("short", { lastOpAt: now, containerId: "abc" }),
            record("upper", { lastOpAt: now, containerId: "A".repeat(64) }),
            record("line", { lastOpAt: now, containerId: `${"a".repeat(64)}\n` }),
            record("removed", { status: "removed" }),
            record("odd", { status: "archived" }),
            record("live-without", { status: "running", containerId: null })
          )
          const named = (yield* witnesses(moment)).others.map((one) =>
            Buffer.from(one.replace(/^(00)+/, ""), "hex").toString()
          )
          assert.lengthOf(named, 10)
          assert.sameMembers<string>([...(yield* witnesses(moment)).due], [id("due"), id("due-too")])
          assert.isTrue(named.slice(0, 5).every((name) => name.startsWith("live-")))
          assert.deepStrictEqual(named.slice(5), ["young-8", "young-7", "young-6", "young-5", "young-4"])
        })
    )

    it.effect("event 28: takes a game that a person cleans by hand for one that is due, whatever its age", () =>
      Effect.gen(function* () {
        const { witnesses } = yield* RuntimeRecords
        const [young, other, due] = [containerId("a"), containerId("b"), containerId("c")]
        yield* fill(
          stopped("young", { containerId: young, lastOpAt: at + 2n }),
          stopped("other", { containerId: other, lastOpAt: at + 1n }),
          stopped("due", { containerId: due, lastOpAt: at - 1n })
        )
        assert.deepStrictEqual(yield* witnesses(moment), { others: [young, other], due: [due] })
        assert.deepStrictEqual(yield* witnesses(moment, "young"), { others: [other], due: [young, due] })
        assert.deepStrictEqual(yield* witnesses(moment, "due"), { others: [young, other], due: [due] })
        assert.deepStrictEqual(yield* witnesses(moment, "nobody"), { others: [young, other], due: [due] })
      })
    )

    it.effect("event 28: takes as witnesses only what was recorded since a person accepted the engine", () =>
      Effect.gen(function* () {
        const { clock, witnesses } = yield* RuntimeRecords
        const { accept, remember } = yield* KnownEngine
        const now = yield* clock
        const here = { now: now + 60_000, cutoff: now - 60_000 }
        yield* fill(
          stopped("before", { containerId: containerId("a"), lastOpAt: micros(now) - 1n }),
          stopped("live-before", { status: "running", containerId: containerId("b"), lastOpAt: micros(now) - 1n }),
          stopped("due-before", { containerId: containerId("e") }),
          stopped("since", { containerId: containerId("c"), lastOpAt: micros(now + 50_000) }),
          stopped("live-since", { status: "running", containerId: containerId("d"), lastOpAt: micros(now + 50_000) })
        )
        const named = Effect.map(witnesses(here), ({ due, others }) => [
          due.length,
          ...others.map((id) => id[0]).sort()
        ])
        yield* remember(EngineId.make("engine"))
        assert.deepStrictEqual(yield* named, [1, "a", "b", "c", "d"])
        yield* accept(EngineId.make("engine"))
        assert.deepStrictEqual(yield* named, [0, "c", "d"])
      })
    )

    it.effect("finds the records that it is asked for, of any status, time and engine, and no others", () =>
      Effect.gen(function* () {
        const found = [
          stopped("failing", backedOffUntil(1_234_567_890_123, 7)),
          stopped("live", { status: "running" }),
          stopped("elsewhere", { engine: "host-1" }),
          stopped("timeless", { lastOpAt: null, containerId: null }),
          stopped('it\'s "quoted"', { lastOpAt: at + 123_457n })
        ]
        yield* fill(...found, stopped("other"))
        const { find } = yield* RuntimeRecords
        const asked = [...found.map(({ gameId }) => gameId), "nowhere", "nul\0", "lone \ud800"]
        const { records, undecodable } = yield* find([...asked, "live"])
        assert.sameDeepMembers([...records], found)
        assert.deepStrictEqual(undecodable, [])
        assert.deepStrictEqual((yield* find([])).records, [])
      })
    )

    it.effect("names the record that it found and cannot use", () =>
      Effect.gen(function* () {
        yield* fill(stopped(""), stopped("sound"))
        const { find } = yield* RuntimeRecords
        const { records, undecodable } = yield* find(["", "sound"])
        assert.deepStrictEqual(
          records.map(({ gameId }) => gameId),
          ["sound"]
        )
        assert.lengthOf(undecodable, 1)
        assert.match(undecodable[0] ?? "", /^game .*: /)
      })
    )

    it.effect("counts the due games whose lease somebody has", () =>
      Effect.gen(function* () {
        yield* fill(
          ...["leased", "expired", "free"].map((gameId) => stopped(gameId, { lastOpAt: at })),
          stopped("young-leased", { lastOpAt: at + 1000n })
        )
        const { putLease } = yield* StoreFixture
        const owner = "0a0a0a0a-0000-4000-8000-000000000000"
        yield* putLease({ gameId: "leased", owner, token: 1n }, false)
        yield* putLease({ gameId: "young-leased", owner, token: 2n }, false)
        yield* putLease({ gameId: "expired", owner, token: 3n }, true)
        const { due, leased } = yield* (yield* RuntimeRecords).backlog(momentAt(cutoff + 1))
        assert.deepStrictEqual([due, leased], [3, 1])
      })
    )
  })
}
