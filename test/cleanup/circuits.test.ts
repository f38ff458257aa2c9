import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Random } from "effect"
import { TestClock } from "effect/testing"
import { MemoryEngine } from "../../src/adapters/memory/ContainerEngine.ts"
import * as Circuits from "../../src/cleanup/circuits.ts"
import { ContainerEngine, type ContainerEngineError } from "../../src/ports/ContainerEngine.ts"
import { GameLeases } from "../../src/ports/GameLeases.ts"
import { Pauses } from "../../src/ports/Pauses.ts"
import { RuntimeRecords } from "../../src/ports/RuntimeRecords.ts"
import { NotMigrated, StoreError } from "../../src/ports/StoreError.ts"
import { StoreState } from "../adapters/memory/StoreState.ts"
import { auditRow } from "../support/records.ts"
import { testIn } from "../support/testIn.ts"
import { containerId, layerPorts, moment, storeDown, unreachable } from "../support/world.ts"

const layer = Layer.merge(layerPorts, Circuits.layer.pipe(Layer.provide(layerPorts)))
const inPorts = testIn(layer)

const setEngine = (answers: boolean) =>
  Effect.flatMap(MemoryEngine, (engine) => engine.setIntercept(() => (answers ? Effect.void : unreachable)))

const engineCalls = Effect.flatMap(MemoryEngine, (engine) => Effect.map(engine.calls, (calls) => calls.length))

describe("the engine's circuit", () => {
  inPorts("event 15: opens by a failed probe, and then nothing reaches the engine", function* () {
    const engine = yield* ContainerEngine
    yield* setEngine(false)
    yield* Effect.flip(engine.ping)
    const sent = yield* engineCalls
    const calls: ReadonlyArray<Effect.Effect<unknown, ContainerEngineError>> = [
      engine.ping,
      engine.identity,
      engine.inspect(containerId(1)),
      engine.findByGame("game"),
      engine.remove(containerId(1))
    ]
    for (const call of calls) {
      assert.match((yield* Effect.flip(call)).message, /^engine \w+: refused/)
    }
    assert.strictEqual(yield* engineCalls, sent)
  })

  inPorts("stays closed when a single container's call fails: that says nothing of the whole", function* () {
    const engine = yield* ContainerEngine
    yield* (yield* MemoryEngine).setIntercept((operation) => (operation === "inspect" ? unreachable : Effect.void))
    yield* Effect.flip(engine.inspect(containerId(1)))
    yield* engine.ping
    assert.isUndefined(yield* Effect.option(engine.remove(containerId(2))).pipe(Effect.as(undefined)))
    assert.strictEqual(yield* engineCalls, 3)
  })

  it.effect("event 15: lets one probe through after each wait, which doubles up to a minute, with jitter", () =>
    Effect.gen(function* () {
      const engine = yield* ContainerEngine
      yield* setEngine(false)
      yield* Effect.flip(engine.ping)
      const waits: Array<number> = []
      for (let opening = 0; opening < 8; opening++) {
        const sent = yield* engineCalls
        let waited = 0
        while ((yield* engineCalls) === sent) {
          yield* TestClock.adjust("10 millis")
          waited += 10
          yield* Effect.flip(engine.ping)
        }
        waits.push(waited)
      }
      for (const [index, wait] of waits.entries()) {
        const expected = Math.min(60_000, 1000 * 2 ** index)
        assert.isAtLeast(wait, expected * 0.8)
        assert.isAtMost(wait, expected * 1.2 + 10)
      }
      assert.isTrue(waits.some((wait, index) => Math.abs(wait - Math.min(60_000, 1000 * 2 ** index)) > 50))
    }).pipe(Effect.provide(layer), Random.withSeed("a seed"))
  )

  inPorts("event 15: closes by the probe that is answered, and everything reaches the engine again", function* () {
    const engine = yield* ContainerEngine
    yield* setEngine(false)
    yield* Effect.flip(engine.ping)
    yield* setEngine(true)
    yield* Effect.flip(engine.ping)
    yield* TestClock.adjust("2 seconds")
    yield* Effect.flip(engine.inspect(containerId(1)))
    yield* engine.ping
    assert.isUndefined(yield* engine.inspect(containerId(1)))
  })
})

inPorts("a circuit waits by monotonic time, however far the wall clock is set back", function* () {
  const engine = yield* ContainerEngine
  yield* setEngine(false)
  yield* Effect.flip(engine.ping)
  yield* setEngine(true)
  const clock = yield* Clock.Clock
  const wall = clock.currentTimeMillisUnsafe()
  const later = Object.assign(Object.create(clock), {
    currentTimeMillis: Effect.succeed(wall - 3_600_000),
    currentTimeMillisUnsafe: () => wall - 3_600_000
  })
  yield* TestClock.adjust("2 seconds")
  yield* Effect.provideService(engine.ping, Clock.Clock, later)
})

describe("the database's circuit", () => {
  const opened = Effect.gen(function* () {
    const state = yield* StoreState
    state.intercept = () => storeDown
    yield* Effect.flip((yield* RuntimeRecords).clock)
    const sent: Array<string> = []
    state.intercept = (operation) => {
      sent.push(operation)
      return Effect.void
    }
    return sent
  })

  inPorts("opens when somebody migrates in mid-pass, and then each failure says so", function* () {
    const state = yield* StoreState
    const reason = new NotMigrated({ detail: "the schema is at version 7" })
    state.intercept = (operation) => Effect.fail(new StoreError({ operation, reason }))
    const { clock } = yield* RuntimeRecords
    yield* Effect.flip(clock)
    state.intercept = () => Effect.void
    const calls: ReadonlyArray<Effect.Effect<unknown, StoreError>> = [clock, (yield* GameLeases).acquire("game")]
    for (const call of calls) assert.strictEqual((yield* Effect.flip(call)).reason, reason)
  })

  inPorts("event 15: opens when the clock's question fails, and then nothing new is begun", function* () {
    const sent = yield* opened
    const records = yield* RuntimeRecords
    const leases = yield* GameLeases
    const calls: ReadonlyArray<Effect.Effect<unknown, StoreError>> = [
      records.clock,
      records.listDue({ moment, after: undefined, limit: 1 }),
      records.backlog(moment),
      leases.acquire("game"),
      (yield* Pauses).current,
      (yield* Pauses).beginPass
    ]
    for (const call of calls) {
      assert.match((yield* Effect.flip(call)).message, /: down/)
    }
    assert.deepStrictEqual(sent, [])
  })

  inPorts("still tries to record what was done: a commit and a settlement are always sent", function* () {
    const sent = yield* opened
    const leases = yield* GameLeases
    const lease = { gameId: "game", owner: "owner", token: 1n, acquiredAt: 0n }
    yield* leases.commit(lease, { containerId: null }, auditRow())
    yield* leases.settle(lease, { failure: undefined, backoff: undefined, keep: false })
    assert.deepStrictEqual(sent, ["commit", "readBack", "release"])
  })
})
