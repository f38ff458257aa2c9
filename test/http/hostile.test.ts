import { request as send } from "node:http"
import { connect } from "node:net"
import { assert, describe } from "@effect/vitest"
import { Effect, Latch, Layer, Logger, Metric, Queue, References, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { StoreState } from "../adapters/memory/StoreState.ts"
import {
  ApiServer,
  as,
  asJson,
  bodyOf,
  exchange,
  get,
  inApi,
  layerApiServer,
  post,
  problemOf
} from "../support/apiServer.ts"
import { testIn } from "../support/testIn.ts"
import { makeTracer } from "../support/tracer.ts"
import { actRows, runOnce, seed, seedMany, storeDown } from "../support/world.ts"

const reason = "a player complains"
const body = JSON.stringify({ reason })

describe("a hostile request", () => {
  describe("has one spelling of each path", () => {
    inApi.each([
      "/API/v1/me",
      "/api/v1/me/",
      "/api/v1//me",
      "//api/v1/me",
      "/api/v1/./me",
      "/api/v1/x/../me",
      "/HEALTHZ"
    ])("so nothing is at %s", function* (path) {
      assert.strictEqual(problemOf(yield* as("bob", { path })).status, 404)
    })

    inApi.each(["/api/v1/games/%", "/api/v1/games/%zz", "/api/v1/games/%C0%AF/log", "/api/v1/games/%ED%A0%80"])(
      "in UTF-8, unlike %s",
      function* (path) {
        assert.strictEqual(problemOf(yield* as("bob", { path })).status, 400)
        assert.strictEqual(problemOf(yield* as("bob", { method: "PUT", path })).status, 405)
      }
    )

    inApi.each(["/API/v1/pause", "/api/v1/%70ause", "/api/v1/pause;x", "/api/v1//pause"])(
      "and brings no other media type past the guard by %s",
      function* (path) {
        for (const type of [{ "content-type": "text/plain" }, {}]) {
          const answer = yield* as("ann", { method: "POST", path, body, headers: type })
          assert.strictEqual(problemOf(answer).status, 415)
        }
        assert.deepStrictEqual(yield* actRows, [])
      }
    )
  })

  describe("finds each game by its id alone", () => {
    const ids = [
      "a/b",
      "../me",
      "__proto__",
      "constructor",
      "?state=due",
      "%2F",
      "😀".repeat(500),
      "x".repeat(1000),
      "\n"
    ]
    inApi.each(ids)("such as %j", function* (id) {
      yield* seed(id, 1)
      const path = `/games/${encodeURIComponent(id)}`
      assert.strictEqual((yield* get(path))["game_id"], id)
      assert.strictEqual(bodyOf(yield* post(`${path}/hold`, { reason }))["target"], id)
      assert.strictEqual((yield* get(`/acts?target=${encodeURIComponent(id)}`))["acts"].length, 1)
    })

    inApi.each(["x".repeat(1001), "\0", "a\0b"])("which is not %j", function* (id) {
      const name = encodeURIComponent(id)
      const paths = [`/games/${name}`, `/games/${name}/log`, `/log?game=${name}`, `/acts?target=${name}`]
      for (const path of paths) {
        assert.strictEqual(problemOf(yield* as("bob", { path: `/api/v1${path}` })).status, 400)
      }
      for (const act of ["clean", "hold", "release"]) {
        assert.strictEqual(problemOf(yield* post(`/games/${name}/${act}`, { reason })).status, 400)
      }
      assert.deepStrictEqual(yield* actRows, [])
    })
  })

  describe("forges no cursor", () => {
    const numbers = [String(2n ** 63n), String(-(2n ** 63n) - 1n), "9".repeat(60), "0x1", "1.5", "", " 1"]
    const places: ReadonlyArray<readonly [string, ReadonlyArray<unknown>]> = [
      [
        "/log",
        [
          ...numbers.map((id) => ({ finishedAt: "1", id })),
          ...numbers.slice(2).map((at) => ({ finishedAt: at, id: "1" }))
        ]
      ],
      [
        "/log",
        [
          { finishedAt: "9224318016000000000", id: "1" },
          { finishedAt: "-210866803200000001", id: "1" }
        ]
      ],
      ["/log?game=g", numbers.map((id) => ({ finishedAt: null, id }))],
      ["/games/g/log", [...numbers.map((id) => ({ finishedAt: null, id })), {}, [], null, "x"]],
      ["/acts", [...numbers, 1, null, {}]],
      ["/acts?target=g", numbers],
      ["/holds", [{ gameId: "\0", author: "a" }, { gameId: "g", author: "\0" }, { gameId: 1, author: "a" }, {}, "g"]],
      [
        "/plan",
        [
          ...numbers.slice(2).map((at) => ({ lastOpAt: at, gameId: "g" })),
          ...["\0", "a\0", "\0zz", "\0a", "\0ff", "\u000000"].map((gameId) => ({ lastOpAt: "1", gameId })),
          {},
          "g"
        ]
      ],
      ["/games?state=due", ["x", {}, { state: "held", engine: "", lastOpAt: null, gameId: "" }]],
      ["/games?state=held", [{ state: "held", engine: "x", lastOpAt: null, gameId: "" }]],
      ["/games?state=stuck", [{ state: "stuck", engine: "61", lastOpAt: "9".repeat(30), gameId: "61" }]]
    ]
    inApi.each(places)("of %s", function* ([path, all]) {
      for (const [i, place] of all.entries()) {
        const cursor = Buffer.from(JSON.stringify(place)).toString("base64url")
        const answer = yield* as(i % 2 === 0 ? "ann" : "bob", {
          path: `/api/v1${path}${path.includes("?") ? "&" : "?"}cursor=${cursor}`
        })
        assert.strictEqual(answer.status, 400, `${JSON.stringify(place)}: ${answer.body}`)
        problemOf(answer)
      }
    })
  })

  describe("counts as all of its headers that come twice", () => {
    const twice: ReadonlyArray<readonly [string, ReadonlyArray<string>, number]> = [
      ["a name of ours and another", ["Host: localhost", "Host: evil.example"], 421],
      ["another name and one of ours", ["Host: evil.example", "Host: localhost"], 421],
      ["JSON and a form", ["Host: localhost", "Content-Type: text/plain"], 415],
      ["two tokens", ["Host: localhost", "Authorization: Bearer x"], 401],
      ["two keys", ["Host: localhost", "Idempotency-Key: a", "Idempotency-Key: b"], 400],
      ["our page and another", ["Host: localhost", "Origin: http://localhost", "Origin: https://evil.example"], 403]
    ]
    inApi.each(twice)("such as %s", function* ([, headers, status]) {
      const { tokens } = yield* ApiServer
      const own = [`Authorization: Bearer ${tokens.ann}`, "Content-Type: application/json", "Connection: close"]
      const lines = ["POST /api/v1/pause HTTP/1.1", ...own, ...headers, `Content-Length: ${body.length}`]
      assert.match(yield* exchange(`${lines.join("\r\n")}\r\n\r\n${body}`), new RegExp(`^HTTP/1.1 ${status} `))
      assert.deepStrictEqual(yield* actRows, [])
    })
  })

  describe("smuggles no other", () => {
    const framings: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
      ["by two lengths", [`Content-Length: ${body.length}`, "Content-Length: 0"]],
      ["by a length and chunks", [`Content-Length: ${body.length}`, "Transfer-Encoding: chunked"]],
      ["by an unknown coding", ["Transfer-Encoding: xchunked"]],
      ["by chunks that are not last", ["Transfer-Encoding: chunked, identity"]],
      ["by a space before the colon", ["Transfer-Encoding : chunked"]],
      ["by a folded line", [`Content-Length: ${body.length}`, "X-A: a", " b"]]
    ]
    inApi.each(framings)("%s", function* ([, headers]) {
      const { tokens } = yield* ApiServer
      const own = ["Host: localhost", `Authorization: Bearer ${tokens.ann}`, "Content-Type: application/json"]
      const lines = ["POST /api/v1/pause HTTP/1.1", ...own, ...headers]
      const answers = yield* exchange(`${lines.join("\r\n")}\r\n\r\n${body}POST /api/v1/resume HTTP/1.1\r\n\r\n`)
      assert.match(answers, /^HTTP\/1.1 400 /)
      assert.lengthOf(answers.match(/HTTP\/1.1/g) ?? [], 1)
      assert.deepStrictEqual(yield* actRows, [])
    })
  })

  describe("that cannot be read has a problem for an answer, and nothing else", () => {
    const own = "Host: localhost\r\n"
    const act = `POST /api/v1/pause HTTP/1.1\r\n${own}Authorization: Bearer TOKEN\r\nContent-Type: application/json\r\n`
    const unreadable: ReadonlyArray<readonly [string, string, number]> = [
      ["no HTTP", "HELO me\r\n\r\n", 400],
      ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
      ["headers of 20 kB", `GET /api/v1/me HTTP/1.1\r\n${own}X-A: ${"a".repeat(20_000)}\r\n\r\n`, 431],
      ["a path of 20 kB", `GET /${"a".repeat(20_000)} HTTP/1.1\r\n${own}\r\n`, 431],
      [
        "chunks with more to them than their size",
        `${act}Transfer-Encoding: chunked\r\n\r\n1;${"a".repeat(20_000)}\r\n`,
        413
      ],
      ["no host", "GET /api/v1/me HTTP/1.1\r\nConnection: close\r\n\r\n", 400],
      ["an expectation", `GET /api/v1/me HTTP/1.1\r\n${own}Expect: the-impossible\r\n\r\n`, 417],
      ["a tunnel", `CONNECT localhost:1 HTTP/1.1\r\n${own}\r\n`, 405]
    ]
    inApi.each(unreadable)("such as %s", function* ([, text, status]) {
      const { tokens } = yield* ApiServer
      const [head = "", json = ""] = (yield* exchange(text.replace("TOKEN", tokens.ann))).split("\r\n\r\n")
      assert.match(head, new RegExp(`^HTTP/1.1 ${status} `))
      for (const line of [
        /^content-type: application\/problem\+json$/im,
        /^x-content-type-options: nosniff$/im,
        /^content-security-policy: default-src 'none'/im,
        /^cache-control: no-store$/im,
        /^connection: close$/im
      ])
        assert.match(head, line)
      assert.strictEqual(JSON.parse(json).status, status)
    })

    inApi("and after the answers to those before it on its connection", function* () {
      const { tokens } = yield* ApiServer
      const lines = ["GET /api/v1/status HTTP/1.1", "Host: localhost", `Authorization: Bearer ${tokens.bob}`]
      const answers = yield* exchange(
        `${lines.join("\r\n")}\r\n\r\n${[...lines, "Expect: the-impossible"].join("\r\n")}\r\n\r\n`
      )
      assert.deepStrictEqual(answers.match(/HTTP\/1.1 \d+/g), ["HTTP/1.1 200", "HTTP/1.1 417"])
    })

    inApi("but not within another answer", function* () {
      const { tokens } = yield* ApiServer
      const lines = ["GET /api/v1/events HTTP/1.1", "Host: localhost", `Authorization: Bearer ${tokens.bob}`]
      const answers = yield* exchange(`${lines.join("\r\n")}\r\n\r\n`, "HELO me\r\n\r\n")
      assert.match(answers, /^HTTP\/1.1 200 /)
      assert.lengthOf(answers.match(/HTTP\/1.1/g) ?? [], 1)
    })
  })

  describe("ends nothing but itself by the reset of its connection", () => {
    const cut: ReadonlyArray<readonly [string, string]> = [
      ["a tunnel", "CONNECT x:1 HTTP/1.1\r\n\r\n"],
      ["no HTTP", "HELO me\r\n\r\n"],
      ["an upgrade", "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"],
      ["an expectation", "GET / HTTP/1.1\r\nHost: localhost\r\nExpect: the-impossible\r\n\r\n"]
    ]
    inApi.each(cut)("such as %s", function* ([, text]) {
      const { port } = yield* ApiServer
      yield* Effect.callback<void>((resume) => {
        const socket = connect(port, "127.0.0.1", () => socket.write(text, () => socket.resetAndDestroy()))
        socket.on("error", () => {})
        socket.on("close", () => resume(Effect.void))
      })
      assert.strictEqual((yield* get("/me"))["name"], "bob")
    })
  })

  inApi.each(["websocket", "h2c", "x"])(
    "is an ordinary one although it asks for another protocol, such as %s",
    function* (name) {
      const { tokens } = yield* ApiServer
      const lines = ["GET /api/v1/me HTTP/1.1", "Host: localhost", `Authorization: Bearer ${tokens.bob}`]
      const upgrade = [...lines, "Connection: Upgrade, close", `Upgrade: ${name}`]
      const answers = yield* exchange(`${lines.join("\r\n")}\r\n\r\n${upgrade.join("\r\n")}\r\n\r\n`)
      assert.deepStrictEqual(answers.match(/HTTP\/1.1 \d+/g), ["HTTP/1.1 200", "HTTP/1.1 200"])
    }
  )

  inApi("ends its connection if it asks for another protocol, because what comes behind it is lost", function* () {
    const { tokens } = yield* ApiServer
    const lines = ["GET /api/v1/me HTTP/1.1", "Host: localhost", `Authorization: Bearer ${tokens.bob}`]
    const upgrade = [...lines, "Connection: Upgrade", "Upgrade: h2c"]
    const answers = yield* exchange(`${upgrade.join("\r\n")}\r\n\r\n${lines.join("\r\n")}\r\n\r\n`)
    assert.deepStrictEqual(answers.match(/HTTP\/1.1 \d+|connection: close/gi), ["HTTP/1.1 200", "Connection: close"])
  })

  inApi("is asked for by the name in its target, if that has one", function* () {
    const { tokens } = yield* ApiServer
    const lines = [
      "GET http://evil.example/api/v1/me HTTP/1.1",
      "Host: localhost",
      `Authorization: Bearer ${tokens.bob}`
    ]
    assert.match(yield* exchange(`${lines.join("\r\n")}\r\nConnection: close\r\n\r\n`), /^HTTP\/1.1 421 /)
  })

  inApi("has a body of 64 KiB at most, also in chunks", function* () {
    const { tokens } = yield* ApiServer
    const chunk = `2000\r\n${" ".repeat(0x2000)}\r\n`
    const headers = {
      ...asJson,
      host: "localhost",
      authorization: `Bearer ${tokens.ann}`,
      "transfer-encoding": "chunked"
    }
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    const answer = yield* exchange(
      `POST /api/v1/pause HTTP/1.1\r\n${head.join("")}Connection: close\r\n\r\n${chunk.repeat(9)}0\r\n\r\n`
    )
    assert.match(answer, /^HTTP\/1.1 413 /)
    assert.deepStrictEqual(yield* actRows, [])
  })

  describe("guesses at a token", () => {
    inApi("no more than five times a minute, also if all guesses come at once", function* () {
      const { ask } = yield* ApiServer
      const guess = (i: number) => ask({ path: "/api/v1/me", headers: { authorization: `Bearer rtm_${i}` } })
      // Each has to wait for the file, which is read again.
      yield* TestClock.adjust("1 second")
      const answers = yield* Effect.forEach(Array.from({ length: 100 }).keys(), guess, { concurrency: "unbounded" })
      assert.lengthOf(
        answers.filter(({ status }) => status === 401),
        5
      )
      for (const answer of answers) assert.include([401, 429], problemOf(answer).status)
    })

    inApi("not by asking without one, so that a page of another site locks nobody out", function* () {
      const { ask } = yield* ApiServer
      for (let i = 0; i < 10; i++) assert.strictEqual((yield* ask({ path: "/api/v1/me" })).status, 401)
      yield* get("/me")
    })

    const spellings: ReadonlyArray<readonly [string, (token: string) => string, number]> = [
      ["in quotes", (token) => `Bearer "${token}"`, 401],
      ["with more behind it", (token) => `Bearer ${token}, x`, 401],
      ["with a space of Unicode", (token) => `Bearer ${token}\u00a0`, 401],
      ["in upper case", (token) => `Bearer ${token.toUpperCase()}`, 401],
      ["without the scheme", (token) => token, 401],
      ["of 12 000 characters", (token) => `Bearer ${token.repeat(255)}`, 401],
      ["after the scheme in small letters", (token) => `bearer ${token}`, 200]
    ]
    inApi.each(spellings)("%s", function* ([, spelled, status]) {
      const { ask, tokens } = yield* ApiServer
      const answer = yield* ask({ path: "/api/v1/me", headers: { authorization: spelled(tokens.bob) } })
      assert.strictEqual(answer.status, status, answer.body)
      assert.notInclude(answer.body, tokens.bob)
    })
  })

  describe("reads the events", () => {
    interface Reader {
      readonly status: number | undefined
      readonly close: () => void
    }
    /** A reader who never reads what comes. */
    const open = Effect.fnUntraced(function* (who: "ann" | "bob") {
      const { port, tokens } = yield* ApiServer
      return yield* Effect.callback<Reader>((resume) => {
        const headers = { authorization: `Bearer ${tokens[who]}` }
        const request = send({ host: "127.0.0.1", port, path: "/api/v1/events", headers, agent: false })
        request.on("response", ({ statusCode }) =>
          resume(Effect.succeed({ status: statusCode, close: () => void request.destroy() }))
        )
        request.on("error", () => {})
        request.end()
      })
    })
    const openNext = Effect.andThen(TestClock.adjust("100 millis"), open("bob"))
    const admitted = (asked: ReadonlyArray<Reader>) => asked.filter(({ status }) => status === 200).length

    inApi("with one token no more than 128 times at once, takes no other's place, and gives all back", function* () {
      const flood = yield* Effect.replicateEffect(openNext, 140)
      assert.strictEqual(admitted(flood), 128)
      assert.strictEqual((yield* openNext).status, 429)
      const other = yield* open("ann")
      assert.strictEqual(other.status, 200)
      yield* seedMany(3)
      yield* runOnce
      assert.deepStrictEqual(
        new Set([...(yield* StoreState).records.values()].map(({ status }) => status)),
        new Set(["removed"])
      )
      for (const { close } of flood) close()
      const again = yield* Effect.repeat(openNext, { until: ({ status }) => status === 200 })
      again.close()
      other.close()
    })

    inApi("no more often either if many come at once for the last places", function* () {
      const first = yield* Effect.replicateEffect(openNext, 120)
      assert.strictEqual(admitted(first), 120)
      yield* TestClock.adjust("2 seconds")
      const status = yield* Latch.make()
      const state = yield* StoreState
      state.intercept = () => status.await
      const answers = yield* Queue.unbounded<Reader>()
      yield* Effect.forkScoped(
        Effect.replicateEffect(
          Effect.flatMap(open("bob"), (answer) => Queue.offer(answers, answer)),
          20,
          {
            concurrency: "unbounded"
          }
        )
      )
      // Nobody waits for the status who has no place.
      const refused = yield* Effect.replicateEffect(Queue.take(answers), 12)
      assert.strictEqual(admitted(refused), 0)
      yield* status.open
      const last = yield* Effect.replicateEffect(Queue.take(answers), 8)
      assert.strictEqual(admitted(last), 8)
      for (const { close } of [...first, ...last]) close()
    })

    inApi("and has its place back if it has asked for their headers alone", function* () {
      const head = Effect.andThen(TestClock.adjust("100 millis"), as("bob", { method: "HEAD", path: "/api/v1/events" }))
      assert.deepStrictEqual(
        new Set((yield* Effect.replicateEffect(head, 130)).map(({ status }) => status)),
        new Set([200])
      )
      const { close, status } = yield* openNext
      assert.strictEqual(status, 200)
      close()
    })

    inApi("and has its place back if there is no status to begin with", function* () {
      const state = yield* StoreState
      state.intercept = () => storeDown
      assert.deepStrictEqual(
        new Set((yield* Effect.replicateEffect(openNext, 130)).map(({ status }) => status)),
        new Set([503])
      )
      state.intercept = () => Effect.void
      yield* TestClock.adjust("2 seconds")
      const { close, status } = yield* openNext
      assert.strictEqual(status, 200)
      close()
    })
  })

  const warned: Array<unknown> = []
  const memory = Logger.make(({ fiber, message }) => {
    if (String(message) === "api.client_blocked") warned.push(fiber.getRef(References.CurrentLogAnnotations))
  })
  const inLogged = testIn(layerApiServer().pipe(Layer.provide(Logger.layer([memory]))))
  inLogged("that guesses is told of in one warning a minute, and counted", function* () {
    const { ask } = yield* ApiServer
    const guess = ask({ path: "/api/v1/me", headers: { authorization: "Bearer rtm_guess" } })
    const refused = Effect.map(Metric.snapshot, (series) =>
      series
        .filter(({ id }) => id === "rtmanager.cleanup.token.refused")
        .map(({ attributes, state }) => [attributes?.["reason"], "count" in state && state.count])
    )
    yield* Effect.replicateEffect(guess, 4)
    assert.lengthOf(warned, 0)
    yield* Effect.replicateEffect(guess, 4)
    assert.deepInclude(warned, { client: "127.0.0.1", seconds: 60 })
    assert.sameDeepMembers(yield* refused, [
      ["unknown", 5],
      ["blocked", 3]
    ])
    yield* TestClock.adjust("59 seconds")
    yield* guess
    assert.lengthOf(warned, 1)
    yield* TestClock.adjust("1 second")
    yield* Effect.replicateEffect(guess, 6)
    assert.lengthOf(warned, 2)
    assert.notInclude(JSON.stringify(warned), "rtm_")
  })

  const { spans, tracer } = makeTracer()
  const inTraced = testIn(layerApiServer().pipe(Layer.provide(Layer.succeed(Tracer.Tracer, tracer))))
  inTraced("puts no token into a trace, and makes no trace without one", function* () {
    const { ask, tokens } = yield* ApiServer
    for (const path of ["/", "/healthz", "/api/v1/status", "/api/v1/openapi.json"]) yield* ask({ path })
    assert.lengthOf(spans, 0)
    const wrong = { authorization: "Bearer rtm_wrong" }
    yield* ask({ path: `/api/v1/status?token=${tokens.ann}&access_token=${tokens.ann}`, headers: wrong })
    yield* get(`/me?token=${tokens.ann}`)
    const told = JSON.stringify(
      spans.map(({ attributes, name, status }) => [name, [...attributes], status]),
      (_, value) => (typeof value === "bigint" ? String(value) : value)
    )
    assert.include(told, "/api/v1/me")
    for (const secret of [tokens.ann, tokens.bob, "rtm_wrong"]) assert.notInclude(told, secret)
  })

  inTraced(
    "makes a plan without a span for each of its looks, which would crowd out the traces of passes",
    function* () {
      yield* seedMany(3)
      const before = spans.length
      yield* get("/plan")
      assert.deepStrictEqual(
        spans.slice(before).map(({ name }) => name),
        ["GET"]
      )
    }
  )
})
