import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Random, Ref } from "effect"
import { TestClock } from "effect/testing"
import { MemoryEngine } from "../../../src/adapters/memory/ContainerEngine.ts"
import { CleanupPass } from "../../../src/cleanup/pass/CleanupPass.ts"
import { Selection } from "../../../src/cleanup/pass/Selection.ts"
import { Author } from "../../../src/domain/Act.ts"
import { ContainerEngineError, UnexpectedAnswer } from "../../../src/ports/ContainerEngine.ts"
import { CannotRecord, StoreError, Unavailable } from "../../../src/ports/StoreError.ts"
import { type Intercept, StoreState } from "../../adapters/memory/StoreState.ts"
import { whileTimePasses } from "../../support/whileTimePasses.ts"
import {
  containerId,
  inWorld,
  layerWorld,
  leaseTtl,
  now,
  runOnce,
  seed,
  seedMany,
  seedOnEngine
} from "../../support/world.ts"

const denied = (operation: string) =>
  new StoreError({ operation, reason: new CannotRecord({ detail: "permission denied (42501, as role cleanup)" }) })
const locked = (operation: string) =>
  new StoreError({ operation, reason: new Unavailable({ cause: new Error("lock timeout") }) })

const oneByOne = inWorld.with({ concurrency: 1 })
const twoAtOnce = inWorld.with({ concurrency: 2 })

/** Fails these operations, for all games or for those named. */
const failing =
  (
    error: (operation: string) => StoreError,
    operations: ReadonlyArray<string>,
    games?: ReadonlyArray<string>
  ): Intercept =>
  (operation, gameId) =>
    operations.includes(operation) && (games === undefined || games.includes(gameId ?? ""))
      ? Effect.fail(error(operation))
      : Effect.void

const intercept = (how: Intercept) =>
  Effect.map(StoreState, (state) => {
    state.intercept = how
  })

/** What the engine was asked to remove. */
const removals = Effect.gen(function* () {
  const calls = yield* (yield* MemoryEngine).calls
  return calls.flatMap(({ operation, id }) => (operation === "remove" ? [id] : []))
})

/** A pass over 12 games: its first removal was not recorded, and the others wait until `letGo` answers its second. */
const waiting = Effect.gen(function* () {
  yield* seedMany(12)
  const both = yield* Deferred.make<void>()
  const first = yield* Deferred.make<void>()
  const second = yield* Deferred.make<void>()
  const engine = yield* MemoryEngine
  yield* engine.setIntercept((operation, id) => {
    if (operation !== "remove") return Effect.void
    if (id === containerId(0)) return Deferred.await(first)
    return id === containerId(1)
      ? Effect.andThen(Deferred.succeed(both, undefined), Deferred.await(second))
      : Effect.void
  })
  yield* intercept(failing(denied, ["commit"], ["game-0"]))
  const pass = yield* Effect.forkChild(runOnce)
  yield* Deferred.await(both)
  yield* Deferred.succeed(first, undefined)
  yield* TestClock.adjust("1 second")
  return { pass, letGo: Deferred.succeed(second, undefined) }
})

describe("a pass over a database that does not record", () => {
  inWorld("event 26: refuses before its first game, with the server's words, and takes no lease", function* () {
    yield* seedMany(20)
    yield* intercept(failing(denied, ["rehearse"]))
    const report = yield* runOnce
    assert.deepStrictEqual([report.result, report.reason], ["refused", "cannot_record"])
    assert.match(report.message ?? "", /permission denied \(42501, as role cleanup\)/)
    assert.deepStrictEqual([report.listed, report.notAttempted], [20, 20])
    assert.isEmpty(yield* removals)
    assert.strictEqual((yield* StoreState).leases.size, 0)
  })

  inWorld("event 26: is refused again while another's leases hold every due game, and is no success", function* () {
    yield* seedMany(3)
    const state = yield* StoreState
    for (const gameId of state.records.keys())
      state.setLease(gameId, { owner: "other", token: 1n, expiresAt: Infinity })
    yield* intercept(failing(denied, ["rehearse"]))
    assert.strictEqual((yield* runOnce).reason, "cannot_record")
  })

  inWorld.with({ mode: "dry_run" })("event 26: refuses a dry run too", function* () {
    yield* seedMany(3)
    yield* intercept(failing(denied, ["rehearse"]))
    assert.strictEqual((yield* runOnce).reason, "cannot_record")
  })

  inWorld(
    "event 26: does not refuse a pass with nothing due, and says of a standstill that it may pass by itself",
    function* () {
      yield* intercept(failing(locked, ["rehearse"]))
      assert.strictEqual((yield* runOnce).result, "success")
      yield* seedMany(3)
      const report = yield* runOnce
      assert.deepStrictEqual([report.result, report.reason], ["failure", "database_down"])
      assert.isEmpty(yield* removals)
    }
  )

  inWorld(
    "event 26: keeps the container of the one game that would not be recorded, and removes all others",
    function* () {
      yield* seedMany(5)
      yield* intercept(failing(denied, ["rehearse", "commit"], ["game-0"]))
      const report = yield* runOnce
      assert.deepStrictEqual([report.result, report.outcomes.removed], ["partial", 4])
      assert.deepStrictEqual({ ...report.errorCodes }, { store_unavailable: 1 })
      assert.notInclude(yield* removals, containerId(0))
      assert.strictEqual((yield* StoreState).leases.size, 0)
    }
  )

  inWorld("event 26: removes nothing of games that were no evidence, as they changed at the rehearsal", function* () {
    yield* seed("game", 1)
    const state = yield* StoreState
    const [record] = state.records.values()
    assert(record !== undefined)
    state.intercept = (operation) =>
      Effect.sync(() => {
        state.setRecord("game", operation === "rehearse" ? { ...record, status: "running" } : record)
      })
    const report = yield* runOnce
    assert.deepStrictEqual({ ...report.errorCodes }, { store_unavailable: 1 })
    assert.isEmpty(yield* removals)
  })

  inWorld.with({ concurrency: 8 })(
    "event 26: begins no further removal once one was not recorded, and is refused when none is left that could be",
    function* () {
      yield* seedMany(40)
      yield* intercept(failing(denied, ["commit"]))
      const report = yield* runOnce
      assert.deepStrictEqual([report.result, report.reason], ["refused", "cannot_record"])
      assert.isAtMost((yield* removals).length, 8)
      assert.strictEqual(report.errorCodes.removed_not_committed, (yield* removals).length)
    }
  )

  inWorld.with({ concurrency: 8 })(
    "event 26: says of a trigger that swallows the change what it is, and stops likewise",
    function* () {
      yield* seedMany(40)
      const state = yield* StoreState
      state.intercept = (operation) =>
        Effect.sync(() => {
          state.swallows = operation === "commit"
        })
      const report = yield* runOnce
      assert.strictEqual(report.reason, "cannot_record")
      assert.isAtMost((yield* removals).length, 8)
      const rows = state.log.filter(({ errorCode }) => errorCode === "removed_not_committed")
      assert.lengthOf(rows, (yield* removals).length)
      assert.match(rows[0]?.message ?? "", /trigger or a row security policy/)
    }
  )

  twoAtOnce("event 26: waits for the removals under way, and goes on when one of them is recorded", function* () {
    const { letGo, pass } = yield* waiting
    assert.isUndefined(pass.pollUnsafe())
    assert.lengthOf(yield* removals, 2)
    yield* letGo
    const report = yield* Fiber.join(pass)
    assert.deepStrictEqual([report.result, report.outcomes.removed], ["partial", 11])
  })

  inWorld.with({ concurrency: 4 })(
    "event 26: loses no more than the removals under way to a database that refuses some games alone",
    function* () {
      yield* seedMany(60)
      const refused = Array.from({ length: 20 }, (_, i) => `game-${3 * i + 1}`)
      yield* intercept(failing(denied, ["rehearse", "commit"], refused))
      const { records } = yield* StoreState
      const isRemoved = (gameId: string) => records.get(gameId)?.status === "removed"
      yield* Effect.replicateEffect(runOnce, 3)
      assert.lengthOf([...records.keys()].filter(isRemoved), 40)
      assert.isFalse(refused.some(isRemoved))
      assert.isAtMost((yield* removals).length, 40 + 4)
    }
  )

  twoAtOnce("event 26: looks at a game again that had to wait for others to be recorded", function* () {
    const { letGo, pass } = yield* waiting
    for (let i = 2; i < 12; i++) yield* seedOnEngine(`game-${i}`, i, { state: "running", startedAt: now })
    yield* letGo
    const report = yield* Fiber.join(pass)
    assert.deepStrictEqual({ ...report.errorCodes }, { removed_not_committed: 1, container_running: 10 })
    assert.lengthOf(yield* removals, 2)
  })

  twoAtOnce("event 26: writes down each removal that was not recorded, and the next pass records it", function* () {
    yield* seedMany(3)
    yield* intercept(failing(denied, ["commit"]))
    const report = yield* runOnce
    const { log, records } = yield* StoreState
    const gone = yield* removals
    assert.deepStrictEqual({ ...report.errorCodes }, { removed_not_committed: gone.length })
    assert.sameMembers(
      log.map(({ containerId, errorCode }) => `${containerId} ${errorCode}`),
      gone.map((id) => `${id} removed_not_committed`)
    )
    assert.match(log[0]?.message ?? "", /the container was removed, but .*permission denied \(42501/)
    // Left to expire: it says to the next holder why the container is gone.
    assert.strictEqual((yield* StoreState).leases.size, gone.length)
    yield* intercept(() => Effect.void)
    yield* TestClock.adjust(leaseTtl)
    yield* runOnce
    assert.isTrue([...records.values()].every(({ status }) => status === "removed"))
  })

  it.effect("event 26: is not forgotten by a person's pass that records nothing, only by one that does", () =>
    Effect.gen(function* () {
      yield* seedMany(3)
      yield* intercept(failing(denied, ["commit"]))
      yield* runOnce
      yield* intercept(() => Effect.void)
      const { cannotRecord, runOnce: run } = yield* CleanupPass
      const clean = (gameId: string) =>
        run({
          trigger: "manual",
          selection: Selection.Game({ gameId, author: Author.make("ann"), opSource: "admin_rest" })
        })
      yield* clean("nobody")
      assert.isDefined(yield* cannotRecord)
      yield* TestClock.adjust("1 hour")
      yield* clean("game-2")
      assert.isUndefined(yield* cannotRecord)
    }).pipe(Effect.provide(layerWorld()))
  )

  it.effect.each([1, 2, 8])(
    "event 26: loses at most what is under way, and in each later pass one more: with a concurrency of %s",
    (concurrency) =>
      Effect.gen(function* () {
        yield* seedMany(60)
        yield* intercept(failing(denied, ["commit"]))
        const lost: Array<number> = []
        for (let pass = 0; pass < 4; pass++) {
          assert.strictEqual((yield* runOnce).reason, "cannot_record")
          assert.isDefined(yield* (yield* CleanupPass).cannotRecord)
          lost.push((yield* removals).length)
          yield* TestClock.adjust("1 hour")
        }
        const [first = 0] = lost
        assert.isAtMost(first, concurrency)
        assert.isTrue(
          lost.every((count, pass) => count <= first + (concurrency === 1 ? 0 : pass)),
          String(lost)
        )
      }).pipe(Effect.provide(layerWorld({ concurrency })))
  )

  inWorld(
    "event 26: is refused as long as the commits of what is already gone are, and nothing else is due",
    function* () {
      yield* seedMany(1)
      yield* intercept(failing(denied, ["commit"]))
      for (let pass = 0; pass < 3; pass++) {
        assert.strictEqual((yield* runOnce).reason, "cannot_record")
        yield* TestClock.adjust("1 hour")
      }
      assert.lengthOf(yield* removals, 1)
    }
  )

  inWorld(
    "event 26: is not refused because of one game that is already gone and alone would not be recorded",
    function* () {
      yield* seedMany(12)
      yield* (yield* MemoryEngine).drop(containerId(5))
      yield* intercept(failing(denied, ["rehearse", "commit"], ["game-5"]))
      const report = yield* runOnce
      assert.deepStrictEqual([report.result, report.outcomes.removed], ["partial", 11])
    }
  )

  oneByOne(
    "event 26: is refused by what the database refused, although writing that down only waited in vain",
    function* () {
      yield* seedMany(5)
      yield* intercept((operation, gameId) => {
        if (gameId !== "game-4") return Effect.void
        if (operation === "commit") return Effect.fail(denied(operation))
        return operation === "settle" ? Effect.fail(locked(operation)) : Effect.void
      })
      assert.strictEqual((yield* runOnce).reason, "cannot_record")
    }
  )

  twoAtOnce("event 26: sends no removal of a game that was rehearsed while another's was not recorded", function* () {
    yield* seedMany(3)
    const rehearsing = yield* Deferred.make<void>()
    const failed = yield* Deferred.make<void>()
    const isHeld = yield* Ref.make(false)
    yield* intercept(
      Effect.fnUntraced(function* (operation, gameId) {
        const call = `${operation} ${gameId}`
        if (call === "acquire game-2") yield* Ref.set(isHeld, true)
        if (call === "rehearse game-0") return yield* denied(operation)
        if (call === "rehearse game-2" && (yield* Ref.get(isHeld))) {
          yield* Deferred.succeed(rehearsing, undefined)
          yield* Deferred.await(failed)
        }
        if (call === "commit game-1") {
          yield* Deferred.await(rehearsing)
          return yield* denied(operation)
        }
        if (call === "settle game-1") yield* Deferred.succeed(failed, undefined)
      })
    )
    assert.strictEqual((yield* runOnce).reason, "cannot_record")
    assert.deepStrictEqual(yield* removals, [containerId(1)])
  })

  oneByOne("event 26: is refused although the removals that were not recorded were its last", function* () {
    yield* seedMany(5)
    yield* intercept(failing(denied, ["commit"], ["game-4"]))
    const report = yield* runOnce
    assert.deepStrictEqual([report.result, report.reason], ["refused", "cannot_record"])
    assert.deepStrictEqual([report.outcomes.removed, report.outcomes.failed], [4, 1])
  })

  oneByOne(
    "event 26: stops at a commit that waited in vain, without calling the database one that never records",
    function* () {
      yield* seedMany(5)
      yield* intercept(failing(locked, ["commit"], ["game-2", "game-4"]))
      const report = yield* runOnce
      assert.deepStrictEqual([report.result, report.reason], ["failure", "database_down"])
      assert.lengthOf(yield* removals, 3)
      yield* TestClock.adjust(Duration.sum(leaseTtl, Duration.seconds(1)))
      yield* intercept(failing(locked, ["commit"], ["game-4"]))
      const next = yield* runOnce
      assert.deepStrictEqual([next.result, next.outcomes.failed], ["partial", 1])
    }
  )

  it.effect("event 26: is not held up by a few old games that would not be recorded", () =>
    Effect.gen(function* () {
      yield* seedMany(40)
      const oldest = ["game-0", "game-1", "game-10", "game-11", "game-12"]
      yield* intercept(failing(denied, ["rehearse", "commit"], oldest))
      const report = yield* runOnce
      assert.deepStrictEqual([report.result, report.outcomes.removed], ["partial", 35])
    }).pipe(Random.withSeed("a seed"), Effect.provide(layerWorld({ pageSize: 40 })))
  )

  inWorld("event 26: names the games that a refused pass was tried with", function* () {
    yield* seed("odd\u0007game", 1)
    yield* intercept(failing(denied, ["rehearse"]))
    assert.match((yield* runOnce).message ?? "", /as role cleanup\); tried with game odd\\u\{7\}game$/)
  })

  inWorld.with({ mode: "dry_run" })(
    "event 26: says in a dry run which games would not be recorded, once one of them was found",
    function* () {
      yield* seedMany(6)
      const refused = ["game-0", "game-3"]
      yield* intercept(failing(denied, ["rehearse"], refused))
      const report = yield* runOnce
      assert.deepStrictEqual({ ...report.errorCodes }, { store_unavailable: refused.length })
    }
  )

  inWorld("event 26: removes everything once the database records again", function* () {
    yield* seedMany(10)
    yield* intercept(failing(denied, ["commit"]))
    yield* runOnce
    yield* intercept(() => Effect.void)
    yield* TestClock.adjust(leaseTtl)
    const report = yield* runOnce
    assert.strictEqual(report.result, "success")
    assert.strictEqual(
      [...(yield* StoreState).records.values()].filter(({ status }) => status === "removed").length,
      10
    )
  })

  twoAtOnce("event 26: does not stand still while a game that others wait for has stepped aside itself", function* () {
    yield* seedMany(12)
    const engine = yield* MemoryEngine
    const sent = yield* Deferred.make<void>()
    const garbage = new UnexpectedAnswer({ status: 200, detail: "garbage" })
    // The first removal has no clear answer, so its container is looked at for a while.
    yield* engine.setIntercept((operation, id) => {
      if (operation !== "remove") return Effect.void
      return id === containerId(0)
        ? Effect.andThen(Deferred.succeed(sent, undefined), new ContainerEngineError({ operation, reason: garbage }))
        : Deferred.await(sent)
    })
    yield* intercept(failing(denied, ["commit"]))
    const report = yield* whileTimePasses(runOnce)
    assert.strictEqual(report.reason, "cannot_record")
    assert.isAtMost((yield* removals).length, 3)
  })
})
