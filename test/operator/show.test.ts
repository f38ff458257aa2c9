import { assert, describe } from "@effect/vitest"
import { Duration, Effect, Layer, Schema } from "effect"
import { MemoryEngine } from "../../src/adapters/memory/ContainerEngine.ts"
import type { RecordedAct } from "../../src/domain/Act.ts"
import { GameStory } from "../../src/domain/GameStory.ts"
import type { PlacedHold } from "../../src/domain/Hold.ts"
import { show } from "../../src/operator/show.ts"
import { Acts } from "../../src/ports/Acts.ts"
import { EngineId } from "../../src/ports/ContainerEngine.ts"
import { GameLeases } from "../../src/ports/GameLeases.ts"
import { Holds } from "../../src/ports/Holds.ts"
import { StoreState } from "../adapters/memory/StoreState.ts"
import { testIn } from "../support/testIn.ts"
import { atEngine, containerId, layerWorld, now, retention, runOnce, seed, unreachable } from "../support/world.ts"

const at = new Date(now)

const hold: PlacedHold = { gameId: "held", author: "ann@host", reason: "a dispute", placedAt: at, until: null }

const act: RecordedAct = {
  ...{ id: 7n, act: "hold", target: "held", author: "ann@host", reason: "a dispute" },
  ...{ askedAt: at, endedAt: at, result: "done", message: "held" }
}

/** The service over fakes, where ann holds one game. */
const inWorld = testIn(
  Layer.merge(
    layerWorld(),
    Layer.merge(
      Layer.mock(Holds, { of: (gameId) => Effect.succeed(gameId === hold.gameId ? [hold] : []) }),
      Layer.mock(Acts, { list: ({ target }) => Effect.succeed(target === act.target ? [act] : []) })
    )
  )
)

const story = (gameId: string) => show(gameId, { retention })

const encode = Schema.encodeEffect(Schema.fromJsonString(GameStory))

const dayAfter = (millis: number) => new Date(millis + Duration.toMillis("1 day"))

describe("show", () => {
  inWorld("tells of a game that is due what its record and its container are", function* () {
    yield* seed("game", 1)
    const found = yield* story("game")
    const ended = now - Duration.toMillis(retention) - Duration.toMillis("1 day")
    assert.deepStrictEqual(found, {
      gameId: "game",
      version: `${ended}000.${containerId(1)}`,
      problem: null,
      record: {
        ...{ status: "stopped", engine: "default", containerId: containerId(1) },
        ...{ imageRef: "registry.example/game:1", lastOpAt: new Date(ended) }
      },
      container: {
        ...{ found: "present", message: null, state: "exited", gameId: "game" },
        ...{ createdAt: new Date(ended - 2), startedAt: new Date(ended - 1), finishedAt: new Date(ended) }
      },
      due: { at: new Date(now - Duration.toMillis("1 day")), rule: "retention 30d" },
      ...{ backoff: null, lease: null, holds: [], operations: [], acts: [] }
    })
    const json = JSON.parse(yield* encode(found))
    assert.deepInclude(json, {
      game_id: "game",
      due: { at: dayAfter(now - 2 * 86_400_000).toISOString(), rule: "retention 30d" }
    })
    assert.deepInclude(json.record, { container_id: containerId(1), status: "stopped" })
  })

  inWorld("tells who holds a game, that it is never due so, and which acts concerned it", function* () {
    yield* seed("held", 1)
    const found = yield* story("held")
    assert.deepStrictEqual(found.due, { at: null, rule: 'held by ann@host until released: "a dispute"' })
    assert.deepStrictEqual(found.holds, [hold])
    assert.deepStrictEqual(found.acts, [act])
  })

  inWorld("tells why a game backs off, and what was done with it", function* () {
    yield* seed("game", 1, { container: { state: "running" } })
    yield* runOnce
    const found = yield* story("game")
    const retry = (yield* StoreState).backoffs.get("game")?.nextAttemptAt ?? 0
    assert.deepInclude(found.backoff, { attempts: 1, lastError: "container_running", stuck: false })
    assert.deepStrictEqual(found.due, {
      at: new Date(retry),
      rule: `backing off until ${new Date(retry).toISOString()}`
    })
    assert.deepStrictEqual(
      found.operations.map(({ errorCode, outcome }) => [outcome, errorCode]),
      [["failure", "container_running"]]
    )
  })

  inWorld("tells of a removed game when and why, and that its container is not on the engine", function* () {
    yield* seed("game", 1)
    yield* runOnce
    const found = yield* story("game")
    assert.deepInclude(found.record, { status: "removed" })
    assert.deepInclude(found.container, { found: "absent", message: "not on the engine" })
    assert.deepStrictEqual(found.due, { at: null, rule: "only stopped games are cleaned, and this one is removed" })
    assert.deepStrictEqual(
      found.operations.map(({ outcome }) => outcome),
      ["success"]
    )
  })

  inWorld("tells whose lease is on a game", function* () {
    yield* seed("game", 1)
    yield* (yield* GameLeases).acquire("game")
    const { lease } = yield* story("game")
    assert.deepStrictEqual(lease?.since, at)
    assert.isAbove(lease?.until.getTime() ?? 0, now)
  })

  inWorld("says that the engine does not answer, and tells all else", function* () {
    yield* seed("game", 1)
    yield* atEngine("inspect", unreachable)
    const { container, record } = yield* story("game")
    assert.strictEqual(record?.status, "stopped")
    assert.strictEqual(container?.found, "unknown")
    assert.match(container?.message ?? "", /^the engine does not answer: .*refused/)
  })

  inWorld("does not ask an engine that is not the known one", function* () {
    yield* seed("game", 1)
    ;(yield* StoreState).known = { id: EngineId.make("another/none"), braked: false }
    const { container } = yield* story("game")
    assert.strictEqual(container?.found, "unknown")
    assert.match(container?.message ?? "", /the records' containers live on another\/none/)
  })

  inWorld("leaves a container that is on another engine to its service", function* () {
    yield* seed("game", 1, { record: { engine: "host-2" } })
    const { container, due } = yield* story("game")
    assert.deepInclude(container, { found: "elsewhere", message: "on another engine: host-2" })
    assert.deepStrictEqual(due, { at: null, rule: "the service of engine host-2 decides" })
    assert.deepStrictEqual(yield* (yield* MemoryEngine).calls, [])
  })

  inWorld("says of a game on another engine that it does not wait, if it is not stopped", function* () {
    yield* seed(hold.gameId, 1, { record: { engine: "host-2", status: "running" } })
    assert.deepStrictEqual((yield* story(hold.gameId)).due, {
      at: null,
      rule: "only stopped games are cleaned, and this one is running"
    })
  })

  inWorld.each([
    { containerId: null, message: "the record names no container" },
    { containerId: "../x", message: "not a full container id: ../x" }
  ])("asks the engine for no container by $containerId", function* ({ containerId, message }) {
    yield* seed("game", 1, { record: { containerId } })
    assert.deepInclude((yield* story("game")).container, { found: "none", message })
  })

  inWorld("says what is wrong with a record that does not decode", function* () {
    yield* seed("game", 1)
    ;(yield* StoreState).records.set("game", { ...(yield* StoreState).records.get("game"), problem: "odd" } as never)
    const { problem, record } = yield* story("game")
    assert.isNull(record)
    assert.match(problem ?? "", /^game game: /)
  })

  inWorld("tells of a game without a record what people asked for", function* () {
    const found = yield* story("held")
    assert.isNull(found.record)
    assert.deepStrictEqual([found.holds, found.acts], [[hold], [act]])
  })

  inWorld("fails for a game of which nothing is known", function* () {
    const error = yield* Effect.flip(story("no\u001bbody"))
    assert.strictEqual(error.message, "no game no\\u{1b}body: no record, hold, act or operation names it")
  })
})
