import { randomUUID } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Schedule } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { TestClock } from "effect/testing"
import type { Backoff } from "../../../src/domain/Backoff.ts"
import { GameLeases, type Lease } from "../../../src/ports/GameLeases.ts"
import { StoreFixture } from "../../ports/StoreFixture.ts"
import type { Gate } from "../../support/Gate.ts"
import { otherProcess, untilOtherWaits } from "../../support/otherProcess.ts"
import { makePostgresProxy } from "../../support/PostgresProxy.ts"
import { freshSchema, layerStores, PostgresServer, postgresServer } from "../../support/postgres.ts"
import { auditRow, containerId, longAgo, micros, stopped } from "../../support/records.ts"

const schema = freshSchema()
const layer = Layer.provideMerge(layerStores({ schema }), postgresServer())

const backoff: Backoff = { attempts: 1, nextAttemptAt: longAgo + 60_001, lastError: "engine_error" }

/** The records of so many games, each with a container and times of its own, and with a backoff. */
const manyGames = (count: number) =>
  Array.from({ length: count }, (_, i) => {
    const record = stopped(`game-${String(i).padStart(2, "0")}`, {
      containerId: i.toString(16).padStart(64, "0"),
      imageRef: `games/chess:${i}`,
      lastOpAt: micros(longAgo - i),
      backoff: { ...backoff, attempts: i + 1 }
    })
    const row = auditRow({
      sourceRef: `pass ${i}`,
      // Not the record's own, so that neither can stand in for the other.
      containerId: i.toString(16).padStart(64, "c"),
      imageRef: `games/go:${i}`,
      message: `removed: "it's" number ${i}`,
      traceId: i.toString(16).padStart(32, "a"),
      startedAt: longAgo + i * 1001,
      finishedAt: longAgo + i * 1001 + 123
    })
    return { gameId: record.gameId, record, row }
  })
type Game = ReturnType<typeof manyGames>[number]

const givenMany = Effect.fnUntraced(function* (count: number) {
  const { clear, put } = yield* StoreFixture
  yield* clear
  const games = manyGames(count)
  yield* Effect.forEach(games, ({ record }) => put(record), { discard: true })
  return games
})

const atOnce = { concurrency: "unbounded" } as const

/** Each game with its lease. */
const holdAll = Effect.fnUntraced(function* (leases: GameLeases["Service"], games: ReadonlyArray<Game>) {
  const acquired = yield* Effect.forEach(games, ({ gameId }) => leases.acquire(gameId), atOnce)
  return games.map((game, i) => {
    const answer = acquired[i]
    assert(answer?._tag === "Leased")
    assert.deepStrictEqual(answer.record, game.record)
    return { ...game, lease: answer.lease }
  })
})

const commit = (leases: GameLeases["Service"], { lease, record, row }: Game & { readonly lease: Lease }) =>
  leases.commit(lease, record, row)

/** The record moved, its backoff is forgotten, its lease released, and its one row is exactly its own. */
const assertCommitted = Effect.fnUntraced(function* ({ gameId, lease, record, row }: Game & { readonly lease: Lease }) {
  const fixture = yield* StoreFixture
  const moved = { ...record, status: "removed", lastOpAt: micros(row.finishedAt), backoff: null }
  assert.deepStrictEqual(yield* fixture.record(gameId), moved)
  assert.isUndefined(yield* fixture.lease(gameId))
  assert.deepStrictEqual(yield* fixture.log(gameId), [
    { ...row, gameId, outcome: "success", leaseOwner: lease.owner, leaseToken: lease.token }
  ])
})

const assertUntouched = Effect.fnUntraced(function* ({ gameId, lease, record }: Game & { readonly lease: Lease }) {
  const fixture = yield* StoreFixture
  assert.deepStrictEqual(yield* fixture.record(gameId), record)
  assert.deepStrictEqual(yield* fixture.lease(gameId), lease)
  assert.deepStrictEqual(yield* fixture.log(gameId), [])
})

/** A word of each statement for many that is in no other. */
const manyCommitted = "json_to_recordset"
const leaseTaken = `insert into "${schema}".game_leases`
const recordMoved = `update "${schema}".runtime_records`
const recordRead = "any (array(select json_array_elements_text"

/** The leases of another process behind a proxy, and how many statements with this text it has sent. */
const counted = Effect.fnUntraced(function* (options?: { readonly gate: Gate }) {
  const sent: Array<string> = []
  const proxy = yield* makePostgresProxy((yield* PostgresServer).url, (passage) => {
    if (passage.side === "before") sent.push(passage.what)
    return options?.gate(passage) ?? "pass"
  })
  const count = (text: string) => sent.filter((statement) => statement.includes(text)).length
  return { leases: yield* otherProcess(schema, { url: proxy.url }), proxy, count }
})

/** Runs the work while time passes on this clock, a millisecond at a time. */
const passing = Effect.fnUntraced(function* <A, E>(clock: TestClock.TestClock, work: Effect.Effect<A, E>) {
  const fiber = yield* Effect.forkChild(work)
  const over = () => fiber.pollUnsafe() !== undefined
  yield* Effect.repeat(clock.adjust("1 millis"), { until: over, schedule: Schedule.spaced("1 millis") })
  return yield* Fiber.join(fiber)
})

/** Every write to the table that concerns this game is refused until the scope ends. */
const refuseWrites = Effect.fnUntraced(function* (table: string, event: "insert" | "update", gameId: string) {
  const sql = yield* SqlClient
  yield* sql`create function refuse() returns trigger language plpgsql as
    $$ begin if new.game_id = tg_argv[0] then raise exception 'refused'; end if; return new; end $$`
  yield* sql`create trigger refuse before ${sql.literal(event)} on ${sql(table)} for each row
    execute function refuse(${sql.literal(`'${gameId}'`)})`
  yield* Effect.addFinalizer(() => Effect.orDie(sql`drop function refuse cascade`))
})

it.layer(layer, { excludeTestServices: true })("games that share a statement", (it) => {
  it.effect(
    "commits many at once in few statements, each with exactly its own row, and its own backoff forgotten",
    () =>
      Effect.gen(function* () {
        const games = yield* givenMany(33)
        const { count, leases } = yield* counted()
        const held = yield* holdAll(leases, games)
        assert.isAtMost(count(leaseTaken), 3)
        assert.isAtMost(count(recordRead), 5)
        // The last one holds up nothing: it is not asked to commit.
        const [last, ...others] = held.toReversed()
        const results = yield* Effect.forEach(others, (game) => commit(leases, game), atOnce)
        assert.deepStrictEqual(new Set(results), new Set(["committed"]))
        assert.strictEqual(count(manyCommitted), 2)
        assert.strictEqual(count(recordMoved), 2)
        yield* Effect.forEach(others, assertCommitted, { discard: true })
        assert(last !== undefined)
        yield* assertUntouched(last)
      })
  )

  it.effect("waits with a commit for the other games that are under way, and not where there is no other", () =>
    Effect.gen(function* () {
      const games = yield* givenMany(3)
      const clock = yield* TestClock.make()
      const { count, leases } = yield* Effect.provideService(counted(), Clock.Clock, clock)
      const held = yield* passing(clock, holdAll(leases, games))
      const [first, second, last] = held
      assert(first !== undefined && second !== undefined && last !== undefined)

      const waiting = yield* Effect.forkChild(commit(leases, first))
      yield* (yield* SqlClient)`select 1`
      const results = yield* passing(clock, Effect.all([Fiber.join(waiting), commit(leases, second)], atOnce))
      assert.deepStrictEqual(results, ["committed", "committed"])
      assert.strictEqual(count(manyCommitted), 1)

      assert.strictEqual(yield* commit(leases, last), "committed")
      yield* Effect.forEach(held, assertCommitted, { discard: true })
    })
  )

  it.effect("commits records without a container, an image or a trace together with others", () =>
    Effect.gen(function* () {
      yield* givenMany(0)
      const { put } = yield* StoreFixture
      const games = manyGames(4).map((game, i) =>
        i % 2 === 0
          ? game
          : {
              ...game,
              record: { ...game.record, containerId: null, imageRef: null },
              row: { ...game.row, containerId: null, imageRef: null, traceId: null }
            }
      )
      yield* Effect.forEach(games, ({ record }) => put(record), { discard: true })
      const { count, leases } = yield* counted()
      const held = yield* holdAll(leases, games)
      const results = yield* Effect.forEach(held, (game) => commit(leases, game), atOnce)
      assert.deepStrictEqual(
        results,
        games.map(() => "committed")
      )
      assert.strictEqual(count(recordMoved), 1)
      yield* Effect.forEach(held, assertCommitted, { discard: true })
    })
  )

  it.effect("gives each of many that commit at once its own result: some are not as they were", () =>
    Effect.gen(function* () {
      const games = yield* givenMany(12)
      const sql = yield* SqlClient
      const fixture = yield* StoreFixture
      const leases = yield* GameLeases
      const held = yield* holdAll(leases, games)
      yield* sql`update runtime_records set status = 'running' where game_id = 'game-01'`
      yield* sql`update runtime_records set status = 'removed' where game_id = 'game-03'`
      yield* sql`update runtime_records set current_container_id = ${containerId("e")} where game_id = 'game-05'`
      yield* sql`update runtime_records set current_container_id = null where game_id = 'game-06'`
      const [another, older, again] = [7, 8, 11].map((i) => {
        assert(held[i] !== undefined)
        return held[i].lease
      })
      assert(another !== undefined && older !== undefined && again !== undefined)
      const others = new Map([
        ["game-07", { ...another, owner: randomUUID(), token: another.token + 1n }],
        ["game-08", { ...older, token: older.token - 1n }],
        ["game-11", { ...again, acquiredAt: again.acquiredAt + 1n }]
      ])
      yield* Effect.forEach(others.values(), (lease) => fixture.putLease(lease, false))
      yield* sql`delete from runtime_records where game_id = 'game-09'`
      yield* sql`delete from game_leases where game_id = 'game-10'`
      const before = yield* Effect.forEach(games, ({ gameId }) => fixture.record(gameId))

      const results = yield* Effect.forEach(held, (game) => commit(leases, game), atOnce)
      const ends = { 1: "record_moved", 3: "already_removed", 5: "record_moved", 6: "record_moved" }
      const lost = { 7: "record_moved", 8: "record_moved", 9: "record_moved", 10: "record_moved", 11: "record_moved" }
      const expected = Object.assign(
        games.map(() => "committed"),
        ends,
        lost
      )
      assert.deepStrictEqual<ReadonlyArray<string>>(results, expected)
      for (const [i, game] of held.entries()) {
        if (expected[i] === "committed") {
          yield* assertCommitted(game)
          continue
        }
        assert.deepStrictEqual(yield* fixture.record(game.gameId), before[i])
        assert.deepStrictEqual(yield* fixture.log(game.gameId), [])
        assert.deepStrictEqual(yield* fixture.lease(game.gameId), others.get(game.gameId))
      }
    })
  )

  it.effect("lets the newer lease of a game commit, not the older one in the same statement", () =>
    Effect.gen(function* () {
      const [game, another] = yield* givenMany(2)
      assert(game !== undefined && another !== undefined)
      const leases = yield* GameLeases
      const [old] = yield* holdAll(leases, [game])
      yield* (yield* StoreFixture).expireLeases
      const [current, other] = yield* holdAll(leases, [game, another])
      assert(old !== undefined && current !== undefined && other !== undefined)
      const stale = { ...old, row: { ...old.row, message: "stale" } }
      const results = yield* Effect.forEach([stale, current, other], (game) => commit(leases, game), atOnce)
      assert.deepStrictEqual(results, ["already_removed", "committed", "committed"])
      yield* Effect.forEach([current, other], assertCommitted)
    })
  )

  it.effect.each(["runtime_records", "game_leases"])(
    "commits the others at once while one's row in %s is locked, and that one after the lock is gone",
    (table) =>
      Effect.gen(function* () {
        const games = yield* givenMany(6)
        const sql = yield* SqlClient
        const leases = yield* otherProcess(schema, { timeout: "1 minute" })
        const held = yield* holdAll(leases, games)
        const [locked] = held
        assert(locked !== undefined)
        const waiting = yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`select from ${sql(table)} where game_id = ${locked.gameId} for update`
            const fibers = yield* Effect.forEach(held, (game) => Effect.forkChild(commit(leases, game)))
            yield* untilOtherWaits
            assert.deepStrictEqual(
              fibers.map((fiber) => fiber.pollUnsafe() !== undefined),
              held.map((game) => game !== locked)
            )
            return fibers
          })
        )
        const results = yield* Effect.forEach(waiting, (fiber) => Fiber.join(fiber))
        assert.deepStrictEqual(
          results,
          games.map(() => "committed")
        )
        yield* Effect.forEach(held, assertCommitted, { discard: true })
      })
  )

  it.effect("sees what became of a locked record that it passed over at first", () =>
    Effect.gen(function* () {
      const games = yield* givenMany(3)
      const sql = yield* SqlClient
      const leases = yield* otherProcess(schema)
      const held = yield* holdAll(leases, games)
      const committing = yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`update runtime_records set status = 'running' where game_id = 'game-01'`
          const fibers = yield* Effect.forEach(held, (game) => Effect.forkChild(commit(leases, game)))
          yield* untilOtherWaits
          return fibers
        })
      )
      const results = yield* Effect.forEach(committing, (fiber) => Fiber.join(fiber))
      assert.deepStrictEqual(results, ["committed", "record_moved", "committed"])
      assert.deepStrictEqual(yield* (yield* StoreFixture).log("game-01"), [])
    })
  )

  it.effect("commits the others where one of them is refused, and that one fails, having changed nothing", () =>
    Effect.gen(function* () {
      const games = yield* givenMany(5)
      const leases = yield* GameLeases
      const held = yield* holdAll(leases, games)
      yield* refuseWrites("runtime_records", "update", "game-02")
      const results = yield* Effect.forEach(held, (game) => Effect.result(commit(leases, game)), atOnce)
      for (const [i, game] of held.entries()) {
        const result = results[i]
        if (i === 2) {
          assert.isTrue(result?._tag === "Failure" && result.failure.message.includes("refused"))
          yield* assertUntouched(game)
        } else {
          assert.isTrue(result?._tag === "Success" && result.success === "committed")
          yield* assertCommitted(game)
        }
      }
    })
  )

  it.effect.each(["before", "after"] as const)(
    "event 3: commits every game once where the connection of a shared commit is cut %s it is carried out",
    (side) =>
      Effect.gen(function* () {
        const games = yield* givenMany(8)
        let cuts = 0
        const { leases } = yield* counted({
          gate: (passage) =>
            passage.side === side && passage.what.includes(manyCommitted) && cuts++ < 1 ? "cut" : "pass"
        })
        const held = yield* holdAll(leases, games)
        const results = yield* Effect.forEach(held, (game) => commit(leases, game), atOnce)
        assert.deepStrictEqual(
          results,
          games.map(() => "committed")
        )
        assert.strictEqual(cuts, 1)
        yield* Effect.forEach(held, assertCommitted, { discard: true })
      })
  )

  it.effect("event 7: lets two processes take and commit the same 40 games in opposite orders, each game once", () =>
    Effect.gen(function* () {
      const games = yield* givenMany(40)
      const both = [yield* counted(), yield* counted()]
      const clean = (leases: GameLeases["Service"], game: Game) =>
        Effect.gen(function* () {
          const acquired = yield* leases.acquire(game.gameId)
          if (acquired._tag !== "Leased") return acquired._tag
          return yield* commit(leases, { ...game, lease: acquired.lease })
        })
      const ends = yield* Effect.forEach(
        both.flatMap(({ leases }, i) => (i === 0 ? games : games.toReversed()).map((game) => ({ leases, game }))),
        ({ leases, game }) => clean(leases, game),
        atOnce
      )
      assert.strictEqual(ends.filter((end) => end === "committed").length, 40)
      assert.isEmpty(ends.filter((end) => end === "record_moved" || end === "Undecodable"))
      // A deadlock would have refused a shared statement, and its games would have gone one by one.
      for (const { count } of both) assert.strictEqual(count(leaseTaken), 3)
      const fixture = yield* StoreFixture
      for (const { gameId } of games) {
        assert.strictEqual((yield* fixture.log(gameId)).length, 1)
        assert.strictEqual((yield* fixture.record(gameId))?.status, "removed")
        assert.isUndefined(yield* fixture.lease(gameId))
      }
    })
  )

  it.effect("gives each of many that ask at once its own answer: free, held, left by another or by us, or broken", () =>
    Effect.gen(function* () {
      const games = yield* givenMany(8)
      const sql = yield* SqlClient
      const { lease, put, putLease } = yield* StoreFixture
      const { count, leases } = yield* counted()
      const [first] = yield* holdAll(leases, games.slice(0, 1))
      const ours = first?.lease.owner ?? ""
      const other = { owner: randomUUID(), token: 1n }
      yield* putLease({ gameId: "game-01", ...other }, false)
      yield* putLease({ gameId: "game-02", ...other }, true)
      yield* putLease({ gameId: "game-03", ...other, owner: ours }, true)
      yield* sql`delete from runtime_records where game_id = 'game-04'`
      yield* put(stopped(""))
      const sent = count(leaseTaken)

      const asked = [...games.map(({ gameId }) => gameId), ""]
      const answers = yield* Effect.forEach(asked, (gameId) => leases.acquire(gameId), atOnce)
      assert.strictEqual(count(leaseTaken), sent + 1)
      assert.deepStrictEqual(
        answers.map((answer) => (answer._tag === "Leased" ? (answer.leftBy ?? "Leased") : answer._tag)),
        ["Busy", "Busy", "another", "us", "Leased", "Leased", "Leased", "Leased", "Undecodable"]
      )
      for (const [i, answer] of answers.entries()) {
        if (answer._tag !== "Leased") continue
        assert.deepStrictEqual(yield* lease(asked[i] ?? ""), answer.lease)
        assert.deepStrictEqual(answer.record, i === 4 ? undefined : games[i]?.record)
      }
      assert.isUndefined(yield* lease(""))
    })
  )

  it.effect(
    "takes many in the order of their ids, whatever order they come in: two that wait never wait for each other",
    () =>
      Effect.gen(function* () {
        const games = yield* givenMany(3)
        const sql = yield* SqlClient
        const { putLease } = yield* StoreFixture
        const leases = yield* otherProcess(schema)
        const owner = randomUUID()
        yield* Effect.forEach(games, ({ gameId }) => putLease({ gameId, owner, token: 1n }, true))
        const acquiring = yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`select from game_leases where game_id = 'game-01' for update`
            const all = Effect.forEach(games.toReversed(), ({ gameId }) => leases.acquire(gameId), atOnce)
            const fiber = yield* Effect.forkChild(all)
            yield* untilOtherWaits
            const free = yield* sql<{ game_id: string }>`
            select game_id from game_leases where game_id <> 'game-01' for update skip locked`
            assert.deepStrictEqual(
              free.map(({ game_id }) => game_id),
              ["game-02"]
            )
            return fiber
          })
        )
        const seen = (yield* Fiber.join(acquiring)).map((answer) => answer._tag === "Leased" && answer.leftBy)
        assert.deepStrictEqual(seen, ["another", "another", "another"])
      })
  )

  it.effect("gives a game that is asked for twice in one moment once, and each of the others", () =>
    Effect.gen(function* () {
      const games = yield* givenMany(4)
      const leases = yield* GameLeases
      const asked = ["game-00", "game-01", "game-02", "game-01", "game-03"]
      const answers = yield* Effect.forEach(asked, (gameId) => leases.acquire(gameId), atOnce)
      const held = answers.filter((answer) => answer._tag === "Leased").map(({ lease }) => lease.gameId)
      assert.deepStrictEqual(
        held.toSorted(),
        games.map(({ gameId }) => gameId)
      )
      assert.strictEqual(answers.filter((answer) => answer._tag === "Busy").length, 1)
    })
  )

  it.effect("takes the others one by one where the statement for many is refused for one of them", () =>
    Effect.gen(function* () {
      const games = yield* givenMany(4)
      const { count, leases } = yield* counted()
      yield* refuseWrites("game_leases", "insert", "game-02")
      const answers = yield* Effect.forEach(games, ({ gameId }) => Effect.result(leases.acquire(gameId)), atOnce)
      const tags = answers.map((answer) => (answer._tag === "Success" ? answer.success._tag : answer.failure.operation))
      assert.deepStrictEqual(tags, ["Leased", "Leased", "acquire", "Leased"])
      assert.strictEqual(count(leaseTaken), 5)
      assert.isUndefined(yield* (yield* StoreFixture).lease("game-02"))
    })
  )

  it.effect("does not repeat a shared acquisition whose answer is lost: its games stay leased until they expire", () =>
    Effect.gen(function* () {
      const games = yield* givenMany(3)
      const { leases, proxy } = yield* counted()
      proxy.loseAnswerTo = leaseTaken
      const all = Effect.forEach(games, ({ gameId }) => Effect.result(leases.acquire(gameId)), atOnce)
      for (const answer of yield* all)
        assert.isTrue(answer._tag === "Failure" && answer.failure.operation === "acquire")
      for (const answer of yield* all) assert.isTrue(answer._tag === "Success" && answer.success._tag === "Busy")
      yield* (yield* StoreFixture).expireLeases
      for (const answer of yield* all) {
        assert.isTrue(answer._tag === "Success" && answer.success._tag === "Leased" && answer.success.leftBy === "us")
      }
    })
  )

  it.effect("reads the records of many again where the first answer is lost", () =>
    Effect.gen(function* () {
      const games = yield* givenMany(3)
      const { leases, proxy } = yield* counted()
      proxy.loseAnswerTo = recordRead
      yield* holdAll(leases, games)
      assert.strictEqual(proxy.lost, 1)
    })
  )

  it.effect("commits what was asked for although the caller is interrupted meanwhile, or changes nothing", () =>
    Effect.gen(function* () {
      const games = yield* givenMany(3)
      const leases = yield* otherProcess(schema)
      const held = yield* holdAll(leases, games)
      const fibers = yield* Effect.forEach(held, (game) => Effect.forkChild(commit(leases, game)))
      const [left, ...others] = fibers
      assert(left !== undefined)
      yield* Fiber.interrupt(left)
      assert.deepStrictEqual(yield* Effect.forEach(others, (fiber) => Fiber.join(fiber)), ["committed", "committed"])
      for (const [i, game] of held.entries()) yield* i === 0 ? assertUntouched(game) : assertCommitted(game)
    })
  )
})
