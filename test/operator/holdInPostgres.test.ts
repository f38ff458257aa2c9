import { assert, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Layer, Schedule } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Memory from "../../src/adapters/memory/ContainerEngine.ts"
import * as Acts from "../../src/adapters/postgres/Acts.ts"
import { Author, Reason } from "../../src/domain/Act.ts"
import { hold } from "../../src/operator/hold.ts"
import { Holds } from "../../src/ports/Holds.ts"
import { StoreFixture } from "../ports/StoreFixture.ts"
import { otherProcess, untilOtherWaits } from "../support/otherProcess.ts"
import { freshSchema, layerStores, postgresServer } from "../support/postgres.ts"
import { auditRow, stopped } from "../support/records.ts"

const schema = freshSchema()

const layer = Layer.mergeAll(Acts.layer, Memory.layer({ timeout: "15 seconds" })).pipe(
  Layer.provideMerge(layerStores({ schema })),
  Layer.provideMerge(postgresServer())
)

const given = Effect.gen(function* () {
  const { clear, put } = yield* StoreFixture
  yield* clear
  yield* put(stopped("game"))
})

/** With a latch that opens when it says that it waits. */
const holding = Effect.gen(function* () {
  const waits = yield* Deferred.make<void>()
  const request = {
    gameId: "game",
    author: Author.make("ann"),
    reason: Reason.make("the players complain"),
    end: null,
    leaseTtl: Duration.minutes(1),
    onWait: Effect.asVoid(Deferred.succeed(waits, undefined))
  }
  return {
    fiber: yield* Effect.forkChild(Effect.result(hold(request))),
    waits: Effect.timeout(Deferred.await(waits), "4 seconds")
  }
})

/** Keeps the game's record locked, in a session of its own. */
const lockRecord = Effect.gen(function* () {
  const sql = yield* SqlClient
  const locked = yield* Deferred.make<void>()
  const open = yield* Deferred.make<void>()
  const lock = Effect.andThen(
    sql`select from runtime_records where game_id = 'game' for update`,
    Effect.andThen(Deferred.succeed(locked, undefined), Deferred.await(open))
  )
  const fiber = yield* Effect.forkChild(sql.withTransaction(lock))
  yield* Effect.addFinalizer(() => Deferred.succeed(open, undefined))
  yield* Deferred.await(locked)
  return Effect.andThen(Deferred.succeed(open, undefined), Fiber.join(fiber))
})

const untilTheHoldWaits = Effect.gen(function* () {
  const sql = yield* SqlClient
  const waiting = sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  const both = Effect.repeat(waiting, { until: (rows) => rows.length > 1, schedule: Schedule.spaced("5 millis") })
  yield* Effect.timeout(both, "4 seconds")
})

it.layer(layer, { excludeTestServices: true })("a hold in PostgreSQL", (it) => {
  it.effect("waits for a commit that is under way, and then says which operation removed the container", () =>
    Effect.gen(function* () {
      yield* given
      const theirs = yield* otherProcess(schema)
      const acquired = yield* theirs.acquire("game")
      assert(acquired._tag === "Leased")
      const unlock = yield* lockRecord
      const committing = yield* Effect.forkChild(theirs.commit(acquired.lease, stopped("game"), auditRow()))
      yield* untilOtherWaits
      const { fiber } = yield* holding
      yield* untilTheHoldWaits
      assert.lengthOf(yield* (yield* Holds).of("game"), 1)
      assert.isUndefined(fiber.pollUnsafe())
      yield* unlock
      assert.strictEqual(yield* Fiber.join(committing), "committed")
      const result = yield* Fiber.join(fiber)
      assert(result._tag === "Failure")
      assert.match(
        result.failure.message,
        /^too late: the record is removed, by auto_ttl at 2026-01-01T00:00:00.005Z \(operation \d+, trace 0af7651916cd43dd8448eb211c80319c\)$/
      )
      assert.deepStrictEqual(yield* (yield* Holds).of("game"), [])
    })
  )

  it.effect("waits for an attempt that has the lease, and whoever takes the lease after it sees the hold", () =>
    Effect.gen(function* () {
      yield* given
      const theirs = yield* otherProcess(schema)
      const acquired = yield* theirs.acquire("game")
      assert(acquired._tag === "Leased" && acquired.record?.hold === null)
      const { fiber, waits } = yield* holding
      yield* waits
      assert.isUndefined(fiber.pollUnsafe())
      yield* theirs.settle(acquired.lease, { failure: undefined, backoff: undefined, keep: false })
      const result = yield* Fiber.join(fiber)
      assert(result._tag === "Success")
      assert.isUndefined(yield* (yield* StoreFixture).lease("game"))
      const next = yield* theirs.acquire("game")
      assert(next._tag === "Leased")
      assert.deepStrictEqual(next.record?.hold, { author: "ann", reason: "the players complain", until: null })
    })
  )

  it.effect("leaves one row of its act", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      assert.deepStrictEqual(
        yield* sql`select act, target, author, result, ended_at >= asked_at as ended from cleanup_acts order by id`,
        ["done"].map((result) => ({ act: "hold", target: "game", author: "ann", result, ended: true }))
      )
    })
  )
})
