import { assert, describe } from "@effect/vitest"
import { Duration, Effect, Fiber, Ref, Stream } from "effect"
import { TestClock } from "effect/testing"
import { MemoryEngine } from "../../src/adapters/memory/ContainerEngine.ts"
import { CleanupPass } from "../../src/cleanup/pass/CleanupPass.ts"
import * as CleanupPlan from "../../src/cleanup/pass/CleanupPlan.ts"
import { Author, Reason } from "../../src/domain/Act.ts"
import { hold } from "../../src/operator/hold.ts"
import { EngineId } from "../../src/ports/ContainerEngine.ts"
import { GameLeases } from "../../src/ports/GameLeases.ts"
import { type HoldEnd, Holds } from "../../src/ports/Holds.ts"
import { KnownEngine } from "../../src/ports/KnownEngine.ts"
import { StoreState } from "../adapters/memory/StoreState.ts"
import { testIn } from "../support/testIn.ts"
import {
  actRows,
  atEngine,
  containerId,
  garbage,
  heldAtEngine,
  layerWorld,
  leaseTtl,
  now,
  seed,
  settings,
  storeDown,
  unreachable
} from "../support/world.ts"

const inWorld = testIn(layerWorld())

const ann = Author.make("ann")
const reason = Reason.make("the players complain")

/** Counts how often the act says that it waits. */
const holding = Effect.fnUntraced(function* (end: HoldEnd = null, waits?: Ref.Ref<number>) {
  const onWait = waits === undefined ? Effect.void : Ref.update(waits, (count) => count + 1)
  return yield* hold({ gameId: "game", author: ann, reason, end, leaseTtl, onWait })
})

const refusal = Effect.map(Effect.flip(holding()), (error) => [error._tag, error.message] as const)

const placed = Effect.map(StoreState, ({ holds }) => [...holds.values()].map(({ author, until }) => [author, until]))

const recordOf = Effect.fnUntraced(function* (gameId: string) {
  const row = (yield* StoreState).records.get(gameId)
  assert(row !== undefined)
  return row
})

const lastAct = Effect.map(actRows, (rows) => rows.at(-1))

/** A pass whose call to the engine about the game has no answer yet. */
const passHeldAt = Effect.fnUntraced(function* (operation: "inspect" | "remove") {
  const { letGo, reached } = yield* heldAtEngine(operation)
  yield* Effect.addFinalizer(() => letGo)
  const pass = yield* CleanupPass
  const running = yield* Effect.forkChild(pass.runOnce({ trigger: "manual" }))
  yield* reached
  return { letGo, running }
})

/** The engine that answers is the known one. */
const known = Effect.flatMap(KnownEngine, ({ remember }) => remember(EngineId.make("memory/none")))

describe("a hold", () => {
  inWorld("is there once it is answered, and no pass removes the container before its end", function* () {
    yield* seed("game", 1)
    const { message, value } = yield* holding(Duration.hours(1))
    const until = new Date(now + 3_600_000)
    assert.strictEqual(message, `game is held by ann until ${until.toISOString()}: "the players complain"`)
    assert.deepStrictEqual(value, { gameId: "game", author: ann, reason, placedAt: new Date(now), until })
    const state = yield* StoreState
    assert.strictEqual(state.leases.size, 0)
    const { runOnce } = yield* CleanupPass
    assert.strictEqual((yield* runOnce({ trigger: "manual" })).listed, 0)
    assert.deepInclude(yield* lastAct, { act: "hold", target: "game", author: ann, reason, result: "done", message })
    yield* TestClock.adjust("1 hour")
    assert.strictEqual((yield* runOnce({ trigger: "manual" })).outcomes.removed, 1)
  })

  inWorld("is why a plan keeps the game, however long ago it has stopped", function* () {
    yield* seed("game", 1)
    const { message } = yield* holding()
    const { games } = yield* CleanupPlan.plan(settings)
    const [planned] = yield* Stream.runCollect(games)
    assert.deepInclude(planned, { gameId: "game", action: "keep", errorCode: "held" })
    assert.strictEqual(message, `game is ${planned?.message}`)
  })

  inWorld(
    "event 46: waits for an attempt that has begun, and comes too late if that removes the container",
    function* () {
      yield* seed("game", 1)
      const { letGo, running } = yield* passHeldAt("remove")
      const waits = yield* Ref.make(0)
      const asking = yield* Effect.forkChild(Effect.flip(holding(null, waits)))
      yield* TestClock.adjust("3 seconds")
      assert.isUndefined(asking.pollUnsafe())
      assert.deepStrictEqual(yield* placed, [[ann, null]])
      yield* letGo
      yield* Fiber.join(running)
      yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(asking)
      assert.strictEqual(error._tag, "ActRefused")
      const [row] = (yield* StoreState).log
      assert.strictEqual(
        error.message,
        `too late: the record is removed, by auto_ttl at ${new Date(row?.finishedAt ?? 0).toISOString()} (operation 0, trace ${row?.traceId})`
      )
      assert.strictEqual(yield* Ref.get(waits), 1)
      assert.deepStrictEqual(yield* placed, [])
      assert.deepInclude(yield* lastAct, { result: "refused", message: error.message })
    }
  )

  inWorld("waits for an attempt that has begun, and stands if that removes nothing", function* () {
    yield* seed("game", 1)
    const { letGo, running } = yield* passHeldAt("inspect")
    const asking = yield* Effect.forkChild(holding())
    yield* TestClock.adjust("3 seconds")
    assert.isUndefined(asking.pollUnsafe())
    yield* Effect.andThen(atEngine("remove", Effect.fail(unreachable)), letGo)
    yield* Fiber.join(running)
    yield* TestClock.adjust("1 second")
    assert.isNull((yield* Fiber.join(asking)).value.until)
    assert.deepStrictEqual(yield* placed, [[ann, null]])
    assert.lengthOf(yield* (yield* MemoryEngine).containers, 1)
  })

  inWorld("fails while an attempt goes on for longer than a lease, and stays", function* () {
    yield* seed("game", 1)
    const state = yield* StoreState
    state.setLease("game", { owner: "another", token: 1n, expiresAt: Number.POSITIVE_INFINITY })
    const asking = yield* Effect.forkChild(Effect.flip(holding()))
    yield* TestClock.adjust(Duration.sum(leaseTtl, Duration.seconds(6)))
    const error = yield* Fiber.join(asking)
    assert.strictEqual(error._tag, "StoreError")
    assert.strictEqual(
      error.message,
      "hold: the hold is placed, but an attempt under way may still remove the container: the game's lease is still another's"
    )
    assert.deepStrictEqual(yield* placed, [[ann, null]])
    assert.deepInclude(yield* lastAct, { result: "failed", message: error.message })
  })

  inWorld("stays if it is interrupted while it waits, and its act says so", function* () {
    yield* seed("game", 1)
    ;(yield* StoreState).setLease("game", { owner: "another", token: 1n, expiresAt: Number.POSITIVE_INFINITY })
    const asking = yield* Effect.forkChild(holding())
    yield* TestClock.adjust("1 second")
    yield* Fiber.interrupt(asking)
    assert.deepStrictEqual(yield* placed, [[ann, null]])
    assert.deepInclude(yield* lastAct, { result: "interrupted" })
  })

  inWorld("stays if the database fails after it was placed, which the answer says", function* () {
    ;(yield* StoreState).intercept = (operation) => (operation === "acquire" ? Effect.fail(storeDown) : Effect.void)
    const [tag, message] = yield* refusal
    assert.strictEqual(tag, "StoreError")
    assert.match(message, /^hold: the hold is placed, but an attempt under way may still remove .*: clock: down$/)
    assert.deepStrictEqual(yield* placed, [[ann, null]])
  })

  inWorld("can be placed on a game that has no record", function* () {
    assert.isNull((yield* holding()).value.until)
    assert.deepStrictEqual(yield* placed, [[ann, null]])
  })

  inWorld("can be placed on a game that runs, whatever the engine has", function* () {
    yield* known
    yield* seed("game", 1, { record: { status: "running" }, container: null })
    yield* holding()
    assert.deepStrictEqual(yield* placed, [[ann, null]])
  })

  inWorld("stands on a record that does not decode, and says so", function* () {
    ;(yield* StoreState).setRecord("game", {
      gameId: "game",
      engine: "default",
      status: "stopped",
      containerId: null,
      imageRef: null,
      lastOpAt: null,
      problem: "does not decode"
    })
    assert.match(
      (yield* holding()).message,
      /^game is held by ann until released: .*; its record does not decode: game/
    )
    assert.deepStrictEqual(yield* placed, [[ann, null]])
  })

  inWorld("comes too late for a record that another has removed", function* () {
    yield* seed("game", 1, { record: { status: "removed" } })
    const late = "too late: the record is removed, by no operation that is logged"
    assert.deepStrictEqual(yield* refusal, ["ActRefused", late])
    assert.deepStrictEqual(yield* placed, [])
  })

  inWorld("takes only its own author's hold back when it comes too late", function* () {
    yield* seed("game", 1, { record: { status: "removed" } })
    const other = { gameId: "game", author: "bob", reason, placedAt: now, until: null }
    ;(yield* StoreState).setHold(other, other)
    yield* refusal
    assert.deepStrictEqual(yield* placed, [["bob", null]])
  })

  inWorld("comes too late for a container that the known engine no longer has", function* () {
    yield* known
    yield* seed("game", 1, { container: null })
    const late = "too late: the container is gone from the engine, or going, by no operation that is logged"
    assert.deepStrictEqual(yield* refusal, ["ActRefused", late])
    assert.deepStrictEqual(yield* placed, [])
  })

  inWorld("comes too late for a container that is being removed", function* () {
    yield* known
    yield* seed("game", 1, { container: { state: "removing" } })
    assert.strictEqual((yield* refusal)[0], "ActRefused")
    assert.deepStrictEqual(yield* placed, [])
  })

  inWorld.each<readonly [string, Effect.Effect<unknown, unknown, KnownEngine | MemoryEngine | StoreState>]>([
    ["is away", Effect.andThen(known, atEngine("identity", Effect.fail(unreachable)))],
    ["answers with garbage", Effect.andThen(known, atEngine("inspect", Effect.fail(garbage)))],
    ["is not known yet", Effect.void],
    ["is not the known one", Effect.flatMap(KnownEngine, ({ remember }) => remember(EngineId.make("another")))],
    [
      "is braked",
      Effect.andThen(
        known,
        Effect.flatMap(KnownEngine, ({ brake }) => brake(EngineId.make("memory/none")))
      )
    ],
    [
      "has another name too",
      Effect.flatMap(StoreState, (state) =>
        Effect.sync(() => state.setKnown("host-1", { id: EngineId.make("memory/none"), braked: false }))
      )
    ]
  ])("is not hindered by an engine that %s", function* ([, given]) {
    yield* given
    yield* seed("game", 1, { container: null })
    yield* holding()
    assert.deepStrictEqual(yield* placed, [[ann, null]])
  })

  inWorld("does not ask this engine for a container on another", function* () {
    yield* known
    yield* seed("game", 1, { record: { engine: "host-1" }, container: null })
    yield* holding()
    assert.deepStrictEqual(yield* (yield* MemoryEngine).calls, [])
  })

  inWorld("is refused if its end is over by the database's clock", function* () {
    const error = yield* Effect.flip(holding(new Date(now)))
    assert.deepInclude(error, {
      _tag: "ActRefused",
      message: "the hold would be over already, by the database's clock"
    })
    assert.deepStrictEqual(yield* placed, [])
  })

  inWorld(
    "is not confirmed if the last attempt has not ended for certain and the engine cannot be asked",
    function* () {
      yield* seed("game", 1)
      ;(yield* StoreState).setLease("game", { owner: "another", token: 1n, expiresAt: now })
      const error = yield* Effect.flip(holding())
      assert.strictEqual(error._tag, "StoreError")
      assert.include(error.message, "an attempt under way may still remove the container")
      assert.deepStrictEqual(yield* placed, [[ann, null]])
    }
  )

  inWorld("is refused if somebody releases it while it waits", function* () {
    yield* seed("game", 1)
    const { letGo, running } = yield* passHeldAt("inspect")
    const asking = yield* Effect.forkChild(Effect.flip(holding()))
    yield* TestClock.adjust("1 second")
    yield* (yield* Holds).release("game", { author: undefined, grace: Duration.zero })
    ;(yield* StoreState).setRecord("game", { ...(yield* recordOf("game")), status: "running" })
    yield* letGo
    yield* Fiber.join(running)
    yield* TestClock.adjust("1 second")
    assert.include((yield* Fiber.join(asking)).message, "released or replaced")
  })

  inWorld("says that there is no record of the game yet", function* () {
    assert.include((yield* holding()).message, "no record of it yet")
  })

  inWorld("puts the former hold back if it comes too late", function* () {
    yield* seed("game", 1)
    yield* holding()
    ;(yield* StoreState).setRecord("game", { ...(yield* recordOf("game")), status: "removed" })
    yield* TestClock.adjust("1 minute")
    assert.strictEqual((yield* Effect.flip(holding(Duration.days(1))))._tag, "ActRefused")
    assert.deepStrictEqual(yield* placed, [[ann, null]])
  })

  inWorld("leaves a lease to expire that its last holder has left, so that the next one knows of it", function* () {
    yield* seed("game", 1)
    const state = yield* StoreState
    yield* known
    state.setLease("game", { owner: "another", token: 1n, expiresAt: now })
    yield* holding()
    yield* TestClock.adjust(leaseTtl)
    const acquired = yield* (yield* GameLeases).acquire("game")
    assert(acquired._tag === "Leased")
    assert.strictEqual(acquired.leftBy, "us")
    assert.strictEqual(acquired.record?.containerId, containerId(1))
  })
})
