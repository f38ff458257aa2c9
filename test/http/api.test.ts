import { chmodSync, writeFileSync } from "node:fs"
import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { MemoryEngine } from "../../src/adapters/memory/ContainerEngine.ts"
import { StoreState } from "../adapters/memory/StoreState.ts"
import { ApiServer, type Asked, as, get, inApi, post, problemOf } from "../support/apiServer.ts"
import { actRows, containerId, heldAtEngine, seed, seedMany } from "../support/world.ts"

const reason = "a player complains"

describe("the API", () => {
  describe("lets nobody in", () => {
    const refused: ReadonlyArray<readonly [string, (tokens: Record<"ann" | "bob", string>) => Record<string, string>]> =
      [
        ["without a token", () => ({})],
        ["with another's token", () => ({ authorization: "Bearer rtm_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" })],
        ["with an empty one", () => ({ authorization: "Bearer " })],
        ["with part of one", ({ ann }) => ({ authorization: `Bearer ${ann.slice(0, -1)}` })],
        [
          "by another scheme",
          ({ ann }) => ({ authorization: `Basic ${Buffer.from(`ann:${ann}`).toString("base64")}` })
        ],
        ["by a cookie", ({ ann }) => ({ cookie: `token=${ann}; authorization=Bearer ${ann}` })]
      ]
    inApi.each(refused)("%s", function* ([, headersOf]) {
      const { ask, tokens } = yield* ApiServer
      const answer = yield* ask({
        path: `/api/v1/status?token=${tokens.ann}&access_token=${tokens.ann}`,
        headers: headersOf(tokens)
      })
      assert.strictEqual(problemOf(answer).status, 401)
      assert.strictEqual(answer.status, 401)
      assert.strictEqual(answer.headers["www-authenticate"], "Bearer")
      assert.notInclude(answer.body, tokens.ann)
    })

    inApi("once an address has failed five times in a minute, not even with the right token", function* () {
      const { ask } = yield* ApiServer
      const headers = { authorization: "Bearer rtm_guess" }
      for (let i = 0; i < 5; i++) assert.strictEqual((yield* ask({ path: "/api/v1/status", headers })).status, 401)
      const blocked = yield* as("ann", { path: "/api/v1/status" })
      assert.strictEqual(problemOf(blocked).status, 429)
      assert.strictEqual(blocked.headers["retry-after"], "60")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* as("ann", { path: "/api/v1/status" })).status, 200)
    })

    inApi("while others may read the token file, which blames nobody who has a token", function* () {
      const { tokensFile } = yield* ApiServer
      chmodSync(tokensFile, 0o644)
      yield* TestClock.adjust("1 second")
      for (let i = 0; i < 8; i++) {
        assert.strictEqual(problemOf(yield* as("bob", { path: "/api/v1/me" })).status, 503)
      }
      chmodSync(tokensFile, 0o600)
      yield* TestClock.adjust("1 second")
      yield* get("/me")
    })

    inApi("once the token's line is gone", function* () {
      const { tokensFile } = yield* ApiServer
      yield* get("/me")
      writeFileSync(tokensFile, "")
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* as("bob", { path: "/api/v1/me" })).status, 401)
    })
  })

  inApi("takes no more than 20 requests a second of one token, and of others all the same", function* () {
    for (let i = 0; i < 20; i++) yield* get("/me")
    const busy = yield* as("bob", { path: "/api/v1/me" })
    assert.strictEqual(busy.status, 429)
    assert.strictEqual(busy.headers["retry-after"], "1")
    yield* get("/me", "ann")
    yield* TestClock.adjust("1 second")
    yield* get("/me")
  })

  inApi("counts the games of all engines for one at a time, and says to others when to ask again", function* () {
    yield* seedMany(2)
    yield* seed("stray", 9, { record: { engine: "host-9" } })
    const state = yield* StoreState
    const reached = yield* Deferred.make<void>()
    const answer = yield* Deferred.make<void>()
    state.intercept = (operation) =>
      operation === "listEngines"
        ? Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(answer))
        : Effect.void
    const first = yield* Effect.forkChild(get("/engines"))
    yield* Deferred.await(reached)
    const other = yield* as("ann", { path: "/api/v1/engines" })
    assert.strictEqual(problemOf(other).status, 429)
    assert.strictEqual(other.headers["retry-after"], "1")
    yield* Deferred.succeed(answer, undefined)
    const [own, stray] = (yield* Fiber.join(first))["engines"]
    assert.deepInclude(own, { name: "default", due: 2, stopped: 2 })
    assert.deepInclude(stray, { name: "host-9", engine_id: null, due: null, stopped: 1 })
    yield* get("/engines")
  })

  inApi("plans page by page for whoever may look, and changes nothing", function* () {
    yield* seedMany(5)
    yield* seed("running", 5, { container: { state: "running" } })
    yield* seed("stray", 9, { record: { engine: "host-9" } })
    const state = yield* StoreState
    const tables = () =>
      JSON.stringify(
        [state.records, state.leases, state.log, state.acts, state.engines].map((table) => [...table.entries()]),
        (_, value) => (typeof value === "bigint" ? String(value) : value)
      )
    const before = tables()
    const first = yield* get("/plan?limit=4")
    assert.deepInclude(first, { engine: "default", retention: "30d", would_refuse: null })
    const second = yield* get(`/plan?limit=4&cursor=${first["next"]}`)
    const [one] = first["games"]
    assert.deepInclude(one, {
      game_id: "game-0",
      action: "remove",
      rule: "retention 30d",
      container_id: containerId(0)
    })
    assert.deepStrictEqual(
      [...first["games"], ...second["games"]].map(({ action, engine, game_id }) => [game_id, engine, action]),
      [
        ...Array.from({ length: 5 }, (_, i) => [`game-${i}`, "default", "remove"]),
        ["running", "default", "keep"],
        [null, "host-9", "keep"]
      ]
    )
    assert.isNull(second["next"])
    assert.lengthOf((yield* get("/plan?game=nobody"))["games"], 0)
    assert.deepInclude((yield* get("/plan?game=stray"))["games"][0], { action: "keep", error_code: "record_moved" })
    assert.strictEqual(tables(), before)
    assert.lengthOf(yield* (yield* MemoryEngine).containers, 7)
  })

  inApi("says of a plan which guard would refuse its pass", function* () {
    yield* seedMany(1)
    yield* post("/pause", { reason })
    assert.deepInclude((yield* get("/plan"))["would_refuse"], { reason: "paused" })
  })

  inApi("plans for one at a time, and goes on with the next when the first has let go", function* () {
    yield* seedMany(2)
    const { reached } = yield* heldAtEngine("inspect")
    const first = yield* Effect.forkChild(get("/plan"))
    yield* reached
    const other = yield* as("ann", { path: "/api/v1/plan" })
    assert.strictEqual(problemOf(other).status, 429)
    assert.strictEqual(other.headers["retry-after"], "1")
    yield* Fiber.interrupt(first)
    yield* (yield* MemoryEngine).setIntercept(() => Effect.void)
    yield* Effect.repeat(as("bob", { path: "/api/v1/plan" }), { until: ({ status }) => status === 200 })
  })

  describe("answers only to its own names", () => {
    inApi.each(["localhost", "127.0.0.1:8080", "[::1]:80", "cleanup.example", "CLEANUP.example:8080"])(
      "such as %s",
      function* (host) {
        assert.strictEqual((yield* as("bob", { path: "/api/v1/me", headers: { host } })).status, 200)
      }
    )

    inApi.each([
      "evil.example",
      "localhost.evil.example",
      "cleanup.example.",
      "127.0.0.2",
      "localhost@evil.example",
      "localhost:99999999",
      "localhost, evil.example"
    ])("not to %j", function* (host) {
      const answer = yield* as("bob", { path: "/api/v1/me", headers: { host } })
      assert.include([400, 421], answer.status)
      if (answer.status === 421) problemOf(answer)
    })

    inApi("but says to everybody whether it is alive and ready", function* () {
      const { ask } = yield* ApiServer
      assert.strictEqual((yield* ask({ path: "/healthz", headers: { host: "10.0.0.7" } })).status, 200)
    })
  })

  describe("does nothing for a page of another site", () => {
    const foreign = [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: "http://localhost:1" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" }
    ]
    inApi.each(foreign)("%j", function* (headers) {
      const answer = yield* post("/pause", { reason }, headers)
      assert.strictEqual(problemOf(answer).status, 403)
      assert.deepStrictEqual(yield* actRows, [])
    })

    inApi("but for its own", function* () {
      const { port } = yield* ApiServer
      const answer = yield* post(
        "/pause",
        { reason },
        { origin: `http://127.0.0.1:${port}`, "sec-fetch-site": "same-origin" }
      )
      assert.strictEqual(answer.status, 200, answer.body)
    })

    inApi("and lets none read an answer", function* () {
      const answer = yield* as("bob", { path: "/api/v1/me", headers: { origin: "https://evil.example" } })
      assert.isEmpty(Object.keys(answer.headers).filter((name) => name.startsWith("access-control-")))
      const asked = yield* as("bob", {
        method: "OPTIONS",
        path: "/api/v1/pause",
        headers: { origin: "https://evil.example", "access-control-request-method": "POST" }
      })
      assert.isAtLeast(asked.status, 400)
    })
  })

  const wrong: ReadonlyArray<readonly [string, number, Asked]> = [
    ["an unknown path", 404, { path: "/api/v1/nothing" }],
    ["an unknown path with a method that changes", 404, { method: "DELETE", path: "/api/v1/nothing" }],
    ["another method of a path", 405, { method: "PUT", path: "/api/v1/pause" }],
    [
      "a reading that is posted to",
      405,
      { method: "POST", path: "/api/v1/status", body: "{}", headers: { "content-type": "application/json" } }
    ],
    ["an act that is only got", 405, { path: "/api/v1/pause" }],
    [
      "a form",
      415,
      {
        method: "POST",
        path: "/api/v1/pause",
        body: "reason=x",
        headers: { "content-type": "application/x-www-form-urlencoded" }
      }
    ],
    [
      "text that a page of any site may send",
      415,
      { method: "POST", path: "/api/v1/pause", body: '{"reason":"x"}', headers: { "content-type": "text/plain" } }
    ],
    ["a body of no type", 415, { method: "POST", path: "/api/v1/pause", body: '{"reason":"x"}' }],
    [
      "half of JSON",
      400,
      { method: "POST", path: "/api/v1/pause", body: '{"reason":', headers: { "content-type": "application/json" } }
    ],
    [
      "no reason",
      400,
      { method: "POST", path: "/api/v1/pause", body: "{}", headers: { "content-type": "application/json" } }
    ],
    [
      "a reason of two lines",
      400,
      {
        method: "POST",
        path: "/api/v1/pause",
        body: '{"reason":"a\\nb"}',
        headers: { "content-type": "application/json" }
      }
    ],
    [
      "a key with a space",
      400,
      {
        method: "POST",
        path: "/api/v1/pause",
        body: '{"reason":"a"}',
        headers: { "content-type": "application/json", "idempotency-key": "a b" }
      }
    ],
    [
      "a pause in no unit",
      400,
      {
        method: "POST",
        path: "/api/v1/pause",
        body: '{"reason":"a","for":"5"}',
        headers: { "content-type": "application/json" }
      }
    ],
    [
      "a hold until yesterday",
      400,
      {
        method: "POST",
        path: "/api/v1/games/g/hold",
        body: '{"reason":"a","until":"2020-01-01T00:00:00Z"}',
        headers: { "content-type": "application/json" }
      }
    ],
    [
      "a body that is too large",
      413,
      {
        method: "POST",
        path: "/api/v1/pause",
        body: JSON.stringify({ reason: "x".repeat(70_000) }),
        headers: { "content-type": "application/json" }
      }
    ],
    ["a state that is none", 400, { path: "/api/v1/games?state=gone" }],
    ["a limit beyond the most", 400, { path: "/api/v1/holds?limit=501" }],
    ["a cursor that is forged", 400, { path: "/api/v1/log?cursor=eyJpZCI6IngifQ" }],
    ["a cursor that is no base64", 400, { path: "/api/v1/acts?cursor=%00%ff" }],
    ["a time that is none", 400, { path: "/api/v1/log?since=2026-02-30T00:00:00Z" }],
    ["a pass that is not there", 404, { path: "/api/v1/passes/00000000-0000-4000-8000-000000000000" }],
    ["a game that is not there", 404, { path: "/api/v1/games/nobody" }],
    [
      "an engine of another service",
      404,
      {
        method: "POST",
        path: "/api/v1/engines/other/accept",
        body: '{"reason":"a"}',
        headers: { "content-type": "application/json" }
      }
    ]
  ]
  inApi.each(wrong)("says what is wrong with %s: %i", function* ([, status, asked]) {
    const answer = yield* as("ann", asked)
    assert.strictEqual(answer.status, status, answer.body)
    const problem = problemOf(answer)
    assert.strictEqual(problem.status, status)
    assert.strictEqual(answer.headers["allow"] === undefined, status !== 405)
    assert.deepStrictEqual(yield* actRows, [])
  })

  inApi("keeps browsers in bounds, whatever it answers", function* () {
    for (const path of ["/api/v1/me", "/api/v1/nothing", "/", "/api/v1/openapi.json"]) {
      const { headers } = yield* as("bob", { path })
      assert.include(headers["content-security-policy"], "default-src 'none'")
      assert.include(headers["content-security-policy"], "frame-ancestors 'none'")
      assert.deepInclude(headers, { "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" })
    }
    assert.strictEqual((yield* as("bob", { path: "/api/v1/me" })).headers["cache-control"], "no-store")
  })
})
