import { randomUUID } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Database from "../../../src/adapters/postgres/Database.ts"
import { migrate } from "../../../src/adapters/postgres/migrations.ts"
import { serverAt } from "../../../src/config/databaseUrl.ts"
import { type Act, Author, longestReason, Reason } from "../../../src/domain/Act.ts"
import type { GamePlace } from "../../../src/domain/GameCursor.ts"
import type { GameState } from "../../../src/domain/GamePage.ts"
import { empty, report } from "../../../src/domain/PassReport.ts"
import { Acts } from "../../../src/ports/Acts.ts"
import { GameLeases } from "../../../src/ports/GameLeases.ts"
import { Holds } from "../../../src/ports/Holds.ts"
import { Overview } from "../../../src/ports/Overview.ts"
import { PassLog } from "../../../src/ports/PassLog.ts"
import { Pauses } from "../../../src/ports/Pauses.ts"
import { type Cursor, type Page, RuntimeRecords } from "../../../src/ports/RuntimeRecords.ts"
import { freshDatabase } from "../../support/externalServer.ts"
import { layerPorts, PostgresServer, postgresServer } from "../../support/postgres.ts"
import { auditRow, longAgo, momentAt } from "../../support/records.ts"

/** A database of its own in this encoding, without tables. */
const layerEncoded = (encoding: string, options: Partial<Database.Options> = {}) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { url } = yield* freshDatabase((yield* PostgresServer).url, encoding)
      return Database.layer({ server: serverAt(url), schema: "rtmanager", pool: 2, timeout: "5 seconds", ...options })
    })
  )

const text = (hex: string) => `convert_from('\\x${hex}', 'SQL_ASCII')`
const hex = (ascii: string) => Buffer.from(ascii).toString("hex")

/** A table as another system may keep it, with one row for each. */
const records = (rows: ReadonlyArray<{ readonly id: string; readonly container?: string; readonly time?: string }>) => [
  "create schema rtmanager",
  `create table rtmanager.runtime_records (game_id text primary key, status text, current_container_id text,
    current_image_ref text, last_op_at timestamptz)`,
  ...rows.map(
    ({ id, container = hex("a".repeat(64)), time = "'2020-01-01'" }, i) =>
      `insert into rtmanager.runtime_records values (${text(id)}, 'stopped', ${text(container)}, 'x',
        ${time}::timestamptz + ${i} * interval '1 s')`
  )
]

/** All pages of this size: no row is skipped, repeated or without an end. */
const listed = Effect.fnUntraced(function* (
  list: (after: Cursor | undefined) => Effect.Effect<Page | undefined, unknown>
) {
  const ids: Array<string> = []
  const undecodable: Array<string> = []
  let after: Cursor | undefined
  do {
    const page = yield* list(after)
    assert(page !== undefined)
    ids.push(...page.records.map(({ gameId }) => gameId))
    undecodable.push(...page.undecodable)
    after = page.next
  } while (after !== undefined)
  return { ids, undecodable }
})

/** The ids on all pages of games in this state. */
const shown = Effect.fnUntraced(function* (
  { games }: Pick<Overview["Service"], "games">,
  query: { readonly state: GameState; readonly engine: string | undefined; readonly limit: number }
) {
  const ids: Array<string> = []
  let after: GamePlace | undefined
  do {
    const page = yield* games({ ...query, after, moment: momentAt(longAgo) })
    assert(page !== undefined)
    ids.push(...page.games.map(({ gameId }) => gameId))
    after = page.next
  } while (after !== undefined)
  return ids
})

const withRecords = Effect.fnUntraced(function* (rows: Parameters<typeof records>[0]) {
  const sql = yield* SqlClient
  yield* Effect.forEach(records(rows), (statement) => sql.unsafe(statement), { discard: true })
  yield* migrate
  yield* migrate
  const context = yield* Layer.build(layerPorts())
  return {
    ...Context.get(context, RuntimeRecords),
    ...Context.get(context, GameLeases),
    games: Context.get(context, Overview).games,
    sql
  }
})

const utf8 = "gut-ü"

/** What the database takes as text and cannot send. */
const badBytes: ReadonlyArray<readonly [encoding: string, what: string, bad: string, words: string]> = [
  [
    "SQL_ASCII",
    "a byte that no text in UTF-8 has",
    "626164ff",
    'game bad\\377: invalid byte sequence for encoding "UTF8"'
  ],
  ["SQL_ASCII", "a character that is cut off", "626164c3", "game bad\\303: invalid byte"],
  ["SQL_ASCII", "a surrogate", "626164eda080", "game bad\\355\\240\\200: invalid byte"],
  ["WIN1252", "a byte without a character", "62616481", "game bad\\201: character with byte sequence 0x81"],
  ["EUC_JP", "a character that Unicode lacks", "6261648fa1a1", "game bad\\217\\241\\241: character with byte sequence"]
]

it.layer(postgresServer(), { excludeTestServices: true })("In other encodings", (it) => {
  for (const [encoding, what, bad, words] of badBytes) {
    it.effect(`event 32: in ${encoding} a game with ${what} is counted, and the others go on`, () =>
      Effect.gen(function* () {
        const good = encoding === "SQL_ASCII" ? [hex("one"), hex(utf8)] : [hex("one"), hex("two")]
        const names = good.map((id) => Buffer.from(id, "hex").toString())
        const { acquire, backlog, clock, commit, find, games, listDue, listStopped, sql } = yield* withRecords([
          { id: bad },
          ...good.map((id) => ({ id })),
          { id: `${bad}32` },
          { id: hex("three"), container: bad },
          { id: hex("last") },
          { id: `${bad}33`, time: "null" },
          { id: `${bad}34`, time: "'infinity'" },
          { id: hex("timeless"), time: "null" }
        ])
        const moment = momentAt(longAgo)
        for (const limit of [1, 2, 3, 7, 8, 100]) {
          const due = yield* listed((after) => listDue({ moment, after, limit }))
          assert.deepStrictEqual(due.ids, [...names, "last"], `${limit}`)
          assert.lengthOf(due.undecodable, 3)
          assert.include(due.undecodable[0], words)
          assert.match(due.undecodable[2] ?? "", /^game three: /)
          const stopped = yield* listed((after) => listStopped({ after, limit }))
          assert.deepStrictEqual(stopped.ids, [...names, "last", "timeless"], `${limit}`)
          assert.lengthOf(stopped.undecodable, 5)
          for (const engine of [undefined, "default"]) {
            const ids = yield* shown({ games }, { state: "stopped", engine, limit })
            assert.lengthOf(ids, 9)
            assert.strictEqual(new Set(ids).size, 9)
          }
        }
        for (const gameId of ["\u000000", `\0${bad}00`]) {
          for (const lastOpAt of [0n, null]) {
            assert.isUndefined(yield* listStopped({ after: { lastOpAt, gameId }, limit: 1 }))
          }
        }
        const found = yield* find(["last", "three", ...names])
        assert.sameMembers(
          found.records.map(({ gameId }) => gameId),
          [...names, "last"]
        )
        assert.match(found.undecodable.join(), /^game three: /)
        yield* sql`
          insert into cleanup_backoff select game_id, 10, '2020-01-01', 'engine_error' from runtime_records
          where last_op_at is not null`
        assert.include(yield* backlog(moment), { due: 6, stuck: 6 })
        for (const limit of [1, 2, 100]) {
          const ids = yield* shown({ games }, { state: "stuck", engine: undefined, limit })
          assert.strictEqual(new Set(ids).size, 6)
          assert.lengthOf(ids, 6)
        }
        for (const gameId of [...names, "last"]) {
          const acquired = yield* acquire(gameId)
          assert(acquired._tag === "Leased")
          const end = { containerId: "a".repeat(64) }
          assert.strictEqual(yield* commit(acquired.lease, end, auditRow()), "committed")
        }
        assert.isNumber(yield* clock)
      }).pipe(Effect.provide(layerEncoded(encoding)))
    )
  }

  it.effect("event 32: migrate names the games that it finds twice, whatever their bytes", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const twice = records([{ id: "626164ff" }, { id: "626164ff" }, { id: hex("two") }, { id: hex("two") }])
      yield* Effect.forEach(twice, (statement) => sql.unsafe(statement.replace(" primary key", "")))
      assert.include(
        (yield* Effect.flip(migrate)).message,
        "table runtime_records has more than one row with the same game_id: bad\\377; two"
      )
    }).pipe(Effect.provide(layerEncoded("SQL_ASCII")))
  )

  it.effect("event 32: what an encoding has no character for is escaped in the audit row", () =>
    Effect.gen(function* () {
      const { acquire, listDue, settle, sql } = yield* withRecords([{ id: "67fc" }])
      const page = yield* listDue({ moment: momentAt(longAgo), after: undefined, limit: 10 })
      assert.deepStrictEqual(
        page.records.map(({ gameId }) => gameId),
        ["gü"]
      )
      const acquired = yield* acquire("gü")
      assert(acquired._tag === "Leased")
      const failure = auditRow({ errorCode: "identity_mismatch", message: "ü belongs to 漢 🎲…" })
      const backoff = { attempts: 1, nextAttemptAt: longAgo, lastError: "identity_mismatch" }
      yield* settle(acquired.lease, { failure, backoff, keep: false })
      assert.deepStrictEqual(yield* sql`select error_message as message from operation_log`, [
        { message: "\\u{fc} belongs to \\u{6f22} \\u{1f3b2}\\u{2026}" }
      ])
      assert.deepStrictEqual(yield* sql`select attempts from cleanup_backoff`, [{ attempts: 1 }])
      assert.deepStrictEqual(yield* sql`select * from game_leases`, [])
    }).pipe(Effect.provide(layerEncoded("LATIN1")))
  )

  it.effect("event 32: what an encoding has no character for is escaped in what people and passes say", () =>
    Effect.gen(function* () {
      const reason = Reason.make("für 漢 – 🎲")
      const words = "f\\u{fc}r \\u{6f22} \\u{2013} \\u{1f3b2}"
      yield* migrate
      const context = yield* Layer.build(layerPorts())
      const acts = Context.get(context, Acts)
      const act: Act = { act: "plan_apply", target: "a plan", author: Author.make("anna"), reason }
      const begun = yield* acts.begin(act)
      assert(begun._tag === "Begun")
      yield* acts.end(begun, { result: "done", message: reason })
      assert.strictEqual((yield* acts.begin(act))._tag, "PlanTaken")
      const told = (yield* acts.list({ limit: 10 })).map(({ message, reason }) => [reason, message])
      assert.deepStrictEqual(told, [
        [words, "the plan was applied before, or is being applied"],
        [words, words]
      ])

      const pauses = Context.get(context, Pauses)
      yield* pauses.pause({ author: act.author, reason, duration: undefined })
      assert.strictEqual((yield* pauses.current)?.reason, words)

      const holds = Context.get(context, Holds)
      yield* holds.place({ gameId: "gü", author: act.author, reason, end: null })
      const long = Reason.make("漢".repeat(longestReason))
      yield* holds.place({ gameId: "gü", author: Author.make("berta"), reason: long, end: null })
      assert.deepStrictEqual(
        (yield* holds.of("gü")).map(({ reason }) => reason),
        [words, "\\u{6f22}".repeat(longestReason).slice(0, longestReason)]
      )

      const passes = Context.get(context, PassLog)
      const ended = report(empty("schedule", false), Exit.fail({ reason: "engine_down", message: reason }))
      yield* passes.end(randomUUID(), { ...ended, seconds: 1 })
      assert.deepStrictEqual(
        (yield* passes.recent(10)).map(({ message, result }) => [result, message]),
        [["refused", words]]
      )
    }).pipe(Effect.provide(layerEncoded("LATIN1")))
  )

  it.effect("event 32: odd texts go from the listing to the commit as they are", () =>
    Effect.gen(function* () {
      const odd = [
        `quotes " ' '' \\" \\\\`,
        "\\u0000 \\x00 $1 %00",
        '"]}, {"',
        "line\nfeed\r\ttab\u0001\u007f",
        "\u2028\u202e\ufeff\ufffd",
        "🎲 \u{10ffff} e\u0301 \u00e9",
        "n".repeat(2600),
        " "
      ]
      const { acquire, commit, games, listDue } = yield* withRecords(odd.map((id) => ({ id: hex(id) })))
      for (const limit of [1, 3, 100]) {
        const { ids } = yield* listed((after) => listDue({ moment: momentAt(longAgo), after, limit }))
        assert.deepStrictEqual(ids, odd)
        assert.deepStrictEqual(yield* shown({ games }, { state: "due", engine: undefined, limit }), odd)
      }
      const results = yield* Effect.forEach(
        odd,
        Effect.fnUntraced(function* (gameId) {
          const acquired = yield* acquire(gameId)
          assert(acquired._tag === "Leased")
          return yield* commit(acquired.lease, { containerId: "a".repeat(64) }, auditRow())
        }),
        { concurrency: odd.length }
      )
      assert.deepStrictEqual(
        results,
        odd.map(() => "committed")
      )
    }).pipe(Effect.provide(layerEncoded("UTF8")))
  )
})
