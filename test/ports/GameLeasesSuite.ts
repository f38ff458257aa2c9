import { assert, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import type { RuntimeRecord } from "../../src/domain/RuntimeRecord.ts"
import { type AuditRow, GameLeases } from "../../src/ports/GameLeases.ts"
import { asked, auditRow, containerId, longAgo, micros, stopped } from "../support/records.ts"
import { StoreFixture } from "./StoreFixture.ts"

const other = "00000000-0000-4000-8000-000000000000"
const day = 86_400_000

/** A clean store with this one record of `game`. */
const given = Effect.fnUntraced(function* (record: RuntimeRecord = stopped("game")) {
  const { clear, put } = yield* StoreFixture
  yield* clear
  yield* put(record)
})

const held = Effect.fnUntraced(function* (gameId = "game") {
  const { acquire } = yield* GameLeases
  const acquired = yield* acquire(gameId)
  assert(acquired._tag === "Leased", `the lease is ${acquired._tag}`)
  return acquired
})

const failed = (changes: Partial<AuditRow> = {}) =>
  auditRow({ errorCode: "container_running", message: "the container is running", ...changes })

/** One attempt that ends in a failure row, if one is due. */
const attempt = Effect.fnUntraced(function* (failure: AuditRow) {
  const { settle } = yield* GameLeases
  const { lease } = yield* held()
  yield* settle(lease, { failure, backoff: undefined, keep: false })
})

const backoff = { attempts: 3, nextAttemptAt: longAgo + 1, lastError: "container_running" }

const repeats: ReadonlyArray<readonly [string, Partial<AuditRow>, number]> = [
  ["the same reason once", { finishedAt: longAgo + 60_000 }, 1],
  ["the same reason 1 ms before a day is over once", { finishedAt: longAgo + 5 + day - 1 }, 1],
  ["the same reason again after a day", { finishedAt: longAgo + 5 + day }, 2],
  ["another error code again", { errorCode: "conflict" }, 2],
  ["another container again", { containerId: containerId("b") }, 2],
  ["a container that is no longer known again", { containerId: null }, 2]
]

/** What every `GameLeases` must do. */
export const suite = <E>(name: string, layer: Layer.Layer<GameLeases | StoreFixture, E>): void => {
  it.layer(layer, { excludeTestServices: true })(name, (it) => {
    it.effect("holds a free game with its record", () =>
      Effect.gen(function* () {
        yield* given(stopped("game", { lastOpAt: 1_234_567n }))
        const { lease, leftBy, record } = yield* held()
        assert.deepStrictEqual(record, stopped("game", { lastOpAt: 1_234_567n }))
        assert.isUndefined(leftBy)
        assert.deepStrictEqual(yield* (yield* StoreFixture).lease("game"), lease)
      })
    )

    it.effect("holds a game whose record is gone", () =>
      Effect.gen(function* () {
        yield* given()
        assert.isUndefined((yield* held("gone")).record)
      })
    )

    it.effect("does not take a lease that has not expired, from another or from itself", () =>
      Effect.gen(function* () {
        yield* given()
        const { acquire } = yield* GameLeases
        const { lease, putLease } = yield* StoreFixture
        const foreign = { gameId: "game", owner: other, token: 7n, acquiredAt: 7000n }
        yield* putLease(foreign, false)
        assert.strictEqual((yield* acquire("game"))._tag, "Busy")
        assert.deepStrictEqual(yield* lease("game"), foreign)
        yield* held("mine")
        assert.strictEqual((yield* acquire("mine"))._tag, "Busy")
      })
    )

    it.effect("takes over a lease that has expired in another's hands, and says so", () =>
      Effect.gen(function* () {
        yield* given()
        yield* (yield* StoreFixture).putLease({ gameId: "game", owner: other, token: 7n }, true)
        assert.strictEqual((yield* held()).leftBy, "another")
      })
    )

    it.effect("takes its own expired lease again with a new token, and says that it was ours", () =>
      Effect.gen(function* () {
        yield* given()
        const { lease } = yield* held()
        yield* (yield* StoreFixture).expireLeases
        const again = yield* held()
        assert.strictEqual(again.leftBy, "us")
        assert.notStrictEqual(again.lease.token, lease.token)
      })
    )

    it.effect("has one winner among 64 that ask at once", () =>
      Effect.gen(function* () {
        yield* given()
        const { acquire } = yield* GameLeases
        const answers = yield* Effect.replicateEffect(acquire("game"), 64, { concurrency: "unbounded" })
        assert.strictEqual(answers.filter((answer) => answer._tag === "Leased").length, 1)
        assert.strictEqual(answers.filter((answer) => answer._tag === "Busy").length, 63)
      })
    )

    it.effect("releases a game whose record does not decode", () =>
      Effect.gen(function* () {
        yield* given(stopped(""))
        const { acquire } = yield* GameLeases
        assert.strictEqual((yield* acquire(""))._tag, "Undecodable")
        assert.isUndefined(yield* (yield* StoreFixture).lease(""))
      })
    )

    it.effect("commits: the record moves, one success row, the lease is released, nothing else changes", () =>
      Effect.gen(function* () {
        yield* given(stopped("game", { lastOpAt: 5n }))
        const { commit } = yield* GameLeases
        const fixture = yield* StoreFixture
        const { lease, record } = yield* held()
        assert(record !== undefined)
        const row = auditRow({ finishedAt: longAgo + 123 })
        assert.strictEqual(yield* commit(lease, record, row), "committed")
        assert.deepStrictEqual(
          yield* fixture.record("game"),
          stopped("game", { status: "removed", lastOpAt: micros(longAgo + 123) })
        )
        assert.deepStrictEqual(yield* fixture.log("game"), [
          { ...row, gameId: "game", outcome: "success", leaseOwner: lease.owner, leaseToken: lease.token }
        ])
        assert.isUndefined(yield* fixture.lease("game"))
      })
    )

    it.effect("event 26: rehearses what recording a removal consists of, and leaves everything as it was", () =>
      Effect.gen(function* () {
        const fixture = yield* StoreFixture
        const { rehearse } = yield* GameLeases
        for (const containerOf of [containerId("a"), null]) {
          const record = stopped("game", { containerId: containerOf, backoff })
          yield* given(record)
          assert.isTrue(yield* rehearse(record, asked))
          assert.deepStrictEqual(yield* fixture.record("game"), record)
          assert.deepStrictEqual(yield* fixture.log("game"), [])
          assert.isUndefined(yield* fixture.lease("game"))
        }
      })
    )

    it.effect("event 26: rehearses with a game whose lease is somebody's, who keeps it", () =>
      Effect.gen(function* () {
        yield* given()
        const foreign = { gameId: "game", owner: other, token: 7n, acquiredAt: 7000n }
        const fixture = yield* StoreFixture
        yield* fixture.putLease(foreign, false)
        assert.isTrue(yield* (yield* GameLeases).rehearse(stopped("game"), asked))
        assert.deepStrictEqual(yield* fixture.lease("game"), foreign)
      })
    )

    it.effect(
      "event 26: learns nothing from a game that is no longer stopped, has another container or engine, or is gone",
      () =>
        Effect.gen(function* () {
          const { rehearse } = yield* GameLeases
          yield* given(stopped("game", { status: "running" }))
          assert.isFalse(yield* rehearse(stopped("game"), asked))
          yield* given(stopped("game", { containerId: containerId("b") }))
          assert.isFalse(yield* rehearse(stopped("game"), asked))
          yield* given(stopped("game", { engine: "host-1" }))
          assert.isFalse(yield* rehearse(stopped("game"), asked))
          assert.isFalse(yield* rehearse(stopped("gone"), asked))
        })
    )

    it.effect("commits a record without a container", () =>
      Effect.gen(function* () {
        yield* given(stopped("game", { containerId: null, imageRef: null }))
        const { commit } = yield* GameLeases
        const { lease } = yield* held()
        const row = auditRow({ containerId: null, imageRef: null, traceId: null })
        assert.strictEqual(yield* commit(lease, { containerId: null }, row), "committed")
        const fixture = yield* StoreFixture
        assert.strictEqual((yield* fixture.log("game"))[0]?.containerId, null)
      })
    )

    it.effect("says committed again when it is asked again, and writes nothing more", () =>
      Effect.gen(function* () {
        yield* given()
        const { commit } = yield* GameLeases
        const fixture = yield* StoreFixture
        const { lease } = yield* held()
        const ask = commit(lease, stopped("game"), auditRow())
        assert.deepStrictEqual(yield* Effect.all([ask, ask]), ["committed", "committed"])
        assert.strictEqual((yield* fixture.log("game")).length, 1)
      })
    )

    it.effect("lets two that hold the same lease commit once", () =>
      Effect.gen(function* () {
        yield* given()
        const { commit } = yield* GameLeases
        const fixture = yield* StoreFixture
        const { lease } = yield* held()
        yield* Effect.replicateEffect(commit(lease, stopped("game"), auditRow()), 8, { concurrency: "unbounded" })
        assert.strictEqual((yield* fixture.log("game")).length, 1)
      })
    )

    it.effect("does not commit with a stale token, and leaves the newer lease alone", () =>
      Effect.gen(function* () {
        yield* given()
        const { commit } = yield* GameLeases
        const fixture = yield* StoreFixture
        const { lease: stale } = yield* held()
        yield* fixture.expireLeases
        const { lease: newer } = yield* held()
        assert.strictEqual(yield* commit(stale, stopped("game"), auditRow()), "record_moved")
        assert.deepStrictEqual(yield* fixture.record("game"), stopped("game"))
        assert.deepStrictEqual(yield* fixture.lease("game"), newer)
        assert.deepStrictEqual(yield* fixture.log("game"), [])
      })
    )

    it.effect("does not commit with its token in another's hands", () =>
      Effect.gen(function* () {
        yield* given()
        const { commit } = yield* GameLeases
        const fixture = yield* StoreFixture
        const { lease } = yield* held()
        yield* fixture.putLease({ ...lease, owner: other }, false)
        assert.strictEqual(yield* commit(lease, stopped("game"), auditRow()), "record_moved")
        assert.deepStrictEqual(yield* fixture.record("game"), stopped("game"))
      })
    )

    it.effect("touches nothing by a lease whose owner has got the same token again, as after a failover", () =>
      Effect.gen(function* () {
        yield* given()
        const { commit, renew, settle } = yield* GameLeases
        const fixture = yield* StoreFixture
        const { lease: lost } = yield* held()
        const again = { ...lost, acquiredAt: lost.acquiredAt + 1000n }
        yield* fixture.putLease(again, false)
        assert.isFalse(yield* renew(lost))
        yield* settle(lost, { failure: undefined, backoff: undefined, keep: false })
        yield* settle(lost, { failure: failed(), backoff, keep: false })
        assert.strictEqual(yield* commit(lost, stopped("game"), auditRow()), "record_moved")
        assert.deepStrictEqual(yield* fixture.lease("game"), again)
        assert.deepStrictEqual(yield* fixture.record("game"), stopped("game"))
        assert.deepStrictEqual(yield* fixture.log("game"), [])
      })
    )

    const moves: ReadonlyArray<readonly [string, Partial<RuntimeRecord>, string]> = [
      ["runs again", { status: "running" }, "record_moved"],
      ["has another container", { containerId: containerId("b") }, "record_moved"],
      ["is on another engine", { engine: "host-1" }, "record_moved"],
      ["has no container any more", { containerId: null }, "record_moved"],
      ["is removed already", { status: "removed" }, "already_removed"]
    ]
    for (const [what, change, expected] of moves) {
      it.effect(`releases but moves nothing when the record ${what}`, () =>
        Effect.gen(function* () {
          yield* given()
          const { commit } = yield* GameLeases
          const fixture = yield* StoreFixture
          const { lease } = yield* held()
          yield* fixture.put(stopped("game", change))
          assert.strictEqual(yield* commit(lease, stopped("game"), auditRow()), expected)
          assert.deepStrictEqual(yield* fixture.record("game"), stopped("game", change))
          assert.deepStrictEqual(yield* fixture.log("game"), [])
          assert.isUndefined(yield* fixture.lease("game"))
        })
      )
    }

    it.effect("says so when the record is gone", () =>
      Effect.gen(function* () {
        yield* given()
        const { commit } = yield* GameLeases
        const { lease } = yield* held("gone")
        assert.strictEqual(yield* commit(lease, stopped("gone"), auditRow()), "record_moved")
      })
    )

    it.effect("keeps one success row for a container that comes back", () =>
      Effect.gen(function* () {
        yield* given()
        const { commit } = yield* GameLeases
        const fixture = yield* StoreFixture
        const first = yield* held()
        yield* commit(first.lease, stopped("game"), auditRow())
        yield* fixture.put(stopped("game"))
        const second = yield* held()
        assert.strictEqual(yield* commit(second.lease, stopped("game"), auditRow()), "committed")
        assert.strictEqual((yield* fixture.log("game")).length, 1)
      })
    )

    it.effect("settles: the failure row is written and the lease released", () =>
      Effect.gen(function* () {
        yield* given()
        const { settle } = yield* GameLeases
        const fixture = yield* StoreFixture
        const { lease } = yield* held()
        yield* settle(lease, { failure: failed(), backoff: undefined, keep: false })
        assert.deepStrictEqual(yield* fixture.log("game"), [
          { ...failed(), gameId: "game", outcome: "failure", leaseOwner: lease.owner, leaseToken: lease.token }
        ])
        assert.isUndefined(yield* fixture.lease("game"))
        assert.deepStrictEqual(yield* fixture.record("game"), stopped("game"))
      })
    )

    it.effect("settles without a row, releasing or keeping the lease", () =>
      Effect.gen(function* () {
        yield* given()
        const { settle } = yield* GameLeases
        const fixture = yield* StoreFixture
        const { lease } = yield* held()
        yield* settle(lease, { failure: undefined, backoff: undefined, keep: true })
        assert.deepStrictEqual(yield* fixture.lease("game"), lease)
        yield* settle(lease, { failure: undefined, backoff: undefined, keep: false })
        assert.isUndefined(yield* fixture.lease("game"))
        assert.deepStrictEqual(yield* fixture.log("game"), [])
      })
    )

    it.effect("keeps the lease of an unresolved removal while writing its failure row", () =>
      Effect.gen(function* () {
        yield* given()
        const { settle } = yield* GameLeases
        const fixture = yield* StoreFixture
        const { lease } = yield* held()
        yield* settle(lease, { failure: failed({ errorCode: "outcome_unknown" }), backoff: undefined, keep: true })
        assert.deepStrictEqual(yield* fixture.lease("game"), lease)
        assert.strictEqual((yield* fixture.log("game")).length, 1)
      })
    )

    it.effect("writes no failure row and no backoff once the lease is lost, and leaves the newer one alone", () =>
      Effect.gen(function* () {
        yield* given()
        const { settle } = yield* GameLeases
        const fixture = yield* StoreFixture
        const { lease: stale } = yield* held()
        yield* fixture.expireLeases
        const { lease: newer } = yield* held()
        for (const keep of [false, true]) yield* settle(stale, { failure: failed(), backoff, keep })
        yield* settle(stale, { failure: undefined, backoff: undefined, keep: false })
        assert.deepStrictEqual(yield* fixture.lease("game"), newer)
        assert.deepStrictEqual(yield* fixture.log("game"), [])
        assert.isNull((yield* fixture.record("game"))?.backoff)
      })
    )

    it.effect("writes the failure row of a commit that moved nothing, although the lease is used up", () =>
      Effect.gen(function* () {
        yield* given()
        const { settle } = yield* GameLeases
        const fixture = yield* StoreFixture
        const { lease } = yield* held()
        yield* settle(lease, { failure: undefined, backoff: undefined, keep: false })
        const failure = failed({ errorCode: "removed_not_committed" })
        yield* settle(lease, { failure, backoff, keep: false, afterCommit: true })
        assert.strictEqual((yield* fixture.log("game")).length, 1)
        assert.isNull((yield* fixture.record("game"))?.backoff)
      })
    )

    it.effect.each([false, true])(
      "event 18: stores the backoff of a failure and gives it back; lease kept: %s",
      (keep) =>
        Effect.gen(function* () {
          yield* given()
          const { settle } = yield* GameLeases
          const fixture = yield* StoreFixture
          const { lease } = yield* held()
          yield* settle(lease, { failure: failed(), backoff, keep })
          assert.deepStrictEqual((yield* fixture.record("game"))?.backoff, backoff)
          yield* fixture.expireLeases
          const again = yield* held()
          assert.deepStrictEqual(again.record?.backoff, backoff)
          const more = { ...backoff, attempts: 4, nextAttemptAt: backoff.nextAttemptAt + 1 }
          yield* settle(again.lease, { failure: failed(), backoff: more, keep })
          assert.deepStrictEqual((yield* fixture.record("game"))?.backoff, more)
        })
    )

    it.effect("event 18: forgets the backoff by a commit, and by nothing else", () =>
      Effect.gen(function* () {
        yield* given(stopped("game", { backoff }))
        const { commit, settle } = yield* GameLeases
        const fixture = yield* StoreFixture
        const { lease } = yield* held()
        yield* settle(lease, { failure: undefined, backoff: undefined, keep: false })
        const other = yield* held()
        yield* commit(other.lease, { containerId: containerId("b") }, auditRow())
        assert.deepStrictEqual((yield* fixture.record("game"))?.backoff, backoff)
        yield* commit((yield* held()).lease, stopped("game"), auditRow())
        assert.isNull((yield* fixture.record("game"))?.backoff)
      })
    )

    it.effect("names nobody who held a lease that was released", () =>
      Effect.gen(function* () {
        yield* given()
        const { settle } = yield* GameLeases
        const { lease } = yield* held()
        yield* settle(lease, { failure: undefined, backoff: undefined, keep: false })
        assert.isUndefined((yield* held()).leftBy)
      })
    )

    it.effect("renews a lease that is ours: the same lease, for its TTL from then on", () =>
      Effect.gen(function* () {
        yield* given()
        const { acquire, renew } = yield* GameLeases
        const fixture = yield* StoreFixture
        const { lease } = yield* held()
        // An hour is left, so that what is left afterwards can only come from the renewal.
        yield* fixture.putLease(lease, false)
        assert.isAbove(yield* fixture.leaseLeft("game"), 60_000)
        assert.isTrue(yield* renew(lease))
        const left = yield* fixture.leaseLeft("game")
        assert.isTrue(left > 0 && left <= 60_000, `${left} ms are left`)
        assert.deepStrictEqual(yield* fixture.lease("game"), lease)
        assert.strictEqual((yield* acquire("game"))._tag, "Busy")
      })
    )

    it.effect("does not renew a lease that has expired, is another's or is released", () =>
      Effect.gen(function* () {
        yield* given()
        const { renew, settle } = yield* GameLeases
        const fixture = yield* StoreFixture
        const { lease: stale } = yield* held()
        yield* fixture.expireLeases
        assert.isFalse(yield* renew(stale))
        assert.strictEqual(yield* fixture.leaseLeft("game"), 0)
        const { lease } = yield* held()
        assert.isFalse(yield* renew(stale))
        assert.isFalse(yield* renew({ ...lease, owner: other }))
        assert.isTrue(yield* renew(lease))
        yield* settle(lease, { failure: undefined, backoff: undefined, keep: false })
        assert.isFalse(yield* renew(lease))
      })
    )

    for (const [what, change, rows] of repeats) {
      it.effect(`writes a failure for ${what}`, () =>
        Effect.gen(function* () {
          yield* given()
          yield* attempt(failed())
          yield* attempt(failed(change))
          assert.strictEqual((yield* (yield* StoreFixture).log("game")).length, rows)
        })
      )
    }

    it.effect("compares a failure with the game's last row only", () =>
      Effect.gen(function* () {
        yield* given()
        yield* attempt(failed())
        yield* attempt(failed({ errorCode: "conflict" }))
        yield* attempt(failed())
        assert.strictEqual((yield* (yield* StoreFixture).log("game")).length, 3)
      })
    )
  })
}
