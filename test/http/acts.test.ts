import { randomUUID } from "node:crypto"
import { connect } from "node:net"
import { assert, describe } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { MemoryEngine } from "../../src/adapters/memory/ContainerEngine.ts"
import { EngineId } from "../../src/ports/ContainerEngine.ts"
import { StoreState } from "../adapters/memory/StoreState.ts"
import { ApiServer, asJson, bodyOf, get, inApi, post, problemOf } from "../support/apiServer.ts"
import {
  actRows,
  atEngine,
  containerId,
  heldAtEngine,
  now,
  runOnce,
  seed,
  seedMany,
  storeDown,
  unreachable
} from "../support/world.ts"

const reason = "a player complains"

const rowOf = (gameId: string) => Effect.map(StoreState, ({ log }) => log.find((row) => row.gameId === gameId))
const statusOf = (gameId: string) => Effect.map(StoreState, ({ records }) => records.get(gameId)?.status)
const versionOf = (gameId: string) => Effect.map(get(`/games/${gameId}`), ({ version }) => `"${version}"`)

/** Waits for what happens at the other end of a socket. */
const until = <A, R>(question: Effect.Effect<A | undefined, never, R>) =>
  Effect.repeat(
    Effect.tap(question, () => Effect.promise(() => new Promise(setImmediate))),
    {
      until: (answer) => answer !== undefined,
      schedule: Schedule.forever
    }
  )

describe("an act over HTTP", () => {
  inApi("is done in the name of the token, and answers with its row", function* () {
    const act = bodyOf(yield* post("/games/chess/hold", { reason, until: "30d" }))
    assert.deepInclude(act, { act: "hold", target: "chess", author: "ann", reason, result: "done" })
    const [hold, ...others] = (yield* get("/holds"))["holds"]
    assert.deepStrictEqual(others, [])
    assert.deepInclude(hold, { game_id: "chess", author: "ann", reason })
    assert.deepStrictEqual((yield* get("/acts"))["acts"], [act])
    assert.strictEqual(bodyOf(yield* post("/games/chess/release", { reason, now: true }))["result"], "done")
    assert.deepStrictEqual((yield* get("/holds"))["holds"], [])
  })

  inApi("ends no hold that was not seen", function* () {
    yield* post("/games/chess/hold", { reason })
    const { holds } = yield* get("/games/chess")
    const [{ author, placed_at }] = holds
    for (const seen of [
      [],
      [{ author, placed_at: "2026-01-31T12:00:00.000Z" }],
      [{ author, placed_at: "+275760-09-13T00:00:00Z" }]
    ]) {
      const { detail, status } = problemOf(yield* post("/games/chess/release", { reason, now: true, all: true, seen }))
      assert.strictEqual(status, 409)
      assert.match(detail ?? "", /^the holds on chess are not those that were seen; it is held by ann/)
    }
    const seen = [{ author, placed_at }]
    assert.strictEqual(bodyOf(yield* post("/games/chess/release", { reason, all: true, seen }))["result"], "done")
  })

  const placed_at = "2026-01-31T12:00:00.000Z"
  const unseen: ReadonlyArray<readonly [string, object]> = [
    ["under another name", { sean: [] }],
    ["with a field that nothing reads", { seen: [{ author: "ann", placed_at, reason }] }],
    ["by an author with NUL", { seen: [{ author: "an\0n", placed_at }] }],
    ["by an author with half a character", { seen: [{ author: "an\ud800n", placed_at }] }]
  ]
  inApi.each(unseen)("ends no hold if what was seen comes %s", function* ([, seen]) {
    yield* post("/games/chess/hold", { reason })
    const answer = yield* post("/games/chess/release", { reason, now: true, all: true, ...seen })
    assert.strictEqual(problemOf(answer).status, 400)
    assert.lengthOf((yield* get("/holds"))["holds"], 1)
    assert.lengthOf(yield* actRows, 1)
  })

  const all: ReadonlyArray<string> = [
    "/games/g/clean",
    "/games/g/hold",
    "/games/g/release",
    "/pause",
    "/resume",
    "/passes",
    "/engines/default/accept",
    "/retention/accept",
    "/absence/accept"
  ]
  inApi.each(all)("is not for a token that may only look: %s", function* (path) {
    assert.strictEqual(problemOf(yield* post(path, { reason }, {}, "bob")).status, 403)
    assert.deepStrictEqual(yield* actRows, [])
  })

  inApi("removes a game's container before its time, and the log says who asked by which way", function* () {
    yield* seed("chess", 1, { record: { lastOpAt: BigInt(Date.now()) * 1000n } })
    const act = bodyOf(yield* post("/games/chess/clean", { reason }))
    assert.match(act["message"], /^removed: /)
    assert.strictEqual(yield* statusOf("chess"), "removed")
    assert.deepInclude(yield* rowOf("chess"), { opSource: "admin_rest", sourceRef: "ann" })
  })

  inApi("that a rule refuses is a problem with the rule's words, and stays one", function* () {
    const key = { "idempotency-key": "k" }
    const refused = yield* post("/games/nobody/clean", { reason }, key)
    const problem = problemOf(refused)
    assert.deepInclude(problem, { status: 409, type: "urn:rtmanager:refused" })
    assert.match(problem.detail ?? "", /no record of game nobody/)
    assert.deepStrictEqual(problemOf(yield* post("/games/nobody/clean", { reason }, key)), problem)
    assert.lengthOf(yield* actRows, 1)
  })

  inApi("that finds the database away is a problem that passes, and leaves the container", function* () {
    yield* seed("chess", 1)
    const state = yield* StoreState
    state.intercept = () => storeDown
    assert.strictEqual(problemOf(yield* post("/games/chess/clean", { reason })).status, 503)
    state.intercept = () => Effect.void
    assert.strictEqual(yield* statusOf("chess"), "stopped")
  })

  inApi("that finds the engine away before it begins is one too, and stays one", function* () {
    yield* seed("chess", 1)
    yield* atEngine("identity", Effect.fail(unreachable))
    const key = { "idempotency-key": "k" }
    const away = problemOf(yield* post("/games/chess/clean", { reason }, key))
    assert.deepInclude(away, { status: 503, type: "urn:rtmanager:failed" })
    yield* atEngine("identity", Effect.void)
    assert.deepStrictEqual(problemOf(yield* post("/games/chess/clean", { reason }, key)), away)
    assert.strictEqual(yield* statusOf("chess"), "stopped")
  })

  inApi("that broke off is over: asking again does not begin it again", function* () {
    yield* seed("chess", 1)
    const state = yield* StoreState
    state.intercept = (operation) => (operation === "beginPass" ? storeDown : Effect.void)
    const key = { "idempotency-key": "k" }
    for (let i = 0; i < 2; i++) {
      const problem = problemOf(yield* post("/games/chess/clean", { reason }, key))
      assert.deepInclude(problem, { status: 503, type: "urn:rtmanager:failed" })
    }
    assert.lengthOf(yield* actRows, 1)
  })

  inApi("whose result cannot be recorded says so, and that it is done", function* () {
    yield* seed("chess", 1)
    const state = yield* StoreState
    state.intercept = (operation) => (operation === "endAct" ? storeDown : Effect.void)
    const problem = problemOf(yield* post("/games/chess/clean", { reason }))
    assert.deepInclude(problem, { status: 503, type: "urn:rtmanager:failed" })
    assert.match(problem.detail ?? "", /could not be recorded: it is done/)
    assert.strictEqual(yield* statusOf("chess"), "removed")
  })

  describe("with a key", () => {
    inApi("is done once, and its request is answered the same each time", function* () {
      yield* seedMany(2)
      const key = { "idempotency-key": randomUUID() }
      const first = yield* post("/games/game-0/clean", { reason }, key)
      const again = yield* post("/games/game-0/clean", { reason }, key)
      assert.deepStrictEqual(bodyOf(again), bodyOf(first))
      assert.lengthOf(yield* actRows, 1)
    })

    inApi("of another's is another act", function* () {
      const key = { "idempotency-key": "k" }
      yield* post("/pause", { reason, for: "2h" }, key)
      yield* post("/resume", { reason }, { "idempotency-key": "k2" })
      assert.deepStrictEqual(
        (yield* actRows).map(({ act }) => act),
        ["pause", "resume"]
      )
    })

    const others: ReadonlyArray<readonly [string, string, object]> = [
      ["another reason", "/games/game-0/hold", { reason: "another" }],
      ["another game", "/games/game-1/hold", { reason }],
      ["another act", "/games/game-0/release", { reason }],
      ["another end", "/games/game-0/hold", { reason, until: "1d" }]
    ]
    inApi.each(others)("that came with %s before is refused, and nothing is done", function* ([, path, body]) {
      const key = { "idempotency-key": "k" }
      bodyOf(yield* post("/games/game-0/hold", { reason }, key))
      const problem = problemOf(yield* post(path, body, key))
      assert.deepInclude(problem, { status: 422, type: "urn:rtmanager:key-reused" })
      assert.lengthOf(yield* actRows, 1)
    })

    inApi("is not begun again while it goes on", function* () {
      yield* seed("chess", 1)
      const { letGo, reached } = yield* heldAtEngine("remove")
      const key = { "idempotency-key": "k" }
      const first = yield* Effect.forkChild(post("/games/chess/clean", { reason }, key))
      yield* reached
      assert.deepInclude(problemOf(yield* post("/games/chess/clean", { reason }, key)), {
        status: 409,
        type: "urn:rtmanager:in-flight"
      })
      yield* letGo
      bodyOf(yield* Fiber.join(first))
      assert.lengthOf(yield* actRows, 1)
    })

    inApi("is answered the same although it has changed the game, and although its time has come", function* () {
      yield* seed("chess", 1)
      const headers = { "idempotency-key": "k", "if-match": yield* versionOf("chess") }
      const first = bodyOf(yield* post("/games/chess/clean", { reason }, headers))
      assert.deepStrictEqual(bodyOf(yield* post("/games/chess/clean", { reason }, headers)), first)
      const body = { reason, until: new Date(now + 60_000).toISOString() }
      const held = bodyOf(yield* post("/games/go/hold", body, { "idempotency-key": "k2" }))
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(bodyOf(yield* post("/games/go/hold", body, { "idempotency-key": "k2" })), held)
    })

    inApi("that was killed goes on for no longer than an act can, and then says so", function* () {
      const state = yield* StoreState
      const key = { "idempotency-key": "k" }
      bodyOf(yield* post("/games/chess/hold", { reason }, key))
      for (const row of state.acts.values()) state.setAct({ ...row, endedAt: null, result: null, message: null })
      const goesOn = problemOf(yield* post("/games/chess/hold", { reason }, key))
      assert.deepInclude(goesOn, { status: 409, type: "urn:rtmanager:in-flight" })
      assert.include(goesOn.detail, new Date(now).toISOString())
      yield* TestClock.adjust("10 minutes")
      const killed = problemOf(yield* post("/games/chess/hold", { reason }, key))
      assert.deepInclude(killed, { status: 409, type: "urn:rtmanager:killed" })
      assert.match(killed.detail ?? "", /another key/)
      assert.deepInclude(problemOf(yield* post("/games/chess/hold", { reason: "another" }, key)), { status: 422 })
      assert.lengthOf(yield* actRows, 1)
    })

    inApi("has one winner among many that come at once", function* () {
      yield* seed("chess", 1)
      const key = { "idempotency-key": "k" }
      const answers = yield* Effect.forEach(
        Array.from({ length: 12 }),
        () => post("/games/chess/clean", { reason }, key),
        {
          concurrency: "unbounded"
        }
      )
      for (const answer of answers) assert.include([200, 409], answer.status, answer.body)
      assert.include(
        answers.map(({ status }) => status),
        200
      )
      assert.lengthOf(yield* actRows, 1)
      assert.strictEqual((yield* StoreState).log.length, 1)
    })
  })

  describe("on a game as it was seen", () => {
    inApi("is done while it is like that", function* () {
      yield* seed("chess", 1)
      bodyOf(yield* post("/games/chess/clean", { reason }, { "if-match": yield* versionOf("chess") }))
      assert.strictEqual(yield* statusOf("chess"), "removed")
    })

    inApi.each(["clean", "hold", "release"])("is not done once it has changed: %s", function* (act) {
      yield* seed("chess", 1)
      const version = yield* versionOf("chess")
      yield* seed("chess", 2)
      for (const match of [version, '"garbage"', "garbage"]) {
        assert.strictEqual(problemOf(yield* post(`/games/chess/${act}`, { reason }, { "if-match": match })).status, 412)
      }
      assert.deepStrictEqual(yield* actRows, [])
      assert.strictEqual(yield* statusOf("chess"), "stopped")
    })

    inApi("is not done if it changes on the way to the lease", function* () {
      yield* seed("chess", 1)
      const state = yield* StoreState
      state.intercept = (operation) =>
        Effect.sync(() => {
          const record = state.records.get("chess")
          if (operation === "acquire" && record !== undefined)
            state.records.set("chess", { ...record, containerId: containerId(2) })
        })
      const answer = yield* post("/games/chess/clean", { reason }, { "if-match": yield* versionOf("chess") })
      assert.match(problemOf(answer).detail ?? "", /it changed since it was shown/)
      assert.strictEqual(yield* statusOf("chess"), "stopped")
    })
  })

  inApi("goes on when the connection is lost, and its row says how it ended", function* () {
    yield* seed("chess", 1)
    const { letGo, reached } = yield* heldAtEngine("remove")
    const { port, tokens } = yield* ApiServer
    const body = JSON.stringify({ reason })
    const headers = {
      ...asJson,
      host: "localhost",
      authorization: `Bearer ${tokens.ann}`,
      "content-length": body.length
    }
    const socket = connect(port, "127.0.0.1")
    socket.write(
      `POST /api/v1/games/chess/clean HTTP/1.1\r\n${Object.entries(headers)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join("")}\r\n${body}`
    )
    yield* reached
    yield* Effect.callback<void>((resume) => {
      socket.on("close", () => resume(Effect.void))
      socket.destroy()
    })
    // By then the server has seen it, too.
    yield* get("/me")
    yield* letGo
    const ended = yield* until(Effect.map(actRows, ([row]) => row?.result ?? undefined))
    assert.strictEqual(ended, "done")
    assert.strictEqual(yield* statusOf("chess"), "removed")
  })

  inApi("begins a pass, and does not wait for its end", function* () {
    yield* seedMany(3)
    const { letGo, reached } = yield* heldAtEngine("remove")
    const answer = yield* Effect.forkChild(post("/passes", { reason }))
    yield* reached
    yield* TestClock.adjust("1 second")
    const act = bodyOf(yield* Fiber.join(answer), 202)
    assert.deepInclude(act, { act: "run", author: "ann", result: null, ended_at: null })
    yield* letGo
    yield* until(Effect.map(actRows, ([row]) => row?.result ?? undefined))
    assert.deepStrictEqual(yield* Effect.forEach(["game-0", "game-1", "game-2"], statusOf), [
      "removed",
      "removed",
      "removed"
    ])
  })

  inApi("says of a pass that a guard refuses why, and that nothing was changed", function* () {
    yield* runOnce
    yield* seedMany(2)
    yield* (yield* MemoryEngine).setIdentity(EngineId.make("another/none"))
    const { letGo, reached } = yield* heldAtEngine("identity")
    const answer = yield* Effect.forkChild(post("/passes", { reason }))
    yield* reached
    yield* TestClock.adjust("900 millis")
    yield* letGo
    const problem = problemOf(yield* Fiber.join(answer))
    assert.deepInclude(problem, { status: 409, type: "urn:rtmanager:refused" })
    assert.match(problem.detail ?? "", /the engine is another\/none/)
    assert.strictEqual(yield* statusOf("game-0"), "stopped")
  })

  inApi("takes the engine's word for what is gone, once a person has accepted that", function* () {
    yield* seedMany(30, { container: null })
    const braked = problemOf(yield* post("/passes", { reason }))
    assert.match(braked.detail ?? "", /--accept-absent/)
    const act = bodyOf(yield* post("/absence/accept", { reason }), 202)
    assert.deepInclude(act, { act: "absence_accept", author: "ann", result: "done" })
    assert.strictEqual(yield* statusOf("game-29"), "removed")
    assert.strictEqual(bodyOf(yield* post("/passes", { reason }), 202)["result"], "done")
  })

  describe("with a plan", () => {
    /** What `plan --out` writes of what the service says now. */
    const planned = Effect.map(get("/plan"), ({ games, next: _, would_refuse: __, ...basis }) => ({
      id: randomUUID(),
      version: 1,
      ...basis,
      games: games
        .filter(({ action }: { action: string }) => action !== "keep")
        .map(({ action, container_id, game_id, last_op_at, rule }: Record<string, unknown>) => ({
          game_id,
          container_id,
          last_op_at,
          action,
          rule
        }))
    }))
    const left = Effect.map(StoreState, ({ records }) =>
      [...records.values()].flatMap(({ gameId, status }) => (status === "removed" ? [] : [gameId]))
    )

    inApi("cleans its games that are still as it shows them, and nothing else", function* () {
      yield* seedMany(3)
      const plan = yield* planned
      yield* seed("game-1", 7)
      yield* seed("later", 8)
      const act = bodyOf(yield* post("/passes", { reason, plan }), 202)
      assert.deepInclude(act, { act: "plan_apply", target: plan.id, author: "ann", result: "done" })
      assert.strictEqual(act["message"], "2 of 3 games done")
      assert.deepStrictEqual(yield* left, ["game-1", "later"])
      assert.deepInclude(yield* rowOf("game-0"), { opSource: "admin_rest", sourceRef: "ann" })
    })

    inApi("is done once, and its request is answered the same each time", function* () {
      yield* seedMany(2)
      const plan = yield* planned
      const key = { "idempotency-key": "k" }
      const first = bodyOf(yield* post("/passes", { reason, plan }, key), 202)
      yield* seedMany(2)
      assert.deepStrictEqual(bodyOf(yield* post("/passes", { reason, plan }, key), 202), first)
      const again = problemOf(yield* post("/passes", { reason, plan }))
      assert.deepInclude(again, { status: 409, type: "urn:rtmanager:refused" })
      assert.match(again.detail ?? "", /was applied before/)
      const other = { ...plan, games: plan.games.slice(1) }
      assert.strictEqual(problemOf(yield* post("/passes", { reason, plan: other }, key)).status, 422)
      assert.strictEqual(problemOf(yield* post("/passes", { reason }, key)).status, 422)
      assert.deepStrictEqual(yield* left, ["game-0", "game-1"])
    })

    const elsewhere: ReadonlyArray<readonly [string, object, RegExp]> = [
      ["another engine's name", { engine: "host-1" }, /of engine host-1/],
      ["another engine", { engine_id: "another/none" }, /over another engine/],
      ["the day before yesterday", { made_at: new Date(now - 48 * 3_600_000).toISOString() }, /over 1d ago/],
      ["tomorrow", { made_at: new Date(now + 24 * 3_600_000).toISOString() }, /has yet to reach/]
    ]
    inApi.each(elsewhere)("of %s is refused, and can be applied as it was", function* ([, changes, why]) {
      yield* seedMany(2)
      const plan = yield* planned
      const problem = problemOf(yield* post("/passes", { reason, plan: { ...plan, ...changes } }))
      assert.deepInclude(problem, { status: 409, type: "urn:rtmanager:refused" })
      assert.match(problem.detail ?? "", why)
      assert.lengthOf(yield* left, 2)
      bodyOf(yield* post("/passes", { reason, plan }), 202)
      assert.deepStrictEqual(yield* left, [])
    })

    inApi("that was edited by hand removes nothing that is not due and as it says", function* () {
      yield* seed("chess", 1)
      yield* seed("go", 2, { record: { lastOpAt: BigInt(now) * 1000n } })
      const plan = yield* planned
      const [row] = plan.games
      const games = [
        { ...row, container_id: containerId(3) },
        {
          ...row,
          game_id: "go",
          container_id: containerId(2),
          last_op_at: new Date(now).toISOString().replace("Z", "000Z")
        }
      ]
      const act = bodyOf(yield* post("/passes", { reason, plan: { ...plan, games } }), 202)
      assert.strictEqual(act["message"], "0 of 2 games done")
      assert.deepStrictEqual(yield* left, ["chess", "go"])
    })

    const unusable: ReadonlyArray<readonly [string, (plan: Effect.Success<typeof planned>) => object]> = [
      ["without an id", (plan) => ({ plan: { ...plan, id: undefined } })],
      ["of another version", (plan) => ({ plan: { ...plan, version: 2 } })],
      [
        "with a container that is no id",
        (plan) => ({ plan: { ...plan, games: [{ ...plan.games[0], container_id: "postgres" }] } })
      ],
      ["with a game twice", (plan) => ({ plan: { ...plan, games: [plan.games[0], plan.games[0]] } })],
      ["with a field that nothing reads", (plan) => ({ plan: { ...plan, force: true } })],
      ["that is null", () => ({ plan: null })],
      ["under another name", (plan) => ({ plans: plan })]
    ]
    inApi.each(unusable)("%s is none, and no pass over anything else", function* ([, bodyWith]) {
      yield* seedMany(2)
      const plan = yield* planned
      assert.strictEqual(problemOf(yield* post("/passes", { reason, ...bodyWith(plan) })).status, 400)
      assert.deepStrictEqual(yield* actRows, [])
      assert.lengthOf(yield* left, 2)
    })

    inApi("of thousands of games fits, and one of more than 1 MiB does not", function* () {
      yield* seedMany(1)
      const plan = yield* planned
      const rows = (count: number) =>
        Array.from({ length: count }, (_, i) => ({ ...plan.games[0], game_id: `other-${i}` }))
      const asked = (count: number) =>
        post("/passes", { reason, plan: { ...plan, games: [...plan.games, ...rows(count)] } })
      const problem = problemOf(yield* asked(6000))
      assert.strictEqual(problem.status, 413)
      assert.deepStrictEqual(yield* actRows, [])
      assert.strictEqual(bodyOf(yield* asked(4000), 202)["message"], "1 of 4001 games done")
    })
  })

  const inDryRun = inApi.with({ mode: "dry_run" })
  inDryRun.each(["/games/chess/clean", "/passes", "/absence/accept"])(
    "cleans nothing in a dry run: %s",
    function* (path) {
      yield* seed("chess", 1)
      assert.match(problemOf(yield* post(path, { reason })).detail ?? "", /dry run/)
      assert.strictEqual(yield* statusOf("chess"), "stopped")
    }
  )
})
