import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { isDue } from "../../../src/domain/Expiry.ts"
import { type Cursor, type Page, RuntimeRecords } from "../../../src/ports/RuntimeRecords.ts"
import { StoreFixture } from "../../ports/StoreFixture.ts"
import { layerStores, postgresServer } from "../../support/postgres.ts"
import { longAgo, micros, momentAt, stopped } from "../../support/records.ts"

const server = postgresServer()

/** One connection, so that what a test sets holds for the statements that follow. */
const layer = Layer.provide(layerStores({ pool: 1 }), server)

/** Times as PostgreSQL writes them, in the order of `listStopped`: what has no time comes last. */
const oddTimes: ReadonlyArray<readonly [string, string | null]> = [
  ["bc", "4713-01-01 00:00:00+00 BC"],
  ["old", "1999-12-31 23:59:59.999999+00"],
  ["year-5000-a", "5000-01-01 00:00:00.000001+00"],
  ["year-5000-b", "5000-01-01 00:00:00.000002+00"],
  ["last-a", "294276-12-31 23:59:59.999998+00"],
  ["last-b", "294276-12-31 23:59:59.999999+00"],
  ["minus-infinity", "-infinity"],
  ["null", null],
  ["plus-infinity", "infinity"]
]

const putOddTimes = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* (yield* StoreFixture).clear
  yield* Effect.forEach(
    oddTimes,
    ([game, time]) =>
      sql`insert into runtime_records (game_id, status, last_op_at) values (${game}, 'stopped', ${time}::text::timestamptz)`,
    { discard: true }
  )
})

it.layer(layer, { excludeTestServices: true })("RuntimeRecords in PostgreSQL", (it) => {
  it.effect.each([
    ["statement_timeout", "0"],
    ["lock_timeout", "'1min'"],
    ["idle_in_transaction_session_timeout", "0"],
    ["default_transaction_isolation", "serializable"],
    ["timezone", "'Asia/Kathmandu'"]
  ])("event 27: has no clock for a pass whose session has %s set to %s", ([name = "", value = ""]) =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { clock } = yield* RuntimeRecords
      yield* clock
      yield* Effect.acquireRelease(sql.unsafe(`set ${name} = ${value}`), () =>
        Effect.orDie(sql.unsafe(`reset ${name}`))
      )
      const error = yield* Effect.flip(clock)
      assert.strictEqual(error.reason._tag, "UnsafeSession")
      assert.include(error.message.toLowerCase(), `set ${name} = `)
    })
  )

  it.effect("event 41: warns once of settings that only cost time, and works on", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { clock } = yield* RuntimeRecords
      const warnings: Array<string> = []
      const logger = Logger.make<unknown, void>(({ message }) => void warnings.push(String(message)))
      yield* Effect.acquireRelease(sql`set jit = on`, () => Effect.orDie(sql`reset jit`))
      yield* Effect.provide(Effect.andThen(clock, clock), Logger.layer([logger]))
      assert.deepStrictEqual(warnings, ["database.session_slow"])
    })
  )

  it.effect("lists any time that a timestamp can hold once, at any page size", () =>
    Effect.gen(function* () {
      yield* putOddTimes
      const { listStopped } = yield* RuntimeRecords
      for (const limit of [1, 2, 3, 4, 20]) {
        const games: Array<string> = []
        let after: Cursor | undefined
        do {
          const page: Page | undefined = yield* listStopped({ after, limit })
          assert(page !== undefined)
          games.push(...page.records.map((record) => record.gameId))
          after = page.next
        } while (after !== undefined)
        assert.deepStrictEqual(
          games,
          oddTimes.map(([game]) => game),
          `pages of ${limit}`
        )
      }
    })
  )

  it.effect("event 20: never lists an infinite or missing time as due, and counts it", () =>
    Effect.gen(function* () {
      yield* putOddTimes
      const { backlog, listDue } = yield* RuntimeRecords
      const { records } = yield* listDue({ moment: momentAt(longAgo), after: undefined, limit: 100 })
      assert.deepStrictEqual(
        records.map((record) => record.gameId),
        ["bc", "old"]
      )
      const { due, noTime, future } = yield* backlog(momentAt(longAgo))
      assert.deepStrictEqual({ due, noTime, future }, { due: 2, noTime: 3, future: 4 })
    })
  )

  it.effect("event 21: decides the same to the microsecond in any time zone over a daylight-saving change", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { clear, put } = yield* StoreFixture
      const { listDue } = yield* RuntimeRecords
      // In Berlin the clock went from 02:00 to 03:00, in New York back from 02:00 to 01:00, at these moments.
      for (const cutoff of [Date.UTC(2026, 2, 29, 1), Date.UTC(2025, 10, 2, 6)]) {
        for (const zone of ["Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "UTC"]) {
          yield* clear
          yield* put(stopped("exact", { lastOpAt: micros(cutoff) }))
          yield* put(stopped("older", { lastOpAt: micros(cutoff) - 1n }))
          yield* sql`select set_config('timezone', ${zone}, false)`
          const { records } = yield* listDue({ moment: momentAt(cutoff), after: undefined, limit: 10 })
          assert.deepStrictEqual(records, [stopped("older", { lastOpAt: micros(cutoff) - 1n })], zone)
        }
      }
    })
  )

  it.effect("keeps a game back whose next attempt a person has moved to any time, and agrees with the re-check", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { clear, put, record } = yield* StoreFixture
      const { listDue } = yield* RuntimeRecords
      const moment = momentAt(longAgo)
      yield* clear
      yield* put(
        stopped("game", {
          lastOpAt: micros(longAgo) - 1n,
          backoff: { attempts: 1, nextAttemptAt: 0, lastError: "engine_error" }
        })
      )
      const now = new Date(moment.now).toISOString()
      for (const [time, due] of [
        ["infinity", false],
        ["294276-12-31 23:59:59.999999+00", false],
        [`${now.slice(0, -1)}001Z`, false],
        [now, true],
        ["1969-12-31 23:59:59.999999+00", true]
      ] as const) {
        yield* sql`update cleanup_backoff set next_attempt_at = ${time}::text::timestamptz`
        const { records, undecodable } = yield* listDue({ moment, after: undefined, limit: 10 })
        assert.deepStrictEqual([records.length, undecodable.length], [due ? 1 : 0, 0], time)
        const read = yield* record("game")
        assert(read !== undefined)
        assert.strictEqual(isDue(read, moment), due, time)
      }
    })
  )

  it.effect("event 16: has no clock, which every pass asks first, on a server that takes no writes", () =>
    Effect.gen(function* () {
      const { clock } = yield* RuntimeRecords
      const sql = yield* SqlClient
      yield* sql`set default_transaction_read_only = on`
      assert.strictEqual((yield* Effect.flip(clock)).message, "clock: the database is read-only")
      yield* sql`set default_transaction_read_only = off`
      yield* clock
    })
  )

  it.effect("takes no column of another's for its own, whatever that is called", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { backlog, listDue, listStopped } = yield* RuntimeRecords
      yield* (yield* StoreFixture).clear
      yield* sql`alter table runtime_records add cutoff timestamptz default 'infinity', add now text, add "time" text,
        add attempts text, add last_error text, add next_attempt_at text, add expires_at text, add stuck text`
      yield* (yield* StoreFixture).put(stopped("game"))
      const moment = momentAt(longAgo + 1)
      assert.strictEqual((yield* backlog(moment)).due, 1)
      for (const page of [
        listDue({ moment, after: undefined, limit: 1 }),
        listStopped({ after: undefined, limit: 1 })
      ]) {
        assert.deepStrictEqual((yield* page)?.records, [stopped("game")])
      }
    })
  )

  it.effect("skips a row without a game", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { clear, put } = yield* StoreFixture
      yield* clear
      yield* put(stopped("game"))
      yield* sql`alter table runtime_records drop constraint runtime_records_pkey, alter game_id drop not null`
      yield* sql`insert into runtime_records (status, last_op_at) values ('stopped', '2000-01-01')`
      const { listDue, listStopped } = yield* RuntimeRecords
      for (const page of [
        listDue({ moment: momentAt(longAgo + 1), after: undefined, limit: 1 }),
        listStopped({ after: undefined, limit: 1 })
      ]) {
        assert.deepStrictEqual((yield* page)?.records, [stopped("game")])
      }
    })
  )
})

/** How many rows the statement read, and how often it went through the whole table. */
const cost = Effect.fnUntraced(function* <A, E>(statement: Effect.Effect<A, E>) {
  const sql = yield* SqlClient
  // Within one transaction the counters are at hand at once.
  const counters = sql<{ scans: number; rows: number }>`
    select pg_stat_get_xact_numscans('runtime_records'::regclass)::int as scans,
      pg_stat_get_xact_tuples_returned('runtime_records_engine_stopped'::regclass)::int as rows`
  return yield* sql.withTransaction(
    Effect.gen(function* () {
      const [before] = yield* counters
      const answer = yield* statement
      const [after] = yield* counters
      assert(before !== undefined && after !== undefined)
      return { answer, scans: after.scans - before.scans, rows: after.rows - before.rows }
    })
  )
})

const indexed = Layer.provide(layerStores({ pool: 1 }), server)

it.layer(indexed, { excludeTestServices: true })("Beside 20000 stopped records that are not due", (it) => {
  const cutoff = longAgo

  const fill = Effect.gen(function* () {
    const sql = yield* SqlClient
    yield* (yield* StoreFixture).clear
    yield* sql`
      insert into runtime_records (game_id, status, last_op_at)
      select 'young-' || n, 'stopped', '2026-06-01'::timestamptz + n * interval '1 second' from generate_series(1, 20000) n`
    yield* sql`
      insert into runtime_records (game_id, status, last_op_at)
      select 'due-' || n, 'stopped', '2025-06-01'::timestamptz from generate_series(1, 30) n`
    yield* sql`vacuum analyze runtime_records`
  })

  it.effect("event 19: a page of due records reads those alone", () =>
    Effect.gen(function* () {
      yield* fill
      const { listDue } = yield* RuntimeRecords
      const first = yield* cost(listDue({ moment: momentAt(cutoff), after: undefined, limit: 10 }))
      assert.deepStrictEqual({ ...first, answer: first.answer.records.length }, { answer: 10, scans: 0, rows: 10 })
      const second = yield* cost(listDue({ moment: momentAt(cutoff), after: first.answer.next, limit: 10 }))
      assert.deepStrictEqual({ ...second, answer: second.answer.records.length }, { answer: 10, scans: 0, rows: 10 })
    })
  )

  it.effect("event 19: the backlog reads what is due alone", () =>
    Effect.gen(function* () {
      yield* fill
      const { backlog } = yield* RuntimeRecords
      const { answer, scans, rows } = yield* cost(backlog(momentAt(cutoff)))
      assert.strictEqual(answer.due, 30)
      assert.strictEqual(scans, 0)
      assert.isAtMost(rows, 62)
    })
  )

  it.effect("a page of stopped records reads no more than twice its size", () =>
    Effect.gen(function* () {
      yield* fill
      const { listStopped } = yield* RuntimeRecords
      const { scans, rows } = yield* cost(listStopped({ after: { lastOpAt: micros(cutoff), gameId: "" }, limit: 10 }))
      assert.strictEqual(scans, 0)
      assert.isAtMost(rows, 20)
    })
  )
})

it.layer(Layer.provide(layerStores({ pool: 1 }), server), { excludeTestServices: true })(
  "Among 20000 expired records, of which the oldest 5000 back off",
  (it) => {
    const moment = momentAt(longAgo)

    const fill = Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* (yield* StoreFixture).clear
      yield* sql`
        insert into runtime_records (game_id, status, last_op_at)
        select 'game-' || n, 'stopped', '2025-06-01'::timestamptz + n * interval '1 second'
        from generate_series(1, 20000) n`
      yield* sql`
        insert into cleanup_backoff (game_id, attempts, next_attempt_at, last_error)
        select 'game-' || n, 10, '2026-06-01'::timestamptz, 'engine_error' from generate_series(1, 5000) n`
    })

    it.effect.each(["never analyzed", "analyzed"])("event 19: each page reads its own rows, tables %s", (analyzed) =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* fill
        if (analyzed === "analyzed") yield* sql`vacuum analyze runtime_records, cleanup_backoff`
        const { listDue } = yield* RuntimeRecords
        const first = yield* cost(listDue({ moment, after: undefined, limit: 500 }))
        assert.deepStrictEqual({ ...first, answer: first.answer.records.length }, { answer: 500, scans: 0, rows: 5500 })
        assert.strictEqual(first.answer.records[0]?.gameId, "game-5001")
        const second = yield* cost(listDue({ moment, after: first.answer.next, limit: 500 }))
        assert.deepStrictEqual(
          { ...second, answer: second.answer.records.length },
          { answer: 500, scans: 0, rows: 500 }
        )
      })
    )

    it.effect("event 19: the backlog reads each of them twice at most", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* fill
        yield* sql`vacuum analyze runtime_records, cleanup_backoff`
        const { backlog } = yield* RuntimeRecords
        const { answer, rows } = yield* cost(backlog(moment))
        const { backingOff, due, stuck, stuckGames } = answer
        assert.deepStrictEqual({ backingOff, due, stuck }, { backingOff: 0, due: 15_000, stuck: 5000 })
        assert.deepStrictEqual(stuckGames, ["game-1", "game-10", "game-100", "game-1000", "game-1001"])
        assert.isAtMost(rows, 40_000)
      })
    )
  }
)
