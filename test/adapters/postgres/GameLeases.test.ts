import { randomUUID } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { Backoff } from "../../../src/domain/Backoff.ts"
import { GameLeases } from "../../../src/ports/GameLeases.ts"
import { StoreFixture } from "../../ports/StoreFixture.ts"
import { otherProcess, untilOtherWaits } from "../../support/otherProcess.ts"
import { makePostgresProxy } from "../../support/PostgresProxy.ts"
import { freshSchema, layerStores, PostgresServer, postgresServer } from "../../support/postgres.ts"
import { auditRow, containerId, longAgo, stopped } from "../../support/records.ts"

const schema = freshSchema()
const layer = Layer.provideMerge(layerStores({ schema }), postgresServer())

const given = Effect.gen(function* () {
  const { clear, put } = yield* StoreFixture
  yield* clear
  yield* put(stopped("game"))
})

const backoff: Backoff = { attempts: 1, nextAttemptAt: longAgo + 60_001, lastError: "engine_error" }

const hold = Effect.fnUntraced(function* (leases: GameLeases["Service"]) {
  const acquired = yield* leases.acquire("game")
  assert(acquired._tag === "Leased")
  return acquired.lease
})

it.layer(layer, { excludeTestServices: true })("GameLeases in PostgreSQL", (it) => {
  it.effect("moves status, removed_at and last_op_at, and no other column", () =>
    Effect.gen(function* () {
      yield* given
      const sql = yield* SqlClient
      const row = sql<{ row: object }>`select to_jsonb(r) as row from runtime_records r where game_id = 'game'`
      yield* sql`update runtime_records set started_at = '2025-01-01', stopped_at = '2025-01-02 03:04:05.678901'`
      const [before] = yield* row
      const leases = yield* GameLeases
      const finishedAt = Date.UTC(2026, 6, 1, 2, 3, 4, 567)
      yield* leases.commit(yield* hold(leases), stopped("game"), auditRow({ finishedAt }))
      const [after] = yield* row
      const moved = "2026-07-01T02:03:04.567+00:00"
      assert.deepStrictEqual(after?.row, { ...before?.row, status: "removed", removed_at: moved, last_op_at: moved })
    })
  )

  it.effect("event 7: gives one of two processes the lease, and leaves one removal with one audit row", () =>
    Effect.gen(function* () {
      yield* given
      const mine = yield* GameLeases
      const theirs = yield* otherProcess(schema)
      const attempt = Effect.fnUntraced(function* (leases: GameLeases["Service"]) {
        const acquired = yield* leases.acquire("game")
        if (acquired._tag !== "Leased") return acquired._tag
        return yield* leases.commit(acquired.lease, stopped("game"), auditRow())
      })
      const both = Array.from({ length: 32 }, (_, i) => attempt(i % 2 === 0 ? mine : theirs))
      const ends = yield* Effect.all(both, { concurrency: "unbounded" })
      assert.strictEqual(ends.filter((end) => end === "committed").length, 1)
      const { log, record } = yield* StoreFixture
      assert.strictEqual((yield* log("game")).length, 1)
      assert.strictEqual((yield* record("game"))?.status, "removed")
    })
  )

  it.effect("event 3: reads the outcome back when the answer to a commit is lost", () =>
    Effect.gen(function* () {
      yield* given
      const proxy = yield* makePostgresProxy((yield* PostgresServer).url)
      const leases = yield* otherProcess(schema, { url: proxy.url })
      const lease = yield* hold(leases)
      proxy.loseAnswerTo = `update "${schema}".runtime_records`
      assert.strictEqual(yield* leases.commit(lease, stopped("game"), auditRow()), "committed")
      assert.strictEqual(proxy.lost, 1)
      assert.strictEqual((yield* (yield* StoreFixture).log("game")).length, 1)
    })
  )

  it.effect.each([false, true])(
    "event 3: settles once when the answer is lost: one failure row, one backoff; lease kept: %s",
    (keep) =>
      Effect.gen(function* () {
        yield* given
        const proxy = yield* makePostgresProxy((yield* PostgresServer).url)
        const leases = yield* otherProcess(schema, { url: proxy.url })
        const lease = yield* hold(leases)
        proxy.loseAnswerTo = `insert into "${schema}".operation_log`
        yield* leases.settle(lease, { failure: auditRow({ errorCode: "engine_error" }), backoff, keep })
        assert.strictEqual(proxy.lost, 1)
        const fixture = yield* StoreFixture
        assert.strictEqual((yield* fixture.log("game")).length, 1)
        assert.deepStrictEqual(yield* fixture.record("game"), stopped("game", { backoff }))
        assert.deepStrictEqual(yield* fixture.lease("game"), keep ? lease : undefined)
      })
  )

  it.effect.each([false, true])(
    "writes nothing of a settlement that waited while another took the lease over; lease to be kept: %s",
    (keep) =>
      Effect.gen(function* () {
        yield* given
        const sql = yield* SqlClient
        const leases = yield* otherProcess(schema)
        const lease = yield* hold(leases)
        const newer = { ...lease, owner: randomUUID(), token: lease.token + 1n }
        const fixture = yield* StoreFixture
        const settling = yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* fixture.putLease(newer, false)
            const end = { failure: auditRow({ errorCode: "engine_error" }), backoff, keep }
            const fiber = yield* Effect.forkChild(leases.settle(lease, end))
            yield* untilOtherWaits
            return fiber
          })
        )
        yield* Fiber.join(settling)
        assert.deepStrictEqual(yield* fixture.lease("game"), newer)
        assert.deepStrictEqual(yield* fixture.record("game"), stopped("game"))
        assert.deepStrictEqual(yield* fixture.log("game"), [])
      })
  )

  it.effect("renews although the first answer is lost", () =>
    Effect.gen(function* () {
      yield* given
      const proxy = yield* makePostgresProxy((yield* PostgresServer).url)
      const leases = yield* otherProcess(schema, { url: proxy.url })
      const lease = yield* hold(leases)
      proxy.loseAnswerTo = `update "${schema}".game_leases`
      assert.isTrue(yield* leases.renew(lease))
      assert.strictEqual(proxy.lost, 1)
      assert.deepStrictEqual(yield* (yield* StoreFixture).lease("game"), lease)
    })
  )

  it.effect("does not repeat an acquisition whose answer is lost, so the game stays leased until it expires", () =>
    Effect.gen(function* () {
      yield* given
      const proxy = yield* makePostgresProxy((yield* PostgresServer).url)
      const leases = yield* otherProcess(schema, { url: proxy.url })
      proxy.loseAnswerTo = `insert into "${schema}".game_leases`
      assert.strictEqual((yield* Effect.flip(leases.acquire("game"))).operation, "acquire")
      assert.strictEqual((yield* leases.acquire("game"))._tag, "Busy")
    })
  )

  it.effect("commits on a new connection when its own is cut before the commit was carried out", () =>
    Effect.gen(function* () {
      yield* given
      const sql = yield* SqlClient
      const leases = yield* otherProcess(schema)
      const lease = yield* hold(leases)
      const committing = yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`select from runtime_records where game_id = 'game' for update`
          const fiber = yield* Effect.forkChild(leases.commit(lease, stopped("game"), auditRow()))
          const pid = yield* untilOtherWaits
          yield* sql`select pg_terminate_backend(${pid}::int)`
          return fiber
        })
      )
      assert.strictEqual(yield* Fiber.join(committing), "committed")
      assert.strictEqual((yield* (yield* StoreFixture).log("game")).length, 1)
    })
  )

  it.effect("sees what became of the record while the commit waited for it", () =>
    Effect.gen(function* () {
      yield* given
      const sql = yield* SqlClient
      const leases = yield* otherProcess(schema)
      const lease = yield* hold(leases)
      const committing = yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`update runtime_records set status = 'running' where game_id = 'game'`
          const fiber = yield* Effect.forkChild(leases.commit(lease, stopped("game"), auditRow()))
          yield* untilOtherWaits
          return fiber
        })
      )
      assert.strictEqual(yield* Fiber.join(committing), "record_moved")
      assert.deepStrictEqual(yield* (yield* StoreFixture).log("game"), [])
    })
  )

  it.effect("names nobody as the holder before where one has just released the lease", () =>
    Effect.gen(function* () {
      yield* given
      const sql = yield* SqlClient
      const leases = yield* otherProcess(schema)
      yield* (yield* StoreFixture).putLease({ gameId: "game", owner: randomUUID(), token: 1n }, false)
      const acquiring = yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`delete from game_leases where game_id = 'game'`
          const fiber = yield* Effect.forkChild(leases.acquire("game"))
          yield* untilOtherWaits
          return fiber
        })
      )
      const acquired = yield* Fiber.join(acquiring)
      assert(acquired._tag === "Leased")
      assert.isUndefined(acquired.leftBy)
    })
  )

  it.effect("reads the record after the lease, not in the lease's snapshot", () =>
    Effect.gen(function* () {
      yield* given
      const sql = yield* SqlClient
      const leases = yield* otherProcess(schema)
      yield* (yield* StoreFixture).putLease({ gameId: "game", owner: randomUUID(), token: 1n }, true)
      const acquiring = yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`select from game_leases where game_id = 'game' for update`
          const fiber = yield* Effect.forkChild(leases.acquire("game"))
          yield* untilOtherWaits
          yield* sql`update runtime_records set current_container_id = ${containerId("b")}`
          return fiber
        })
      )
      const acquired = yield* Fiber.join(acquiring)
      assert(acquired._tag === "Leased")
      assert.strictEqual(acquired.record?.containerId, containerId("b"))
    })
  )

  it.effect("moves nothing where the audit row cannot be written", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const fixture = yield* StoreFixture
      const leases = yield* GameLeases
      yield* fixture.clear
      yield* fixture.put(stopped("game"))
      yield* sql`alter table operation_log add constraint no_success check (outcome <> 'success')`
      const lease = yield* hold(leases)
      const error = yield* Effect.flip(leases.commit(lease, stopped("game"), auditRow()))
      yield* sql`alter table operation_log drop constraint no_success`
      assert.strictEqual(error.reason._tag, "CannotRecord")
      assert.match(error.message, /"no_success" \(23514\)$/)
      assert.deepStrictEqual(yield* fixture.record("game"), stopped("game"))
      assert.deepStrictEqual(yield* fixture.lease("game"), lease)
      assert.strictEqual(yield* leases.commit(lease, stopped("game"), auditRow()), "committed")
    })
  )

  it.effect("event 17: fails, having changed nothing, where the record stays locked", () =>
    Effect.gen(function* () {
      yield* given
      const sql = yield* SqlClient
      const leases = yield* otherProcess(schema, { timeout: "500 millis" })
      const lease = yield* hold(yield* GameLeases)
      const error = yield* sql.withTransaction(
        Effect.andThen(
          sql`select from runtime_records where game_id = 'game' for update`,
          Effect.flip(leases.commit(lease, stopped("game"), auditRow()))
        )
      )
      assert.strictEqual(error.reason._tag, "Unavailable")
      const fixture = yield* StoreFixture
      assert.deepStrictEqual(yield* fixture.lease("game"), lease)
      assert.deepStrictEqual(yield* fixture.record("game"), stopped("game"))
    })
  )

  it.effect("takes no notice of what other parts write to the log", () =>
    Effect.gen(function* () {
      yield* given
      const sql = yield* SqlClient
      const leases = yield* GameLeases
      const failure = auditRow({ errorCode: "conflict" })
      yield* leases.settle(yield* hold(leases), { failure, backoff: undefined, keep: false })
      yield* sql`
        insert into operation_log (game_id, op_kind, op_source, container_id, outcome, started_at, finished_at)
        values ('game', 'stop', 'admin_cli', ${containerId("a")}, 'success', now(), now())`
      yield* leases.settle(yield* hold(leases), { failure, backoff: undefined, keep: false })
      const { log } = yield* StoreFixture
      assert.strictEqual((yield* log("game")).length, 1)
      assert.strictEqual(yield* leases.commit(yield* hold(leases), stopped("game"), auditRow()), "committed")
      assert.strictEqual((yield* log("game")).length, 2)
    })
  )

  it.effect("writes times before 1970 and to the millisecond", () =>
    Effect.gen(function* () {
      yield* given
      const leases = yield* GameLeases
      const failure = auditRow({ errorCode: "conflict", startedAt: -1, finishedAt: longAgo + 999 })
      yield* leases.settle(yield* hold(leases), { failure, backoff: undefined, keep: false })
      const [row] = yield* (yield* StoreFixture).log("game")
      assert.strictEqual(row?.startedAt, -1)
      assert.strictEqual(row?.finishedAt, longAgo + 999)
    })
  )

  it.effect("refuses a game of which there are two records, or one without a status, and releases it", () =>
    Effect.gen(function* () {
      yield* given
      const sql = yield* SqlClient
      const leases = yield* GameLeases
      const { lease } = yield* StoreFixture
      yield* sql`alter table runtime_records drop constraint runtime_records_pkey, alter status drop not null`
      yield* sql`insert into runtime_records (game_id, status, last_op_at) values ('none', null, now())`
      yield* sql`insert into runtime_records select * from runtime_records where game_id = 'game'`
      for (const game of ["game", "none"]) {
        assert.strictEqual((yield* leases.acquire(game))._tag, "Undecodable")
        assert.isUndefined(yield* lease(game))
      }
    })
  )

  it.effect("releases the lease when the record can not be read", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const leases = yield* GameLeases
      yield* sql`truncate game_leases`
      yield* sql`alter table runtime_records rename to away`
      const error = yield* Effect.flip(leases.acquire("game"))
      assert.strictEqual(error.reason._tag, "NotMigrated")
      assert.isUndefined(yield* (yield* StoreFixture).lease("game"))
    })
  )
})
