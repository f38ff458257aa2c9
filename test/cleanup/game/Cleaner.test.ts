import { assert, describe } from "@effect/vitest"
import { Context, Deferred, Duration, Effect, Fiber, Layer, Metric, Ref } from "effect"
import { TestClock } from "effect/testing"
import { MemoryEngine } from "../../../src/adapters/memory/ContainerEngine.ts"
import * as Brake from "../../../src/cleanup/engine/Brake.ts"
import { attemptOf } from "../../../src/cleanup/game/Cleaned.ts"
import { Cleaner } from "../../../src/cleanup/game/Cleaner.ts"
import { defaultEngine } from "../../../src/domain/EngineName.ts"
import type { EndedAttempt, ErrorCode, Outcome } from "../../../src/domain/Outcome.ts"
import * as Metrics from "../../../src/observability/Metrics.ts"
import {
  ContainerEngine,
  ContainerEngineError,
  EngineId,
  RemovalRefused,
  RemovalUnknown,
  type RemoveResult,
  UnexpectedAnswer
} from "../../../src/ports/ContainerEngine.ts"
import type { PassError } from "../../../src/ports/StoreError.ts"
import { StoreState } from "../../adapters/memory/StoreState.ts"
import {
  atEngine,
  containerId,
  cutoff,
  engineTimeout,
  garbage,
  heldAtEngine,
  inWorld,
  leaseTtl,
  maxClockSkew,
  moment,
  now,
  recording,
  seed,
  storeDown,
  unpaused,
  unreachable
} from "../../support/world.ts"

const request = {
  gameId: "game",
  moment,
  brake: Brake.released,
  recording,
  pause: unpaused,
  engineName: defaultEngine,
  engineId: EngineId.make("memory/none"),
  opSource: "auto_ttl",
  sourceRef: "manual"
} as const

/** However the attempt ends: as it is counted, and what ends the pass. */
const told = (cleaner: Cleaner["Service"]) =>
  cleaner.cleanup(request).pipe(
    Effect.map((cleaned): EndedAttempt & { readonly ends?: PassError | undefined } => cleaned),
    Effect.catch((error) => {
      const away = error._tag === "GameFailed" && error.reason._tag === "StoreTrouble" ? error.reason.away : undefined
      return Effect.succeed({ ...attemptOf(error), ends: error._tag === "CutShort" ? error.reason : away })
    })
  )

const cleanup = Effect.flatMap(Cleaner, told)

/** A cleaner over the same world, whose engine gives this answer to a removal and removes nothing. */
const answering = Effect.fnUntraced(function* (answer: RemoveResult) {
  const engine = yield* ContainerEngine
  const context = yield* Layer.build(
    Cleaner.layer({ leaseTtl, engineTimeout, maxClockSkew, concurrency: 8 }).pipe(
      Layer.provide(Layer.succeed(ContainerEngine, { ...engine, remove: () => Effect.succeed(answer) }))
    )
  )
  return Context.get(context, Cleaner)
})

/** Everything that a test looks at after an attempt. */
const after = Effect.gen(function* () {
  const state = yield* StoreState
  const engine = yield* MemoryEngine
  return {
    status: state.records.get("game")?.status,
    rows: state.log.map(({ outcome, errorCode }) => (errorCode === null ? outcome : errorCode)),
    leases: state.leases.size,
    containers: (yield* engine.containers).length,
    calls: (yield* engine.calls).map(({ operation }) => operation)
  }
})

describe("Cleaner", () => {
  inWorld("removes the container of an expired game, moves its record and writes one success row", function* () {
    yield* seed("game", 1)
    const cleaned = yield* cleanup
    assert.strictEqual(cleaned.outcome, "removed")
    assert.strictEqual(cleaned.lag, 86_400)
    assert.deepStrictEqual(yield* after, {
      status: "removed",
      rows: ["success"],
      leases: 0,
      containers: 0,
      calls: ["inspect", "remove"]
    })
    const [row] = (yield* StoreState).log
    assert.include(row, { containerId: containerId(1), opSource: "auto_ttl", sourceRef: "manual", startedAt: now })
    assert.match(row?.traceId ?? "", /^[0-9a-f]{32}$/)
  })

  inWorld("does nothing more to a game that it has cleaned already", function* () {
    yield* seed("game", 1)
    yield* cleanup
    assert.strictEqual((yield* cleanup).outcome, "replay_no_op")
    assert.deepStrictEqual((yield* after).rows, ["success"])
  })

  inWorld.each<readonly [string, Parameters<typeof seed>[2], Outcome, ErrorCode]>([
    ["its container is running", { container: { state: "running" } }, "failed", "container_running"],
    ["its container is paused", { container: { state: "paused" } }, "failed", "container_running"],
    ["its container is restarting", { container: { state: "restarting" } }, "failed", "container_running"],
    ["its container has no label", { container: { gameId: null } }, "failed", "identity_mismatch"],
    ["its container has another game's label", { container: { gameId: "other" } }, "failed", "identity_mismatch"],
    ["its container finished at the cutoff", { container: { finishedAt: cutoff } }, "conflict", "too_recent"],
    ["its container finished in the future", { container: { finishedAt: now + 120_000 } }, "failed", "engine_clock"],
    ["its record names another engine", { record: { engine: "host-1" } }, "conflict", "record_moved"],
    ["its record was restarted", { record: { status: "running" } }, "conflict", "record_moved"],
    ["its record is no longer due", { record: { lastOpAt: BigInt(cutoff) * 1000n } }, "conflict", "record_moved"],
    ["its container id leaves the path", { record: { containerId: "../images/x" } }, "failed", "invalid_container_id"],
    ["it has a container that no record names", { record: { containerId: null } }, "failed", "container_unrecorded"]
  ])("keeps a game when %s", function* ([, changes, outcome, code]) {
    yield* seed("game", 1, changes)
    const cleaned = yield* cleanup
    assert.deepStrictEqual([cleaned.outcome, cleaned.errorCode], [outcome, code])
    const { calls, ...left } = yield* after
    assert.deepStrictEqual(left, {
      status: changes?.record?.status ?? "stopped",
      rows: [outcome === "conflict" ? outcome : code],
      leases: 0,
      containers: 1
    })
    assert.notInclude(calls, "remove")
  })

  inWorld("removes a container that was never started, and one that a killed engine left dead", function* () {
    yield* seed("game", 1, { container: { state: "created", startedAt: null, finishedAt: null } })
    assert.strictEqual((yield* cleanup).outcome, "removed")
    yield* seed("game", 2, { container: { state: "dead" } })
    assert.strictEqual((yield* cleanup).outcome, "removed")
  })

  inWorld.each([
    { name: "the engine does not have", record: {} },
    { name: "the record does not name and the engine does not have", record: { containerId: null } }
  ])("marks the record of a container that $name as removed", function* ({ record }) {
    yield* seed("game", 1, { record, container: null })
    assert.strictEqual((yield* cleanup).outcome, "already_absent")
    assert.deepInclude(yield* after, { status: "removed", rows: ["success"], leases: 0 })
  })

  inWorld(
    "event 15: charges no game whose question was withheld, although the engine may answer again by then",
    function* () {
      yield* seed("game", 1)
      const engine = yield* MemoryEngine
      yield* engine.setIntercept(() => unreachable)
      assert.strictEqual((yield* cleanup).outcome, "interrupted")
      yield* engine.setIntercept(() => Effect.void)
      yield* TestClock.adjust("2 seconds")
      const cleaned = yield* cleanup
      assert.deepStrictEqual([cleaned.outcome, cleaned.ends?._tag], ["interrupted", "PassRefused"])
      assert.deepInclude(yield* after, { containers: 1, leases: 0, rows: [] })
      assert.strictEqual((yield* StoreState).backoffs.size, 0)
    }
  )

  inWorld.each([
    ["that is running", { state: "running" }, true],
    ["that changed too recently", { finishedAt: cutoff }, true],
    ["that another has removed", null, false]
  ] as const)(
    "event 18: a game backs off after a container %s, if it was refused: $2",
    function* ([, container, backsOff]) {
      yield* seed("game", 1, { container })
      yield* cleanup
      assert.strictEqual((yield* StoreState).backoffs.has("game"), backsOff)
    }
  )

  inWorld(
    "names an unresolved removal until it is resolved or its lease has run out, not only until it is looked at",
    function* () {
      yield* seed("game", 1)
      const cleaner = yield* Cleaner
      const engine = yield* MemoryEngine
      yield* atEngine("remove", garbage)
      const failing = yield* Effect.forkChild(cleanup)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual((yield* Fiber.join(failing)).errorCode, "outcome_unknown")
      yield* engine.setIntercept(() => Effect.void)
      assert.strictEqual((yield* cleanup).errorCode, "lease_busy")
      assert.deepStrictEqual(yield* cleaner.unresolved, ["game"])
      const { leases } = yield* StoreState
      const lease = leases.get("game")
      assert(lease !== undefined)
      leases.set("game", { ...lease, expiresAt: 0 })
      yield* (yield* MemoryEngine).drop(containerId(1))
      assert.strictEqual((yield* cleanup).errorCode, "lease_busy")
      assert.deepStrictEqual(yield* cleaner.unresolved, ["game"])
      ;(yield* StoreState).backoffs.clear()
      assert.strictEqual((yield* cleanup).outcome, "already_absent")
      assert.deepStrictEqual(yield* cleaner.unresolved, [])
    }
  )

  inWorld("event 13: believes in absence only when the known engine has said it again", function* () {
    yield* seed("game", 1)
    const engine = yield* MemoryEngine
    const [container] = yield* engine.containers
    assert(container !== undefined)
    yield* engine.drop(containerId(1))
    yield* atEngine("identity", engine.put(container))
    assert.strictEqual((yield* cleanup).errorCode, "engine_error")
    assert.strictEqual((yield* StoreState).records.get("game")?.status, "stopped")
  })

  inWorld("records a removal that may have been ours although its record changed meanwhile", function* () {
    yield* seed("game", 1)
    const engine = yield* MemoryEngine
    const state = yield* StoreState
    yield* engine.setIntercept((operation) => {
      const record = state.records.get("game")
      if (operation !== "remove" || record === undefined) return Effect.void
      state.records.set("game", { ...record, status: "running" })
      return Effect.andThen(engine.drop(containerId(1)), garbage)
    })
    assert.strictEqual((yield* cleanup).errorCode, "removed_not_committed")
    assert.deepStrictEqual((yield* after).rows, ["removed_not_committed"])
  })

  inWorld("writes the row of an absent container whose record changed before the commit", function* () {
    yield* seed("game", 1, { container: null })
    const state = yield* StoreState
    state.intercept = (operation) => {
      const record = state.records.get("game")
      if (operation === "commit" && record !== undefined) state.records.set("game", { ...record, status: "running" })
      return Effect.void
    }
    assert.strictEqual((yield* cleanup).errorCode, "record_moved")
    assert.deepStrictEqual((yield* after).rows, ["conflict"])
  })

  inWorld.each([
    ["re-read", "reread", "record_moved", 1],
    ["commit", "commit", "removed_not_committed", 0]
  ] as const)(
    "event 43: moves no record that is on another engine by the time of the %s",
    function* ([, before, code, containers]) {
      yield* seed("game", 1)
      const state = yield* StoreState
      state.intercept = (operation) => {
        const record = state.records.get("game")
        if (operation === before && record !== undefined) state.records.set("game", { ...record, engine: "host-1" })
        return Effect.void
      }
      assert.strictEqual((yield* cleanup).errorCode, code)
      assert.deepInclude(yield* after, { status: "stopped", containers })
    }
  )

  inWorld("records a removal although an interruption comes after its answer", function* () {
    yield* seed("game", 1)
    const fiber = yield* Effect.forkDetach(cleanup, { uninterruptible: true })
    ;(yield* StoreState).intercept = (operation) =>
      operation === "commit" ? Effect.sync(() => fiber.interruptUnsafe()) : Effect.void
    assert.strictEqual((yield* Fiber.join(fiber)).outcome, "removed")
    assert.deepInclude(yield* after, { status: "removed", rows: ["success"], leases: 0, containers: 0 })
  })

  inWorld("event 13: does not take another engine's word that a container is absent", function* () {
    yield* seed("game", 1, { container: null })
    yield* (yield* MemoryEngine).setIdentity(EngineId.make("other/none"))
    const cleaned = yield* cleanup
    assert.deepStrictEqual([cleaned.outcome, cleaned.ends?.reason], ["interrupted", "engine_changed"])
    assert.deepInclude(yield* after, { status: "stopped", rows: [], leases: 0 })
  })

  inWorld("leaves a game alone while another holds its lease", function* () {
    yield* seed("game", 1)
    const foreign = { owner: "other", token: 7n, expiresAt: now + 1000 }
    ;(yield* StoreState).leases.set("game", foreign)
    assert.strictEqual((yield* cleanup).errorCode, "lease_busy")
    assert.deepStrictEqual((yield* StoreState).leases.get("game"), foreign)
    assert.deepStrictEqual((yield* after).calls, [])
  })

  inWorld("leaves a game alone that a person has held since it was listed", function* () {
    yield* seed("game", 1)
    const state = yield* StoreState
    const hold = { gameId: "game", author: "ann", reason: "the players complain", placedAt: now, until: now + 1 }
    state.intercept = (operation) =>
      Effect.sync(() => {
        if (operation === "reread") state.setHold(hold, hold)
      })
    const held = yield* cleanup
    assert.deepInclude(held, { outcome: "conflict", errorCode: "held" })
    assert.strictEqual(held.message, `held by ann until ${new Date(now + 1).toISOString()}: "the players complain"`)
    assert.deepStrictEqual(yield* after, { status: "stopped", rows: [], leases: 0, containers: 1, calls: [] })
    assert.strictEqual(state.backoffs.size, 0)
    state.intercept = () => Effect.void
    yield* TestClock.adjust(1)
    assert.strictEqual((yield* cleanup).outcome, "removed")
  })

  inWorld("takes over a lease that has expired", function* () {
    yield* seed("game", 1)
    ;(yield* StoreState).leases.set("game", { owner: "other", token: 7n, expiresAt: now })
    assert.strictEqual((yield* cleanup).outcome, "removed")
    assert.strictEqual((yield* Metric.value(Metrics.leaseTakeovers)).count, 1)
  })

  inWorld("asks for a pause again if the machine slept after the answer", function* () {
    yield* seed("game", 1)
    const asked = yield* Ref.make(0)
    const pause = {
      ensure: Ref.update(asked, (count) => count + 1),
      isFresh: Effect.map(Ref.get(asked), (count) => count > 1)
    }
    assert.strictEqual((yield* (yield* Cleaner).cleanup({ ...request, pause })).outcome, "removed")
    assert.strictEqual(yield* Ref.get(asked), 2)
  })

  inWorld("event 5: sends no removal if the machine slept while it asked for a pause", function* () {
    yield* seed("game", 1)
    const engine = yield* MemoryEngine
    const slept = { ...request, pause: { ensure: TestClock.adjust(leaseTtl), isFresh: Effect.succeed(true) } }
    const { errorCode, outcome } = yield* (yield* Cleaner).cleanup(slept)
    assert.deepStrictEqual([outcome, errorCode], ["conflict", "lease_lost"])
    assert.notInclude(
      (yield* engine.calls).map(({ operation }) => operation),
      "remove"
    )
  })

  inWorld("renews the lease when too little of its trust is left for a removal", function* () {
    yield* seed("game", 1)
    const statements: Array<string> = []
    ;(yield* StoreState).intercept = (operation) => {
      statements.push(operation)
      return operation === "reread" ? TestClock.setTime(now + 36_000) : Effect.void
    }
    assert.strictEqual((yield* cleanup).outcome, "removed")
    assert.deepStrictEqual(statements, ["acquire", "reread", "renew", "commit"])
  })

  inWorld.each([
    ["fails", 36_000, storeDown],
    ["comes after the lease has expired", 61_000, undefined]
  ] as const)(
    "event 5: sends no removal when too little trust is left and the renewal %s",
    function* ([, passed, failure]) {
      yield* seed("game", 1)
      ;(yield* StoreState).intercept = (operation) =>
        operation === "reread"
          ? TestClock.setTime(now + passed)
          : operation === "renew" && failure !== undefined
            ? failure
            : Effect.void
      assert.strictEqual((yield* cleanup).errorCode, "lease_lost")
      assert.deepInclude(yield* after, { rows: [], leases: 0, containers: 1 })
    }
  )

  inWorld("waits for a removal that someone else has begun", function* () {
    yield* seed("game", 1, { container: { state: "removing" } })
    const fiber = yield* Effect.forkChild(cleanup)
    yield* TestClock.adjust("1 second")
    yield* (yield* MemoryEngine).drop(containerId(1))
    yield* TestClock.adjust("1 second")
    assert.strictEqual((yield* Fiber.join(fiber)).outcome, "already_absent")
  })

  inWorld("event 9: calls a container that was started between the inspection and the removal running", function* () {
    yield* seed("game", 1)
    const engine = yield* MemoryEngine
    const start = Effect.flatMap(engine.containers, ([container]) =>
      container === undefined ? Effect.void : engine.put({ ...container, state: "running" })
    )
    yield* atEngine("remove", start)
    assert.strictEqual((yield* cleanup).errorCode, "container_running")
    assert.deepInclude(yield* after, { rows: ["container_running"], leases: 0, containers: 1 })
  })

  inWorld("finds out that a removal without an answer was carried out", function* () {
    yield* seed("game", 1)
    const { drop } = yield* MemoryEngine
    yield* atEngine("remove", Effect.andThen(drop(containerId(1)), Effect.never))
    const fiber = yield* Effect.forkChild(cleanup)
    yield* TestClock.adjust(engineTimeout)
    assert.strictEqual((yield* Fiber.join(fiber)).outcome, "already_absent")
    assert.deepStrictEqual((yield* after).leases, 0)
  })

  inWorld("keeps the lease when a removal without an answer may still be carried out", function* () {
    yield* seed("game", 1)
    yield* atEngine("remove", Effect.never)
    const fiber = yield* Effect.forkChild(cleanup)
    yield* TestClock.adjust(Duration.times(engineTimeout, 3))
    const cleaned = yield* Fiber.join(fiber)
    assert.deepStrictEqual([cleaned.errorCode, cleaned.unresolved], ["outcome_unknown", true])
    assert.include(cleaned.message, "its outcome is unknown (no answer) and the container is still there")
    assert.deepInclude(yield* after, { status: "stopped", rows: ["outcome_unknown"], leases: 1 })
  })

  inWorld(
    "event 13: records no absence that an engine confirmed which was put there after it was asked who it is",
    function* () {
      yield* seed("game", 1, { container: null })
      const engine = yield* MemoryEngine
      let searches = 0
      yield* engine.setIntercept((operation) =>
        operation === "find" && ++searches === 2 ? engine.setIdentity(EngineId.make("other/none")) : Effect.void
      )
      const cleaned = yield* cleanup
      assert.deepStrictEqual([cleaned.outcome, cleaned.ends?.reason], ["interrupted", "engine_changed"])
      assert.deepInclude(yield* after, { status: "stopped", rows: [], leases: 0 })
    }
  )

  inWorld("records a removal that may have been ours although the game has another container by now", function* () {
    yield* seed("game", 1)
    const engine = yield* MemoryEngine
    const [container] = yield* engine.containers
    assert(container !== undefined)
    const another = Effect.andThen(engine.drop(containerId(1)), engine.put({ ...container, id: containerId(2) }))
    yield* atEngine("remove", Effect.andThen(another, garbage))
    assert.strictEqual((yield* cleanup).outcome, "already_absent")
    assert.deepInclude(yield* after, { status: "removed", rows: ["success"], containers: 1 })
  })

  inWorld(
    "event 31: ends at once with the engine's words when it refuses a removal and leaves the container as it was",
    function* () {
      yield* seed("game", 1)
      const reason = new UnexpectedAnswer({ status: 500, detail: "the engine answered 500: driver failed" })
      yield* atEngine("remove", Effect.fail(new ContainerEngineError({ operation: "remove", reason })))
      const cleaned = yield* cleanup
      assert.deepStrictEqual([cleaned.errorCode, cleaned.unresolved], ["engine_error", false])
      assert.match(cleaned.message, /not removed: the engine answered 500: driver failed/)
      assert.deepInclude(yield* after, { rows: ["engine_error"], leases: 0, containers: 1 })
      assert.deepStrictEqual((yield* after).calls, ["inspect", "remove", "inspect"])
    }
  )

  inWorld("event 31: keeps the lease when it was a proxy that refused the removal", function* () {
    yield* seed("game", 1)
    const refused = "a proxy answered 403"
    const cleaner = yield* answering(new RemovalRefused({ by: "proxy", words: refused }))
    const cleaned = yield* told(cleaner)
    assert.deepStrictEqual([cleaned.errorCode, cleaned.unresolved], ["engine_error", true])
    assert.include(cleaned.message, refused)
    assert.strictEqual((yield* after).leases, 1)
  })

  inWorld("says in at most 300 characters, as an audit row takes them, what came in place of an answer", function* () {
    yield* seed("game", 1)
    const words = `a proxy answered 502: ${"x".repeat(260)}`
    const fiber = yield* Effect.forkChild(told(yield* answering(new RemovalUnknown({ words }))))
    yield* TestClock.adjust(Duration.times(engineTimeout, 2))
    const { errorCode, message } = yield* Fiber.join(fiber)
    assert.strictEqual(errorCode, "outcome_unknown")
    assert.include(message, "(a proxy answered 502: x")
    assert.isAtMost(message.length, 300)
  })

  inWorld("keeps the lease when the engine refuses a removal because another one is in progress", function* () {
    yield* seed("game", 1)
    const removing = Effect.provideContext(
      seed("game", 1, { container: { state: "removing" } }),
      yield* Effect.context<StoreState | MemoryEngine>()
    )
    yield* atEngine("remove", removing)
    const fiber = yield* Effect.forkChild(cleanup)
    yield* TestClock.adjust(Duration.times(engineTimeout, 2))
    const cleaned = yield* Fiber.join(fiber)
    assert.deepStrictEqual([cleaned.errorCode, cleaned.unresolved], ["outcome_unknown", true])
    assert.strictEqual((yield* after).leases, 1)
  })

  inWorld(
    "event 5: writes the row of a removal that may have been ours after 32 minutes frozen, the game started again by then",
    function* () {
      yield* seed("game", 1)
      const engine = yield* MemoryEngine
      const state = yield* StoreState
      const frozenWhileStartedAgain = Effect.suspend(() => {
        const record = state.records.get("game")
        assert(record !== undefined)
        state.records.set("game", { ...record, status: "running", containerId: containerId(2) })
        state.leases.delete("game")
        return TestClock.setTime(now + Duration.toMillis("32 minutes"))
      })
      yield* engine.setIntercept((operation) => {
        if (operation === "remove") {
          return engine.drop(containerId(1)).pipe(Effect.andThen(frozenWhileStartedAgain), Effect.andThen(Effect.never))
        }
        return operation === "find" ? unreachable : Effect.void
      })
      assert.strictEqual((yield* cleanup).errorCode, "outcome_unknown")
      assert.deepInclude(yield* after, { rows: ["outcome_unknown"], leases: 0 })
      assert.strictEqual(state.log[0]?.containerId, containerId(1))
      assert.strictEqual(state.backoffs.size, 0)
    }
  )

  inWorld.each([
    ["an answer that makes no sense", garbage, "engine_error"],
    ["no answer for its container alone", unreachable, "engine_unavailable"]
  ] as const)("charges a game with %s", function* ([, failure, code]) {
    yield* seed("game", 1)
    yield* atEngine("inspect", failure)
    assert.strictEqual((yield* cleanup).errorCode, code)
    assert.deepStrictEqual((yield* after).rows, [code])
  })

  inWorld("does not charge a game when the engine does not answer at all", function* () {
    yield* seed("game", 1)
    yield* (yield* MemoryEngine).setIntercept(() => unreachable)
    const cleaned = yield* cleanup
    assert.deepStrictEqual([cleaned.outcome, cleaned.ends?.reason], ["interrupted", "engine_down"])
    assert.deepInclude(yield* after, { rows: [], leases: 0 })
  })

  inWorld("reports a container that was removed while its record changed, with its id", function* () {
    yield* seed("game", 1)
    const state = yield* StoreState
    const restarted = Effect.provideContext(
      seed("game", 1, { record: { status: "running" } }),
      yield* Effect.context<StoreState | MemoryEngine>()
    )
    state.intercept = (operation) => (operation === "commit" ? restarted : Effect.void)
    const cleaned = yield* cleanup
    assert.deepStrictEqual([cleaned.errorCode, cleaned.containerId], ["removed_not_committed", containerId(1)])
    assert.deepStrictEqual((yield* after).rows, ["removed_not_committed"])
    assert.strictEqual(state.log[0]?.containerId, containerId(1))
  })

  inWorld(
    "says that a container was removed when the database cannot record it, and the next attempt does",
    function* () {
      yield* seed("game", 1)
      const state = yield* StoreState
      state.intercept = (operation) => (operation === "commit" ? storeDown : Effect.void)
      const cleaned = yield* cleanup
      assert.strictEqual(cleaned.errorCode, "store_unavailable")
      assert.include(cleaned.message, "the container was removed")
      state.intercept = () => Effect.void
      yield* TestClock.adjust(leaseTtl)
      assert.strictEqual((yield* cleanup).outcome, "already_absent")
      assert.deepStrictEqual((yield* after).rows, ["success"])
    }
  )

  inWorld("event 25: ends a game that meets a bug as an internal error, with its lease released", function* () {
    yield* seed("game", 1)
    yield* (yield* MemoryEngine).setIntercept(() => Effect.die(new Error("bug")))
    assert.strictEqual((yield* cleanup).errorCode, "internal_error")
    assert.deepInclude(yield* after, { rows: ["internal_error"], leases: 0 })
  })

  inWorld("ends a game whose lease meets a bug as an internal error", function* () {
    yield* seed("game", 1)
    ;(yield* StoreState).intercept = () => Effect.die(new Error("bug"))
    assert.strictEqual((yield* cleanup).errorCode, "internal_error")
  })

  inWorld("releases the lease without a row when it is interrupted before the removal", function* () {
    yield* seed("game", 1)
    const { reached } = yield* heldAtEngine("inspect")
    const fiber = yield* Effect.forkChild(cleanup, { uninterruptible: true })
    yield* reached
    yield* Fiber.interrupt(fiber)
    assert.strictEqual((yield* Fiber.join(fiber)).outcome, "interrupted")
    assert.deepInclude(yield* after, { rows: [], leases: 0 })
  })

  inWorld.with({ concurrency: 1 })(
    "releases the lease when it is interrupted while it waits for its turn at the engine",
    function* () {
      yield* seed("game", 1)
      yield* seed("other", 2)
      const leased = yield* Deferred.make<void>()
      const { reached } = yield* heldAtEngine("inspect")
      const cleaner = yield* Cleaner
      const first = yield* Effect.forkChild(Effect.exit(cleaner.cleanup({ ...request, gameId: "other" })), {
        uninterruptible: true
      })
      yield* reached
      ;(yield* StoreState).intercept = (operation) =>
        operation === "reread" || operation === "acquire" ? Deferred.succeed(leased, undefined) : Effect.void
      const waiting = yield* Effect.forkChild(told(cleaner), { uninterruptible: true })
      yield* Deferred.await(leased)
      yield* Effect.yieldNow
      yield* Fiber.interrupt(waiting)
      assert.strictEqual((yield* Fiber.join(waiting)).outcome, "interrupted")
      assert.deepStrictEqual([...(yield* StoreState).leases.keys()], ["other"])
      yield* Fiber.interrupt(first)
    }
  )

  inWorld("event 25: keeps the lease when it is interrupted during a removal", function* () {
    yield* seed("game", 1)
    const { reached } = yield* heldAtEngine("remove")
    const fiber = yield* Effect.forkChild(cleanup, { uninterruptible: true })
    yield* reached
    yield* Fiber.interrupt(fiber)
    const cleaned = yield* Fiber.join(fiber)
    assert.deepStrictEqual([cleaned.outcome, cleaned.unresolved], ["interrupted", true])
    assert.deepInclude(yield* after, { rows: [], leases: 1 })
  })

  inWorld("lets two attempts on one game leave one removal and one audit row", function* () {
    yield* seed("game", 1)
    yield* Effect.all([cleanup, cleanup], { concurrency: "unbounded" })
    assert.deepInclude(yield* after, { status: "removed", rows: ["success"], leases: 0 })
  })

  inWorld("counts every attempt under its outcome and code, and nothing in flight afterwards", function* () {
    yield* seed("game", 1)
    yield* cleanup
    yield* cleanup
    const count = (outcome: Outcome, code: ErrorCode | null) =>
      Effect.map(Metric.value(Metrics.gamesFor(outcome, code, "auto_ttl")), (state) => state.count)
    assert.strictEqual(yield* count("removed", null), 1)
    assert.strictEqual(yield* count("replay_no_op", "replay_no_op"), 1)
    assert.strictEqual((yield* Metric.value(Metrics.inFlight)).count, 0)
  })
})
