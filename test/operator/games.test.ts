import { assert, describe } from "@effect/vitest"
import { Duration, Effect, Schema } from "effect"
import { GamePage, type GameState } from "../../src/domain/GamePage.ts"
import { type GamesRequest, games } from "../../src/operator/games.ts"
import { StoreState } from "../adapters/memory/StoreState.ts"
import { testIn } from "../support/testIn.ts"
import { layerWorld, now, retention, seed, seedMany, storeDown } from "../support/world.ts"

const inWorld = testIn(layerWorld())

const day = Duration.toMillis("1 day")

const look = (request: Partial<GamesRequest> & { readonly state: GameState }) =>
  games({ engine: undefined, cursor: undefined, limit: 500, retention, ...request })

const encode = Schema.encodeSync(GamePage)

describe("the games in a state", () => {
  inWorld("say when they go, by which rule, and what keeps them", function* () {
    const state = yield* StoreState
    yield* seed("due", 1)
    yield* seed("young", 2, { record: { lastOpAt: BigInt(now - day) * 1000n } })
    yield* seed("backs-off", 3)
    state.backoffs.set("backs-off", { attempts: 3, nextAttemptAt: now + day, lastError: "engine_error" })
    yield* seed("held", 4)
    const hold = { gameId: "held", author: "ann", reason: "a dispute", placedAt: now, until: null }
    state.setHold(hold, hold)
    const page = yield* look({ state: "stopped" })
    assert.deepStrictEqual(
      page.games.map(({ blockedBy, dueAt, gameId, rule }) => [gameId, blockedBy, dueAt && dueAt.getTime() - now, rule]),
      [
        ["backs-off", "backoff", day, `backing off until ${new Date(now + day).toISOString()}`],
        ["due", null, -day, "retention 30d"],
        ["held", "hold", null, 'held by ann until released: "a dispute"'],
        ["young", "retention", 29 * day, "retention 30d"]
      ]
    )
    assert.deepStrictEqual(encode(yield* look({ state: "backing_off" })), {
      games: [
        {
          game_id: "backs-off",
          engine: "default",
          last_op_at: new Date(now - day - Duration.toMillis(retention)).toISOString(),
          due_at: new Date(now + day).toISOString(),
          rule: `backing off until ${new Date(now + day).toISOString()}`,
          blocked_by: "backoff",
          attempts: 3,
          last_error: "engine_error"
        }
      ],
      next: null
    })
  })

  inWorld("of other engines are told of without when they go, which only their services know", function* () {
    yield* seed("theirs", 1, { record: { engine: "host-2" } })
    yield* seed("ours", 2)
    const { games } = yield* look({ state: "due" })
    assert.deepStrictEqual(
      games.map(({ blockedBy, dueAt, gameId, rule }) => [gameId, blockedBy, dueAt && dueAt.getTime() - now, rule]),
      [
        ["ours", null, -day, "retention 30d"],
        ["theirs", "elsewhere", null, "the service of engine host-2 decides"]
      ]
    )
  })

  inWorld("of other engines are told of with the hold that keeps them", function* () {
    const state = yield* StoreState
    for (const [gameId, until] of [
      ["for good", null],
      ["for now", now + day]
    ] as const) {
      yield* seed(gameId, 1, { record: { engine: "host-2" } })
      const hold = { gameId, author: "ann", reason: "a dispute", placedAt: now, until }
      state.setHold(hold, hold)
    }
    const { games } = yield* look({ state: "held" })
    const end = new Date(now + day).toISOString()
    assert.deepStrictEqual(
      games.map(({ blockedBy, dueAt, gameId, rule }) => [gameId, blockedBy, dueAt, rule]),
      [
        ["for good", "hold", null, 'held by ann until released: "a dispute"'],
        [
          "for now",
          "elsewhere",
          null,
          `held by ann until ${end}: "a dispute"; then the service of engine host-2 decides`
        ]
      ]
    )
  })

  inWorld("come page by page, each from the cursor of the one before", function* () {
    yield* seedMany(5)
    const first = yield* look({ state: "due", limit: 2 })
    assert(first.next !== null)
    const second = yield* look({ state: "due", limit: 2, cursor: first.next })
    assert(second.next !== null)
    const third = yield* look({ state: "due", limit: 2, cursor: second.next })
    assert.isNull(third.next)
    assert.deepStrictEqual(
      [first, second, third].flatMap((page) => page.games.map(({ gameId }) => gameId)),
      ["game-0", "game-1", "game-2", "game-3", "game-4"]
    )
  })

  inWorld("are refused to a cursor that is forged, or of another list", function* () {
    yield* seedMany(2)
    const { next } = yield* look({ state: "due", limit: 1 })
    assert(next !== null)
    for (const cursor of ["", "x", "eyJ9", next.slice(1), `${next}%`]) {
      assert.strictEqual((yield* Effect.flip(look({ state: "due", cursor })))._tag, "CursorRefused", cursor)
    }
    const { _tag, message } = yield* Effect.flip(look({ state: "held", cursor: next }))
    assert.strictEqual(_tag, "CursorRefused")
    assert.strictEqual(message, "the cursor is none that a page of this list has given")
  })

  inWorld("are not given while the database is away", function* () {
    ;(yield* StoreState).intercept = (operation) => (operation === "listGames" ? storeDown : Effect.void)
    assert.strictEqual((yield* Effect.flip(look({ state: "due" })))._tag, "StoreError")
  })
})
