import { randomUUID } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Duration, Effect, type Layer } from "effect"
import { EngineId } from "../../src/ports/ContainerEngine.ts"
import { Overview } from "../../src/ports/Overview.ts"
import { longAgo, micros, momentAt, stopped } from "../support/records.ts"
import { StoreFixture } from "./StoreFixture.ts"

/** Each test's rows alone. */
const emptied = Effect.gen(function* () {
  const fixture = yield* StoreFixture
  yield* fixture.clear
  return { ...fixture, ...(yield* Overview) }
})

const day = Duration.toMillis("1 day")
const moment = momentAt(longAgo)

/** So many days before the cutoff, or after it. */
const ended = (days: number) => ({ lastOpAt: micros(longAgo + days * day) })

const backoff = (attempts: number, days: number) => ({
  backoff: { attempts, nextAttemptAt: moment.now + days * day, lastError: "engine_error" }
})

const count = (count: number) => ({ count, more: false })

/** What every `Overview` must do, for the engine `default`. */
export const suite = <E>(name: string, layer: Layer.Layer<Overview | StoreFixture, E>): void => {
  it.layer(layer, { excludeTestServices: true })(name, (it) => {
    it.effect("finds nothing of a game that it does not have", () =>
      Effect.gen(function* () {
        const { game } = yield* emptied
        assert.deepStrictEqual(yield* game("chess"), { record: undefined, problem: undefined, lease: undefined })
      })
    )

    it.effect("finds a game of any status on any engine, with its backoff", () =>
      Effect.gen(function* () {
        const { game, put } = yield* emptied
        const here = stopped("here", backoff(3, 1))
        const elsewhere = stopped("elsewhere", {
          engine: "host-2",
          status: "running",
          lastOpAt: null,
          containerId: null
        })
        yield* put(here)
        yield* put(elsewhere)
        assert.deepStrictEqual((yield* game("here")).record, here)
        assert.deepStrictEqual((yield* game("elsewhere")).record, elsewhere)
      })
    )

    it.effect("says what is wrong with a record that does not decode", () =>
      Effect.gen(function* () {
        const { game, put } = yield* emptied
        yield* put(stopped("", {}))
        const { problem, record } = yield* game("")
        assert.isUndefined(record)
        assert.match(problem ?? "", /^game /)
      })
    )

    it.effect("finds a game's lease, also without a record", () =>
      Effect.gen(function* () {
        const { game, putLease } = yield* emptied
        const owner = randomUUID()
        yield* putLease({ gameId: "chess", owner, token: 1n }, false)
        const { lease } = yield* game("chess")
        assert.strictEqual(lease?.owner, owner)
        assert.isAbove(lease?.until.getTime() ?? 0, Date.now())
      })
    )

    it.effect("counts nothing where nothing is", () =>
      Effect.gen(function* () {
        const { backlog } = yield* emptied
        const none = count(0)
        assert.deepStrictEqual(yield* backlog(moment, { next: 5 }), {
          counts: { stopped: none, due: none, backingOff: none, held: none, leased: none, stuck: none },
          next: []
        })
      })
    )

    it.effect("counts the engine's stopped games by what they wait for", () =>
      Effect.gen(function* () {
        const { backlog, put, putLease } = yield* emptied
        yield* put(stopped("due", ended(-1)))
        yield* put(stopped("leased", ended(-2)))
        yield* putLease({ gameId: "leased", owner: randomUUID(), token: 1n }, false)
        yield* put(stopped("left-behind", ended(-2)))
        yield* putLease({ gameId: "left-behind", owner: randomUUID(), token: 2n }, true)
        yield* put(stopped("retried", { ...ended(-3), ...backoff(2, -1) }))
        yield* put(stopped("backs-off", { ...ended(-4), ...backoff(2, 1) }))
        yield* put(stopped("stuck", { ...ended(-5), ...backoff(10, 1) }))
        yield* put(stopped("young", ended(1)))
        yield* put(stopped("young-and-failed", { ...ended(1), ...backoff(1, 1) }))
        yield* put(stopped("untimed", { lastOpAt: null }))
        yield* put(stopped("running", { ...ended(-1), status: "running" }))
        yield* put(stopped("elsewhere", { ...ended(-1), engine: "host-2" }))
        assert.deepStrictEqual((yield* backlog(moment, { next: 0 })).counts, {
          stopped: count(9),
          due: count(4),
          backingOff: count(1),
          held: count(0),
          leased: count(1),
          stuck: count(1)
        })
      })
    )

    it.effect("tells what goes next: by when both retention and backoff are over", () =>
      Effect.gen(function* () {
        const { backlog, put } = yield* emptied
        yield* put(stopped("third", ended(3)))
        yield* put(stopped("first", ended(-3)))
        yield* put(stopped("second", { ...ended(-4), ...backoff(1, 2) }))
        yield* put(stopped("fourth", { ...ended(4), ...backoff(1, 2) }))
        yield* put(stopped("last", { ...ended(-9), ...backoff(10, 9) }))
        yield* put(stopped("never", { lastOpAt: null }))
        const { next } = yield* backlog(moment, { next: 4 })
        assert.deepStrictEqual(
          next.map(({ gameId }) => gameId),
          ["first", "second", "third", "fourth"]
        )
        assert.deepStrictEqual(next[1], {
          gameId: "second",
          ...ended(-4),
          nextAttemptAt: moment.now + 2 * day,
          hold: null
        })
      })
    )

    it.effect("lists the engines that a service has cleaned, by name", () =>
      Effect.gen(function* () {
        const { engines, putEngine } = yield* emptied
        yield* putEngine("host-2", EngineId.make("second"))
        yield* putEngine("default", EngineId.make("first"))
        const times = { acceptedAt: null, lastPassAt: null, lastSeenAt: null }
        assert.deepStrictEqual(yield* engines, [
          { name: "default", engineId: EngineId.make("first"), braked: false, ...times },
          { name: "host-2", engineId: EngineId.make("second"), braked: false, ...times }
        ])
      })
    )
  })
}
