import { randomUUID } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Duration, Effect, type Layer } from "effect"
import { Author } from "../../src/domain/Act.ts"
import type { GamePlace } from "../../src/domain/GameCursor.ts"
import { type GameState, gameStates } from "../../src/domain/GamePage.ts"
import { EngineId } from "../../src/ports/ContainerEngine.ts"
import { Holds } from "../../src/ports/Holds.ts"
import { type GamesQuery, Overview } from "../../src/ports/Overview.ts"
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

const hold = (days: number | null) => ({
  hold: { author: "ann", reason: "a test", until: days === null ? null : new Date(Date.now() + days * day) }
})

/** Games that are in every state there is, on three engines. */
const manyGames = Effect.gen(function* () {
  const { put } = yield* StoreFixture
  for (const engine of ["default", "host-1", "host-2"]) {
    const name = engine === "default" ? "" : `-${engine}`
    for (const i of [1, 2, 3]) {
      yield* put(stopped(`due-${i}${name}`, { engine, ...ended(-i) }))
      yield* put(stopped(`backs-off-${i}${name}`, { engine, ...ended(-4), ...backoff(2, i) }))
      yield* put(stopped(`stuck-${i}${name}`, { engine, ...ended(-i), ...backoff(10, i - 2) }))
      yield* put(stopped(`held-${i}${name}`, { engine, ...ended(i - 2), ...hold(i === 3 ? null : i) }))
      yield* put(stopped(`untimed-${i}${name}`, { engine, lastOpAt: null }))
    }
    yield* put(stopped(`young${name}`, { engine, ...ended(1) }))
    yield* put(stopped(`young-and-failed${name}`, { engine, ...ended(1), ...backoff(11, 1) }))
    yield* put(stopped(`no-longer-held${name}`, { engine, ...ended(-9), ...hold(-1) }))
    yield* put(stopped(`running${name}`, { engine, ...ended(-1), status: "running", ...hold(1), ...backoff(10, 1) }))
  }
})

/** In the order of the pages, whose size is `limit`. */
const listed = (query: Pick<GamesQuery, "state" | "engine" | "limit">) =>
  Effect.gen(function* () {
    const { games } = yield* Overview
    const pages: Array<ReadonlyArray<string>> = []
    for (let after: GamePlace | undefined, more = true; more; more = after !== undefined) {
      const page = yield* games({ ...query, moment, after })
      assert(page !== undefined && page.games.length <= query.limit && pages.length < 100)
      pages.push(page.games.map(({ gameId }) => gameId))
      after = page.next
    }
    return pages.flat()
  })

const inState: Record<GameState, ReadonlyArray<string>> = {
  due: ["no-longer-held", "due-3", "due-2", "due-1", "stuck-2", "stuck-1"],
  held: ["held-1", "held-2", "held-3"],
  backing_off: ["backs-off-1", "backs-off-2", "backs-off-3"],
  stuck: ["stuck-1", "stuck-2", "stuck-3"],
  stopped: []
}

/** What every `Overview` must do, for the engine `default`. */
export const suite = <E>(name: string, layer: Layer.Layer<Overview | Holds | StoreFixture, E>): void => {
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

    it.effect.each(["due", "held", "backing_off", "stuck", "stopped"] as const)(
      "counts as many games as are listed: %s",
      (state) =>
        Effect.gen(function* () {
          const { backlog, games } = yield* emptied
          yield* manyGames
          const { counts } = yield* backlog(moment, { next: 0 })
          const query = { state, engine: "default", after: undefined, limit: 500, moment }
          const { games: listed = [] } = (yield* games(query)) ?? {}
          assert.isNotEmpty(listed)
          const { backingOff, ...others } = counts
          assert.deepStrictEqual({ ...others, backing_off: backingOff }[state], count(listed.length))
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

    it.effect.each(["due", "held", "backing_off", "stuck"] as const)(
      "lists the games of one engine that are %s",
      (state) =>
        Effect.gen(function* () {
          yield* emptied
          yield* manyGames
          const names = yield* listed({ state, engine: "default", limit: 500 })
          assert.deepStrictEqual(state === "due" ? names.toSorted() : names, inState[state].toSorted())
          assert.deepStrictEqual(
            (yield* listed({ state, engine: "host-1", limit: 500 })).toSorted(),
            inState[state].map((name) => `${name}-host-1`).toSorted()
          )
          assert.deepStrictEqual(yield* listed({ state, engine: "host-9", limit: 500 }), [])
        })
    )

    it.effect("lists all stopped games of an engine by their time, and those without one last", () =>
      Effect.gen(function* () {
        const { put } = yield* emptied
        yield* put(stopped("b", ended(-1)))
        yield* put(stopped("d", ended(1)))
        yield* put(stopped("f", { lastOpAt: null }))
        yield* put(stopped("a", { ...ended(2), ...hold(null) }))
        yield* put(stopped("e", { lastOpAt: null }))
        yield* put(stopped("c", { ...ended(-1), ...backoff(10, 1) }))
        yield* put(stopped("running", { ...ended(0), status: "running" }))
        for (const limit of [1, 2, 500]) {
          assert.deepStrictEqual(yield* listed({ state: "stopped", engine: "default", limit }), [
            "b",
            "c",
            "d",
            "a",
            "e",
            "f"
          ])
        }
      })
    )

    it.effect.each(gameStates)(
      "lists each game that is %s once, whatever the size of the pages and the engine",
      (state) =>
        Effect.gen(function* () {
          yield* emptied
          yield* manyGames
          for (const engine of ["default", "host-1", undefined]) {
            const whole = yield* listed({ state, engine, limit: 500 })
            assert.strictEqual(new Set(whole).size, whole.length)
            assert.lengthOf(whole, (inState[state].length || 18) * (engine === undefined ? 3 : 1))
            for (const limit of [1, 2, 7]) assert.deepStrictEqual(yield* listed({ state, engine, limit }), whole)
          }
        })
    )

    it.effect("gives what decides when a game goes, and of its holds the one that lasts longest", () =>
      Effect.gen(function* () {
        const { games, put } = yield* emptied
        const holds = yield* Holds
        const facts = { ...ended(-1), ...backoff(3, 1) }
        yield* put(stopped("chess", { ...facts, ...hold(2) }))
        yield* holds.place({ gameId: "chess", author: Author.make("zoe"), reason: "why", end: null })
        yield* holds.place({ gameId: "chess", author: Author.make("abe"), reason: "why", end: Duration.days(1) })
        yield* holds.place({ gameId: "nobody", author: Author.make("abe"), reason: "why", end: null })
        const page = yield* games({ state: "held", engine: undefined, after: undefined, limit: 5, moment })
        assert.deepStrictEqual(page, {
          games: [
            {
              ...{ gameId: "chess", engine: "default", status: "stopped", ...facts },
              hold: { author: "zoe", reason: "why", until: null }
            }
          ],
          next: undefined
        })
      })
    )

    it.effect("answers with a page or none if the place is none that a page has given", () =>
      Effect.gen(function* () {
        const { games } = yield* emptied
        yield* manyGames
        for (const state of gameStates) {
          for (const gameId of ["ff", "00", "ffff", "f0", "", "7a"]) {
            for (const lastOpAt of ["0", "-210866803200000000", "9224318015999999999", "infinity", "-infinity", null]) {
              const after = { state, engine: gameId, lastOpAt, gameId }
              const page = yield* games({ state, engine: undefined, after, limit: 5, moment })
              assert.isAtMost(page?.games.length ?? 0, 5)
              yield* games({ state, engine: "default", after, limit: 5, moment })
            }
          }
        }
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
