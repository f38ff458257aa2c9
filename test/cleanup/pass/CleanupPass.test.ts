import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Logger, Metric, Random, References } from "effect"
import { TestClock } from "effect/testing"
import { MemoryEngine } from "../../../src/adapters/memory/ContainerEngine.ts"
import { CleanupPass } from "../../../src/cleanup/pass/CleanupPass.ts"
import { passReasons } from "../../../src/domain/PassRefused.ts"
import type { Progress } from "../../../src/domain/Progress.ts"
import * as Metrics from "../../../src/observability/Metrics.ts"
import { EngineId } from "../../../src/ports/ContainerEngine.ts"
import { GameLeases } from "../../../src/ports/GameLeases.ts"
import { StoreState } from "../../adapters/memory/StoreState.ts"
import { makeTracer } from "../../support/tracer.ts"
import { whileTimePasses } from "../../support/whileTimePasses.ts"
import {
  atEngine,
  containerId,
  cutoff,
  heldAtEngine,
  inWorld,
  layerWorld,
  now,
  runOnce,
  seed,
  seedMany,
  seedOnEngine,
  storeDown,
  unreachable
} from "../../support/world.ts"

const running = { record: { status: "running" }, container: { state: "running" } } as const

/** Many due games whose containers are gone, on an engine that has that of a game that runs. */
const seedGone = Effect.andThen(seedMany(60, { container: null }), seed("live", 1000, running))
const sum = (counts: object) => Object.values(counts).reduce((total: number, count: number) => total + count, 0)

/** One of the service's own, not a person's. */
const scheduled = Effect.flatMap(CleanupPass, (pass) => pass.runOnce({ trigger: "schedule" }))

const oneByOne = inWorld.with({ concurrency: 1 })

describe("CleanupPass", () => {
  inWorld("removes a game one microsecond older than the cutoff and does not list one exactly at it", function* () {
    const atCutoff = BigInt(cutoff) * 1000n
    yield* seed("older", 1, { record: { lastOpAt: atCutoff - 1n } })
    yield* seed("exact", 2, { record: { lastOpAt: atCutoff } })
    const report = yield* runOnce
    assert.deepStrictEqual([report.listed, report.outcomes.removed], [1, 1])
    assert.strictEqual((yield* StoreState).records.get("exact")?.status, "stopped")
  })

  inWorld("takes the earlier of the two clocks, so that one which runs ahead removes nothing too early", function* () {
    yield* seed("game", 1, { record: { lastOpAt: BigInt(cutoff) * 1000n - 1n } })
    ;(yield* StoreState).clockOffset = Duration.seconds(-1)
    assert.strictEqual((yield* runOnce).listed, 0)
    ;(yield* StoreState).clockOffset = Duration.seconds(1)
    assert.strictEqual((yield* runOnce).listed, 1)
  })

  oneByOne("event 25: isolates each game: failures, conflicts and bugs do not keep the others", function* () {
    yield* seedMany(5)
    yield* seed("running", 10, { container: { state: "running" } })
    yield* seed("hostile", 11, { record: { containerId: "../images/x" } })
    yield* seed("buggy", 12)
    yield* (yield* MemoryEngine).setIntercept((_, id) =>
      id === containerId(12) ? Effect.die(new Error("bug")) : Effect.void
    )
    const report = yield* runOnce
    assert.strictEqual(report.result, "partial")
    assert.deepInclude(report.outcomes, { removed: 5, conflict: 0, failed: 3 })
    assert.deepStrictEqual(report.errorCodes, { container_running: 1, invalid_container_id: 1, internal_error: 1 })
  })

  inWorld("event 36: counts the anonymous volumes that it leaves behind, of what it removed alone", function* () {
    yield* seed("one", 1, { container: { anonymousVolumes: 1 } })
    yield* seed("two", 2, { container: { anonymousVolumes: 2 } })
    yield* seed("running", 3, { container: { anonymousVolumes: 4, state: "running" } })
    assert.strictEqual((yield* runOnce).anonymousVolumesLeft, 3)
  })

  inWorld("changes nothing more when it runs twice", function* () {
    yield* seedMany(3)
    yield* seed("running", 10, { container: { state: "running" } })
    yield* runOnce
    const state = yield* StoreState
    const before = { records: [...state.records], rows: [...state.log] }
    yield* runOnce
    assert.deepStrictEqual({ records: [...state.records], rows: [...state.log] }, before)
  })

  inWorld.with({ maxRemovals: 2 })(
    "attempts no more games than it may, oldest first, and says how many it left",
    function* () {
      for (const age of [1, 3, 2]) {
        yield* seed(`age-${age}`, age, { record: { lastOpAt: BigInt(cutoff - age * 1000) * 1000n } })
      }
      const report = yield* runOnce
      assert.deepStrictEqual([report.listed, report.outcomes.removed, report.notAttempted], [3, 2, 1])
      assert.strictEqual((yield* StoreState).records.get("age-1")?.status, "stopped")
    }
  )

  inWorld.with({ pageSize: 2 })("works through pages smaller than the backlog, past those that fail", function* () {
    yield* Effect.forEach([0, 1, 2, 3], (i) => seed(`a-${i}`, i, { container: { state: "running" } }))
    yield* Effect.forEach([4, 5, 6], (i) => seed(`b-${i}`, i))
    const report = yield* runOnce
    assert.deepStrictEqual([report.listed, report.outcomes.failed, report.outcomes.removed], [7, 4, 3])
  })

  inWorld("remembers the engine at first sight and refuses another one without touching anything", function* () {
    yield* runOnce
    yield* seedMany(2)
    const engine = yield* MemoryEngine
    yield* engine.setIdentity(EngineId.make("other/none"))
    const report = yield* runOnce
    assert.strictEqual(report.result, "refused")
    assert.strictEqual(report.reason, "engine_changed")
    assert.strictEqual((yield* engine.containers).length, 2)
    assert.deepStrictEqual((yield* StoreState).log, [])
    assert.strictEqual((yield* Metric.value(Metrics.passesRefusedFor("engine_changed"))).count, 1)
  })

  inWorld("says by a gauge why the last pass ended early, until one has begun to work", function* () {
    yield* runOnce
    const state = yield* StoreState
    const engine = yield* MemoryEngine
    const known = EngineId.make("memory/none")
    const blocked = Effect.map(
      Effect.forEach(passReasons, (reason) =>
        Effect.map(Metric.value(Metrics.blockedFor(reason)), ({ value }) => (value === 1 ? [reason] : []))
      ),
      (reasons) => reasons.flat()
    )
    yield* engine.setIdentity(EngineId.make("other/none"))
    yield* runOnce
    assert.deepStrictEqual(yield* blocked, ["engine_changed"])
    yield* engine.setIdentity(known)
    state.intercept = (operation) => (operation === "listDue" ? Effect.fail(storeDown) : Effect.void)
    const { message, reason, result } = yield* runOnce
    assert.deepStrictEqual([result, reason, message], ["failure", "database_down", "clock: down"])
    assert.deepStrictEqual(yield* blocked, ["database_down"])
    state.intercept = () => Effect.void
    yield* seed("game", 1)
    const { letGo, reached } = yield* heldAtEngine("inspect")
    const long = yield* Effect.forkChild(runOnce)
    yield* reached
    const atWork = yield* blocked
    yield* letGo
    yield* Fiber.join(long)
    assert.deepStrictEqual([atWork, yield* blocked], [[], []])
  })

  inWorld.with({ concurrency: 4 })(
    "event 15: ends at once when the engine stops answering, charges no game, and the counts add up",
    function* () {
      yield* seedMany(20)
      const engine = yield* MemoryEngine
      let inspected = 0
      yield* engine.setIntercept((operation) =>
        operation === "identity" || (operation === "inspect" && ++inspected <= 5) || operation === "remove"
          ? Effect.void
          : unreachable
      )
      const report = yield* runOnce
      assert.deepStrictEqual([report.result, report.outcomes.failed], ["refused", 0])
      assert.strictEqual(report.listed, report.undecodable + report.notAttempted + sum(report.outcomes))
      const state = yield* StoreState
      assert.isTrue(state.log.every(({ outcome }) => outcome === "success"))
      assert.strictEqual(state.leases.size, 0)
    }
  )

  inWorld.with({ concurrency: 4 })(
    "event 15: ends with one warning when the database is gone in mid-pass, and no game fails",
    function* () {
      yield* seedMany(100)
      const state = yield* StoreState
      let acquired = 0
      state.intercept = (operation) =>
        operation === "acquire" && ++acquired > 10
          ? Effect.sync(() => {
              state.intercept = () => storeDown
            }).pipe(Effect.andThen(storeDown))
          : Effect.void
      const warnings: Array<unknown> = []
      const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
        if (logLevel === "Warn" || logLevel === "Error") warnings.push(message)
      })
      const report = yield* Effect.provide(runOnce, Logger.layer([logger]))
      assert.strictEqual(report.result, "failure")
      assert.strictEqual(report.outcomes.failed, state.records.size - 100)
      assert.isBelow(acquired, 30)
      assert.deepStrictEqual(warnings, [["cleanup.pass.failure"]])
      assert.strictEqual(state.backoffs.size, 0)
    }
  )

  inWorld("ends as a failure when the backlog cannot be listed", function* () {
    yield* seedMany(1)
    ;(yield* StoreState).intercept = (operation) => (operation === "listDue" ? storeDown : Effect.void)
    const report = yield* runOnce
    assert.deepStrictEqual([report.result, report.listed], ["failure", 0])
  })

  inWorld.with({ mode: "dry_run" })(
    "decides but touches nothing in a dry run, not even what it knows of the engine",
    function* () {
      yield* seedMany(3)
      yield* seed("running", 10, { container: { state: "running" } })
      const report = yield* scheduled
      assert.isTrue(report.dryRun)
      assert.deepStrictEqual([report.outcomes.removed, report.outcomes.failed], [3, 1])
      const state = yield* StoreState
      assert.deepStrictEqual([state.log.length, state.leases.size, state.known], [0, 0, undefined])
      const engine = yield* MemoryEngine
      assert.notInclude(
        (yield* engine.calls).map(({ operation }) => operation),
        "remove"
      )
      assert.strictEqual((yield* Metric.value(Metrics.gamesFor("removed", null, "auto_ttl"))).count, 0)
      assert.strictEqual((yield* Metric.value(Metrics.lastSuccess)).value, 0)
    }
  )

  inWorld.with({ mode: "paused" })("refuses while paused without asking anyone", function* () {
    yield* seedMany(1)
    const report = yield* runOnce
    assert.strictEqual(report.reason, "paused")
    assert.deepStrictEqual(yield* (yield* MemoryEngine).calls, [])
  })

  oneByOne("lets a game in flight finish when it is interrupted, and claims nothing more", function* () {
    yield* seedMany(3)
    const { letGo, reached } = yield* heldAtEngine("remove")
    const fiber = yield* Effect.forkChild(runOnce)
    yield* reached
    const interrupting = yield* Effect.forkChild(Fiber.interrupt(fiber))
    yield* TestClock.adjust("3 seconds")
    yield* letGo
    yield* Fiber.join(interrupting)
    const state = yield* StoreState
    assert.deepStrictEqual([state.log.length, state.leases.size], [1, 0])
    assert.strictEqual((yield* (yield* MemoryEngine).containers).length, 2)
  })

  inWorld("gives up a game in flight after the grace, and leaves its lease to expire", function* () {
    yield* seedMany(1)
    const { reached } = yield* heldAtEngine("remove")
    const fiber = yield* Effect.forkChild(runOnce)
    yield* reached
    const interrupting = yield* Effect.forkChild(Fiber.interrupt(fiber))
    yield* TestClock.adjust("4 seconds")
    yield* Fiber.join(interrupting)
    const state = yield* StoreState
    assert.deepStrictEqual([state.log.length, state.leases.size], [0, 1])
  })

  inWorld.with({ concurrency: 2, pageSize: 120 })(
    "gives the games in flight one grace, however many batches they are of, and those that wait none",
    function* () {
      // Of the second batch some wait for the place of the last game of the first one.
      yield* Effect.forEach(Array.from({ length: 120 }), (_, i) => seed(`game-${String(i).padStart(3, "0")}`, i))
      const hangs: ReadonlyArray<string> = [containerId(99), containerId(100)]
      const hanging = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
      yield* (yield* MemoryEngine).setIntercept((operation, id) => {
        const reached = operation === "inspect" && id !== undefined ? hanging[hangs.indexOf(id)] : undefined
        return reached === undefined ? Effect.void : Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
      })
      const fiber = yield* Effect.forkChild(runOnce)
      yield* Effect.forEach(hanging, Deferred.await)
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      yield* TestClock.adjust("3 seconds")
      assert.isUndefined(interrupting.pollUnsafe())
      yield* TestClock.adjust("1 second")
      const isOver = interrupting.pollUnsafe() !== undefined
      yield* TestClock.adjust("1 minute")
      assert.isTrue(isOver)
      assert.strictEqual((yield* StoreState).leases.size, 0)
    }
  )

  it.effect("puts at most a hundred games into one trace and links the others to the pass", () => {
    const { spans, tracer } = makeTracer()
    return Effect.gen(function* () {
      yield* seedMany(250)
      yield* runOnce
      const pass = spans.find(({ name }) => name === "rtmanager.cleanup.pass")
      const batches = spans.filter(({ name }) => name === "rtmanager.cleanup.batch")
      const games = spans.filter(({ name }) => name === "rtmanager.cleanup.game")
      const perTrace = new Map<string, number>()
      for (const { traceId } of games) perTrace.set(traceId, (perTrace.get(traceId) ?? 0) + 1)
      assert.deepStrictEqual([...perTrace.values()].sort(), [100, 100, 50])
      assert.deepStrictEqual(
        batches.map(({ links }) => links[0]?.span.spanId),
        [pass?.spanId, pass?.spanId]
      )
    }).pipe(Effect.provide(layerWorld()), Effect.withTracer(tracer))
  })

  inWorld("works although the backlog can not be counted", function* () {
    yield* seedMany(3)
    ;(yield* StoreState).intercept = (operation) => (operation === "backlog" ? storeDown : Effect.void)
    assert.strictEqual((yield* runOnce).outcomes.removed, 3)
  })

  oneByOne("event 13: stops once most of 20 containers are absent, and every later pass is refused", function* () {
    yield* seedGone
    const first = yield* runOnce
    assert.strictEqual(first.reason, "absent_brake")
    assert.deepStrictEqual([first.outcomes.already_absent, first.outcomes.failed], [19, 0])
    const engine = yield* MemoryEngine
    const asked = (yield* engine.calls).length
    const second = yield* runOnce
    assert.deepStrictEqual([second.result, second.listed], ["refused", 0])
    assert.match(second.message ?? "", /run --accept-absent/)
    assert.isFalse((yield* engine.calls).slice(asked).some(({ operation }) => operation === "inspect"))
  })

  oneByOne(
    "event 13: keeps the brake in this process while it cannot be stored, and stores it as soon as it can",
    function* () {
      yield* seedGone
      const state = yield* StoreState
      state.intercept = (operation) => (operation === "brakeEngine" ? storeDown : Effect.void)
      const first = yield* runOnce
      assert.strictEqual(first.reason, "absent_brake")
      const second = yield* runOnce
      assert.deepStrictEqual([second.result, second.listed, state.known?.braked], ["failure", 0, false])
      state.intercept = () => Effect.void
      const third = yield* runOnce
      assert.deepStrictEqual([third.result, third.listed, state.known?.braked], ["refused", 0, true])
    }
  )

  oneByOne("event 13: stores the brake although the pass is interrupted meanwhile", function* () {
    yield* seedGone
    const state = yield* StoreState
    const storing = yield* Deferred.make<void>()
    const answer = yield* Deferred.make<void>()
    state.intercept = (operation) =>
      operation === "brakeEngine"
        ? Effect.andThen(Deferred.succeed(storing, undefined), Deferred.await(answer))
        : Effect.void
    const pass = yield* Effect.forkChild(runOnce)
    yield* Deferred.await(storing)
    const interrupting = yield* Effect.forkChild(Fiber.interrupt(pass))
    yield* Deferred.succeed(answer, undefined)
    yield* Fiber.join(interrupting)
    assert.isTrue(state.known?.braked)
  })

  oneByOne("event 13: goes on where a person accepts what is absent, and so do the passes after it", function* () {
    yield* seedGone
    yield* runOnce
    const pass = yield* CleanupPass
    const accepted = yield* pass.runOnce({ trigger: "manual", acceptAbsent: true })
    assert.deepStrictEqual([accepted.result, accepted.outcomes.already_absent], ["success", 41])
    yield* seedMany(3)
    assert.deepStrictEqual((yield* runOnce).outcomes.removed, 3)
  })

  inWorld.each([
    ["another's", "another"],
    ["our own", undefined]
  ] as const)("event 1: does not brake for games whose removal %s crash has left unrecorded", function* ([, owner]) {
    const state = yield* StoreState
    const leases = yield* GameLeases
    yield* seedMany(64, { container: null })
    for (const gameId of state.records.keys()) {
      yield* leases.acquire(gameId)
      const lease = state.leases.get(gameId)
      if (lease !== undefined) state.leases.set(gameId, { ...lease, owner: owner ?? lease.owner, expiresAt: 0 })
    }
    const report = yield* runOnce
    assert.deepStrictEqual([report.result, report.outcomes.already_absent], ["success", 64])
  })

  const young = { record: { lastOpAt: BigInt(now - 3_600_000) * 1000n } }
  const hidden = { container: null }
  inWorld.each([
    ["none of the games that are not due has its container", { live: [hidden, hidden], stopped: [hidden] }, "refused"],
    ["one that runs has its container, as after a prune", { live: [{}], stopped: [hidden, hidden, hidden] }, "success"],
    ["one that stopped lately has its container", { live: [hidden], stopped: [hidden, {}] }, "success"],
    ["no other game names a container, and the engine has none", { live: [], stopped: [] }, "refused"],
    ["no other game names a container, and the engine has only what no record names", { foreign: [{}] }, "refused"]
  ] as const)("event 28: believes an absence, or does not, where %s", function* ([, games, result]) {
    const {
      foreign = [],
      live = [],
      stopped = []
    } = games as Partial<Record<"foreign" | "live" | "stopped", ReadonlyArray<object>>>
    yield* seedMany(5, hidden)
    yield* Effect.forEach(foreign, (_, i) => seedOnEngine(`foreign-${i}`, 300 + i))
    yield* Effect.forEach(live, (changes, i) => seed(`live-${i}`, 100 + i, { ...running, ...changes }))
    yield* Effect.forEach(stopped, (changes, i) => seed(`young-${i}`, 200 + i, { ...young, ...changes }))
    const state = yield* StoreState
    const before = new Map(state.records)
    const report = yield* runOnce
    assert.strictEqual(report.result, result)
    assert.strictEqual(report.outcomes.already_absent, result === "success" ? 5 : 0)
    if (result === "success") return
    assert.deepStrictEqual([state.records, state.log.length, state.known?.braked], [before, 0, true])
    assert.strictEqual((yield* runOnce).listed, 0)
    const accepted = yield* (yield* CleanupPass).runOnce({ trigger: "manual", acceptAbsent: true })
    assert.strictEqual(accepted.outcomes.already_absent, 5)
  })

  inWorld("event 28: asks nobody else in a pass without an absence that is unexplained", function* () {
    yield* seedMany(5)
    yield* seed("live", 1000, running)
    const state = yield* StoreState
    const asked: Array<string> = []
    state.intercept = (operation) => Effect.sync(() => asked.push(operation))
    assert.strictEqual((yield* runOnce).outcomes.removed, 5)
    assert.notInclude(asked, "witnesses")
    const calls = yield* (yield* MemoryEngine).calls
    assert.isFalse(calls.some(({ id }) => id === containerId(1000)))
  })

  inWorld("event 28: fails the games whose absence nobody could be asked about, and no others", function* () {
    yield* seedMany(3)
    yield* seed("gone", 10, hidden)
    yield* seed("live", 1000, running)
    const state = yield* StoreState
    state.intercept = (operation) => (operation === "witnesses" ? storeDown : Effect.void)
    const report = yield* runOnce
    assert.deepStrictEqual([report.outcomes.removed, report.errorCodes], [3, { store_unavailable: 1 }])
    assert.isFalse(state.known?.braked)
    state.intercept = () => Effect.void
    yield* (yield* MemoryEngine).setIntercept((operation, id) =>
      operation === "inspect" && id === containerId(1000) ? unreachable : Effect.void
    )
    yield* TestClock.adjust("1 day")
    assert.deepStrictEqual((yield* runOnce).errorCodes, { engine_unavailable: 1 })
    assert.isFalse(state.known?.braked)
  })

  inWorld("event 28: blames no brake on another engine that is behind the address for a while", function* () {
    yield* seed("game", 1)
    yield* seed("live", 1000, running)
    const engine = yield* MemoryEngine
    yield* engine.setIntercept((operation, id) =>
      operation === "inspect" && id === containerId(1)
        ? Effect.andThen(
            Effect.forEach([1, 1000], (number) => engine.drop(containerId(number))),
            engine.setIdentity(EngineId.make("other/none"))
          )
        : Effect.void
    )
    const report = yield* runOnce
    assert.strictEqual(report.reason, "engine_changed")
    assert.isFalse((yield* StoreState).known?.braked)
  })

  it.effect("event 18: moves past two pages that fail, and leaves those games alone until their next attempt", () =>
    Effect.gen(function* () {
      yield* Effect.forEach(Array.from({ length: 6 }), (_, i) =>
        seed(`a-running-${i}`, i, { container: { state: "running" } })
      )
      yield* Effect.forEach(Array.from({ length: 3 }), (_, i) => seed(`healthy-${i}`, 10 + i))
      const first = yield* runOnce
      assert.deepStrictEqual([first.outcomes.failed, first.outcomes.removed], [6, 3])
      const state = yield* StoreState
      assert.deepStrictEqual(
        [...state.backoffs.values()].map(({ attempts }) => attempts),
        [1, 1, 1, 1, 1, 1]
      )
      const due = [...state.backoffs.values()].map(({ nextAttemptAt }) => nextAttemptAt - now)
      assert.isTrue(due.every((wait) => wait > 0 && wait <= 2 * 60_000))
      assert.strictEqual((yield* runOnce).listed, 0)
      yield* TestClock.setTime(now + Math.min(...due))
      assert.strictEqual((yield* runOnce).listed, 1)
      yield* TestClock.setTime(now + Math.max(...due))
      assert.isAtLeast((yield* runOnce).listed, 5)
    }).pipe(Effect.provide(layerWorld({ pageSize: 3 })), Random.withSeed("a seed"))
  )

  inWorld.with({ pageSize: 2, maxRemovals: 2 })(
    "event 18: lets no game that failed before use up the limit of a pass for the others",
    function* () {
      const state = yield* StoreState
      for (let i = 0; i < 4; i++) {
        yield* seed(`a-running-${i}`, i, { container: { state: "running" } })
        state.backoffs.set(`a-running-${i}`, { attempts: 1, nextAttemptAt: now, lastError: "container_running" })
      }
      yield* Effect.forEach(Array.from({ length: 3 }), (_, i) => seed(`healthy-${i}`, 10 + i))
      const first = yield* runOnce
      assert.deepStrictEqual([first.outcomes.removed, first.outcomes.failed], [2, 0])
      const second = yield* runOnce
      assert.deepStrictEqual([second.outcomes.removed, second.outcomes.failed, second.notAttempted], [1, 1, 3])
    }
  )

  inWorld(
    "event 18: lists a game as stuck after ten failures, says so once a pass, and forgets it by a success",
    function* () {
      yield* seed("game", 1, { container: { state: "running" } })
      const state = yield* StoreState
      for (let failures = 1; failures <= 10; failures++) {
        assert.strictEqual((yield* runOnce).outcomes.failed, 1)
        yield* TestClock.adjust("24 hours")
      }
      assert.strictEqual(state.backoffs.get("game")?.attempts, 10)
      const lines: Array<Readonly<Record<string, unknown>>> = []
      const logger = Logger.make<unknown, void>(({ fiber, message }) => {
        if (String(message) === "cleanup.pass.stuck_games") lines.push(fiber.getRef(References.CurrentLogAnnotations))
      })
      yield* seed("game", 1)
      const report = yield* Effect.provide(runOnce, Logger.layer([logger]))
      assert.strictEqual(report.outcomes.removed, 1)
      assert.deepStrictEqual(
        lines.map(({ games, first }) => ({ games, first })),
        [{ games: 1, first: ["game"] }]
      )
      assert.strictEqual(state.backoffs.size, 0)
    }
  )

  oneByOne("event 11: of two records with one container id only the game that its label names gets it", function* () {
    const older = BigInt(cutoff) * 1000n - 10n ** 12n
    yield* seed("impostor", 1, { record: { lastOpAt: older } })
    yield* seed("owner", 1)
    const report = yield* runOnce
    assert.deepStrictEqual([report.outcomes.removed, report.errorCodes], [1, { identity_mismatch: 1 }])
    const { records } = yield* StoreState
    assert.deepStrictEqual([records.get("impostor")?.status, records.get("owner")?.status], ["stopped", "removed"])
  })

  oneByOne("event 11: keeps the record of a game that has another container than the one it names", function* () {
    yield* seed("owner", 1, { record: { lastOpAt: BigInt(cutoff) * 1000n - 10n ** 12n } })
    yield* seed("other", 2, { record: { containerId: containerId(1) } })
    const report = yield* runOnce
    assert.deepStrictEqual([report.outcomes.removed, report.errorCodes], [1, { container_unrecorded: 1 }])
    assert.strictEqual((yield* StoreState).records.get("other")?.status, "stopped")
  })

  inWorld("event 16: converges after a failover that lost the last commits", function* () {
    yield* seedMany(15)
    yield* seed("live", 1000, running)
    const state = yield* StoreState
    const before = new Map(state.records)
    yield* runOnce
    for (const [gameId, record] of before) state.records.set(gameId, record)
    state.log.length = 7
    state.lastToken = 0n
    const report = yield* runOnce
    assert.deepStrictEqual([report.result, report.outcomes.already_absent], ["success", 15])
    assert.isTrue([...state.records.values()].every(({ gameId, status }) => status === "removed" || gameId === "live"))
    const rows = state.log.map(({ gameId }) => gameId)
    assert.deepStrictEqual([rows.length, new Set(rows).size], [15, 15])
  })

  inWorld.with({ pageSize: 100 })(
    "event 19: lists no more than a few hundred games ahead of its work, however large the backlog",
    function* () {
      yield* seedMany(3000)
      const pass = yield* CleanupPass
      let listed = 0
      let done = 0
      let ahead = 0
      ;(yield* StoreState).interceptAnswer = (operation) =>
        Effect.sync(() => {
          if (operation === "listDue") listed += 100
          ahead = Math.max(ahead, listed - done)
        })
      yield* pass.runOnce({
        trigger: "manual",
        onProgress: (progress) =>
          Effect.sync(() => {
            done = progress.done
          })
      })
      assert.strictEqual(done, 3000)
      assert.isAtMost(ahead, 500)
    }
  )

  it.effect.each([2, 5, 8])(
    "has at most %s games at the engine at once, however many more are leased or being committed",
    (concurrency) =>
      Effect.gen(function* () {
        yield* seedMany(1000)
        const engine = yield* MemoryEngine
        const state = yield* StoreState
        const atEngine = new Set<string>()
        let most = 0
        let mostLeased = 0
        yield* engine.setIntercept((operation, id) =>
          Effect.gen(function* () {
            if (operation !== "inspect" && operation !== "remove") return
            // Between its inspection and its removal a game is at the engine too.
            atEngine.add(id ?? "")
            most = Math.max(most, atEngine.size)
            mostLeased = Math.max(mostLeased, state.leases.size)
            yield* Effect.sleep("5 millis")
            if (operation === "remove") atEngine.delete(id ?? "")
          })
        )
        state.intercept = (operation) => (operation === "commit" ? Effect.sleep("5 millis") : Effect.void)
        assert.strictEqual((yield* whileTimePasses(runOnce, "100 millis")).outcomes.removed, 1000)
        assert.strictEqual(most, concurrency)
        assert.isAbove(mostLeased, concurrency)
        assert.isAtMost(mostLeased, concurrency + 16)
      }).pipe(Effect.provide(layerWorld({ concurrency })))
  )

  inWorld.with({ concurrency: 32 })(
    "holds no more leases than it can use in time when the engine becomes slow",
    function* () {
      yield* seedMany(500)
      const engine = yield* MemoryEngine
      let calls = 0
      yield* engine.setIntercept((operation) =>
        operation === "remove" ? Effect.sleep(++calls > 100 ? "10 seconds" : "5 millis") : Effect.void
      )
      const { outcomes } = yield* whileTimePasses(runOnce)
      assert.strictEqual(outcomes.removed, 500)
      assert.strictEqual(outcomes.conflict, 0)
    }
  )

  inWorld.with({ maxRemovals: 20 })("says how much it has to do, which is no more than its limit", function* () {
    yield* seedMany(50)
    const seen: Array<Progress> = []
    const { runOnce } = yield* CleanupPass
    yield* runOnce({ trigger: "manual", onProgress: (progress) => Effect.sync(() => seen.push(progress)) })
    assert.deepStrictEqual(
      seen.map(({ done, due }) => [done, due]),
      Array.from({ length: 20 }, (_, i) => [i + 1, 20])
    )
  })

  oneByOne(
    "with a concurrency of 1 cleans strictly one game after the other, from its lease to its commit",
    function* () {
      yield* seedMany(20)
      const state = yield* StoreState
      const steps: Array<string> = []
      let leased = 0
      const step = (operation: string) =>
        Effect.suspend(() => {
          leased = Math.max(leased, state.leases.size)
          steps.push(operation)
          return Effect.sleep("5 millis")
        })
      yield* (yield* MemoryEngine).setIntercept((operation) =>
        operation === "identity" ? Effect.void : step(operation)
      )
      state.intercept = (operation, gameId) => (gameId === undefined ? Effect.void : step(operation))
      assert.strictEqual((yield* whileTimePasses(runOnce)).outcomes.removed, 20)
      assert.strictEqual(leased, 1)
      const one = ["acquire", "reread", "inspect", "remove", "commit"]
      assert.deepStrictEqual(steps, ["rehearse", ...Array.from({ length: 20 }, () => one).flat()])
    }
  )

  oneByOne("says once a minute how far it has come, and how long it will still take", function* () {
    yield* seedMany(100)
    yield* atEngine("remove", Effect.sleep("2 seconds"))
    const lines: Array<Readonly<Record<string, unknown>>> = []
    const logger = Logger.make<unknown, void>(({ fiber, message }) => {
      if (String(message) === "cleanup.pass.progress") lines.push(fiber.getRef(References.CurrentLogAnnotations))
    })
    const fiber = yield* Effect.forkChild(Effect.provide(runOnce, Logger.layer([logger])))
    yield* TestClock.adjust("500 millis").pipe(Effect.repeat({ times: 450 }))
    yield* Fiber.join(fiber)
    assert.deepStrictEqual(lines, [
      { done: 29, due: 100, games_per_second: 0.483, seconds_left: 147, games_at_once: 1 },
      { done: 59, due: 100, games_per_second: 0.492, seconds_left: 84, games_at_once: 1 },
      { done: 89, due: 100, games_per_second: 0.494, seconds_left: 23, games_at_once: 1 }
    ])
  })

  inWorld("sets the gauges, and the time of the last success only once there was one", function* () {
    yield* seedMany(2)
    const state = yield* StoreState
    state.intercept = (operation) => (operation === "listDue" ? storeDown : Effect.void)
    yield* runOnce
    assert.strictEqual((yield* Metric.value(Metrics.backlogFor("due"))).value, 2)
    assert.strictEqual((yield* Metric.value(Metrics.oldestDueAgeFor("due"))).value, 86_400)
    assert.strictEqual((yield* Metric.value(Metrics.lastSuccess)).value, 0)
    state.intercept = () => Effect.void
    yield* scheduled
    assert.strictEqual((yield* Metric.value(Metrics.backlogFor("due"))).value, 0)
    assert.strictEqual((yield* Metric.value(Metrics.lastSuccess)).value, now / 1000)
  })

  inWorld("does not take a person's pass for a success of the service, whose own passes may hang", function* () {
    yield* seedMany(2)
    const { result } = yield* runOnce
    assert.strictEqual(result, "success")
    assert.strictEqual((yield* Metric.value(Metrics.lastSuccess)).value, 0)
  })
})
