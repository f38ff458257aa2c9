import { assert, describe } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { FetchHttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient, HttpApiMiddleware } from "effect/http-api"
import { Reason } from "../../src/domain/Act.ts"
import { Api, Authorized } from "../../src/http/Api.ts"
import { ApiServer, inApi } from "../support/apiServer.ts"
import { actRows, seedMany } from "../support/world.ts"

const reason = Reason.make("a player complains")

/** The client that comes from the contract, with somebody's token. */
const clientOf = Effect.fnUntraced(function* (who: "ann" | "bob") {
  const { port, tokens } = yield* ApiServer
  const authorized = HttpApiMiddleware.layerClient(Authorized, ({ next, request }) =>
    next(HttpClientRequest.bearerToken(request, tokens[who]))
  )
  return yield* HttpApiClient.make(Api, { baseUrl: `http://127.0.0.1:${port}` }).pipe(
    Effect.provide(Layer.merge(FetchHttpClient.layer, authorized))
  )
})

describe("the client of the contract", () => {
  inApi("knows whose token it has, and how the cleaning stands", function* () {
    yield* seedMany(3)
    const { readings } = yield* clientOf("bob")
    assert.deepStrictEqual(yield* readings.me(), { name: "bob", role: "read" })
    assert.strictEqual((yield* readings.status()).backlog.due.count, 3)
  })

  inApi("gets all games of a state, page by page", function* () {
    yield* seedMany(5)
    const { readings } = yield* clientOf("bob")
    const page = (cursor: string | null) =>
      readings.games({ query: { state: "due", limit: 2, ...(cursor !== null && { cursor }) } })
    const first = yield* page(null)
    const second = yield* page(first.next)
    const third = yield* page(second.next)
    assert.deepStrictEqual(
      [first, second, third].map(({ games }) => games.map(({ gameId }) => gameId)),
      [["game-0", "game-1"], ["game-2", "game-3"], ["game-4"]]
    )
    assert.isNull(third.next)
  })

  inApi("goes on with the places of acts and holds, whose cursors are no text to it", function* () {
    const { acts, readings } = yield* clientOf("ann")
    for (const id of ["a", "b", "c"]) yield* acts.hold({ params: { id }, headers: {}, payload: { reason } })
    const holds = yield* readings.holds({ query: { limit: 2 } })
    assert.deepStrictEqual(holds.next, { gameId: "b", author: "ann" })
    const more = yield* readings.holds({ query: { limit: 2, ...(holds.next !== null && { cursor: holds.next }) } })
    assert.deepStrictEqual(
      more.holds.map(({ gameId }) => gameId),
      ["c"]
    )
    const newest = yield* readings.acts({ query: { limit: 1 } })
    const older = yield* readings.acts({ query: { ...(newest.next !== null && { cursor: newest.next }) } })
    assert.deepStrictEqual(
      older.acts.map(({ target }) => target),
      ["b", "a"]
    )
  })

  inApi("holds a game once for its key, by the version that it has seen", function* () {
    yield* seedMany(1)
    const { acts, readings } = yield* clientOf("ann")
    const { headers } = yield* readings.game({ params: { id: "game-0" } })
    const request = {
      params: { id: "game-0" },
      headers: { "idempotency-key": "k", ...(headers.etag !== undefined && { "if-match": headers.etag }) },
      payload: { reason, until: "30d" }
    }
    const first = yield* acts.hold(request)
    assert.deepStrictEqual(yield* acts.hold(request), first)
    assert.lengthOf(yield* actRows, 1)
  })

  inApi("fails with the problem that it is told, with its words", function* () {
    const { acts } = yield* clientOf("ann")
    const refused = yield* Effect.flip(acts.clean({ params: { id: "nobody" }, headers: {}, payload: { reason } }))
    assert.deepInclude(refused, { _tag: "Refused", detail: "there is no record of game nobody" })
    const reader = yield* clientOf("bob")
    const forbidden = yield* Effect.flip(reader.acts.pause({ headers: {}, payload: { reason } }))
    assert.strictEqual(forbidden._tag, "Forbidden")
    const missing = yield* Effect.flip(reader.readings.game({ params: { id: "somebody" } }))
    assert.strictEqual(missing._tag, "NotFound")
  })

  inApi("reads the events", function* () {
    const { readings } = yield* clientOf("bob")
    const [first] = yield* Stream.runCollect(Stream.take(yield* readings.events(), 1))
    assert.strictEqual(first?.event, "status")
  })
})
