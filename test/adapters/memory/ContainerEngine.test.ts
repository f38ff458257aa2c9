import { randomBytes } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as Memory from "../../../src/adapters/memory/ContainerEngine.ts"
import { ContainerId } from "../../../src/domain/ContainerId.ts"
import {
  ContainerEngine,
  ContainerEngineError,
  EngineId,
  UnexpectedAnswer,
  Unreachable
} from "../../../src/ports/ContainerEngine.ts"
import { EngineFixture, resultOf, suite } from "../../ports/ContainerEngineSuite.ts"
import { containerId } from "../../support/records.ts"

const fixture = Layer.effect(
  EngineFixture,
  Effect.map(Memory.MemoryEngine, ({ put }) =>
    EngineFixture.of({
      create: Effect.fnUntraced(function* ({ gameId, state }) {
        const now = yield* Clock.currentTimeMillis
        const id = ContainerId.make(randomBytes(32).toString("hex"))
        yield* put({
          id,
          gameId,
          state,
          createdAt: now,
          startedAt: state === "created" ? null : now,
          finishedAt: state === "exited" ? now : null
        })
        return id
      })
    })
  )
)

suite(
  "ContainerEngine in memory keeps the contract",
  Layer.provideMerge(fixture, Memory.layer({ timeout: "15 seconds" }))
)

const engineTest = <A, E>(
  name: string,
  body: (given: {
    readonly engine: ContainerEngine["Service"]
    readonly memory: Memory.MemoryEngine["Service"]
    readonly exited: ContainerId
  }) => Effect.Effect<A, E>
) =>
  it.effect(name, () =>
    Effect.gen(function* () {
      const engine = yield* ContainerEngine
      const memory = yield* Memory.MemoryEngine
      const exited = containerId("e")
      yield* memory.put({ id: exited, gameId: "g", state: "exited", createdAt: 1, startedAt: 2, finishedAt: 3 })
      yield* body({ engine, memory, exited })
    }).pipe(Effect.provide(Memory.layer({ timeout: "15 seconds" })))
  )

const failing = (reason: Unreachable | UnexpectedAnswer) => (operation: Memory.Operation) =>
  Effect.fail(new ContainerEngineError({ operation, reason }))

describe("the in-memory engine", () => {
  engineTest("removes what is dead, and not what is being removed", ({ engine, memory, exited }) =>
    Effect.gen(function* () {
      const found = yield* engine.inspect(exited)
      assert.isDefined(found)
      yield* memory.put({ ...found, state: "removing" })
      assert.strictEqual(resultOf(yield* engine.remove(exited)), "refused by the engine")
      yield* memory.put({ ...found, state: "dead" })
      assert.strictEqual(yield* engine.remove(exited), "removed")
      assert.deepStrictEqual(yield* memory.containers, [])
    })
  )

  engineTest("records every call in order, and takes another identity", ({ engine, memory, exited }) =>
    Effect.gen(function* () {
      yield* memory.setIdentity(EngineId.make("another"))
      assert.strictEqual(yield* engine.identity, "another")
      yield* engine.ping
      yield* engine.findByGame("g")
      yield* engine.inspect(exited)
      yield* engine.remove(exited)
      assert.deepStrictEqual(yield* memory.calls, [
        { operation: "identity", id: undefined },
        { operation: "ping", id: undefined },
        { operation: "find", id: undefined },
        { operation: "inspect", id: exited },
        { operation: "remove", id: exited }
      ])
    })
  )

  engineTest("fails where a call did not reach it", ({ engine, memory, exited }) =>
    Effect.gen(function* () {
      yield* memory.setIntercept(failing(new Unreachable({ detail: "down" })))
      assert.strictEqual((yield* Effect.flip(engine.remove(exited))).message, "engine remove: down")
      assert.strictEqual((yield* Effect.flip(engine.inspect(exited))).message, "engine inspect: down")
      assert.lengthOf(yield* memory.containers, 1)
    })
  )

  engineTest("calls a remove unknown that was answered in a way that does not say", ({ engine, memory, exited }) =>
    Effect.gen(function* () {
      yield* memory.setIntercept(failing(new UnexpectedAnswer({ status: 500, detail: "answered 500" })))
      assert.strictEqual(resultOf(yield* engine.remove(exited)), "refused by the engine")
      yield* memory.setIntercept(failing(new UnexpectedAnswer({ status: 200, detail: "garbage" })))
      assert.strictEqual(resultOf(yield* engine.remove(exited)), "unknown")
      assert.strictEqual((yield* Effect.flip(engine.inspect(exited))).reason._tag, "UnexpectedAnswer")
    })
  )

  engineTest("carries a remove out later that was not answered in time", ({ engine, memory, exited }) =>
    Effect.gen(function* () {
      yield* memory.setIntercept(() => Effect.never)
      const calls = yield* Effect.all([engine.remove(exited), Effect.flip(engine.ping)], {
        concurrency: "unbounded"
      }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* TestClock.adjust("15 seconds")
      const [removed, error] = yield* Fiber.join(calls)
      assert.strictEqual(resultOf(removed), "unknown")
      assert.strictEqual(error.message, "engine ping: no answer within 15s")
      assert.lengthOf(yield* memory.containers, 1)
      yield* memory.catchUp
      assert.deepStrictEqual(yield* memory.containers, [])
    })
  )

  engineTest("carries a remove out later whose caller was interrupted", ({ engine, memory, exited }) =>
    Effect.gen(function* () {
      yield* memory.setIntercept(() => Effect.never)
      const call = yield* Effect.forkChild(engine.remove(exited), { startImmediately: true })
      yield* Fiber.interrupt(call)
      assert.lengthOf(yield* memory.containers, 1)
      yield* memory.catchUp
      assert.deepStrictEqual(yield* memory.containers, [])
    })
  )

  engineTest("dies where the test says so", ({ engine, memory, exited }) =>
    Effect.gen(function* () {
      yield* memory.setIntercept(() => Effect.die("bug"))
      const exit = yield* Effect.exit(engine.inspect(exited))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    })
  )
})
