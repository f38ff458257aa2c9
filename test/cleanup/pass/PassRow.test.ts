import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { isUnderWay } from "../../../src/domain/RecordedPass.ts"
import { PassLog } from "../../../src/ports/PassLog.ts"
import { StoreState } from "../../adapters/memory/StoreState.ts"
import { whileTimePasses } from "../../support/whileTimePasses.ts"
import {
  atEngine,
  heldAtEngine,
  inWorld,
  now,
  runOnce,
  seed,
  seedMany,
  storeDown,
  unreachable
} from "../../support/world.ts"

const rows = Effect.flatMap(PassLog, (passes) => passes.recent(10))

/** The operations about the rows of passes, in order; the database carries them out unless `trouble` comes first. */
const writes = Effect.fnUntraced(function* (trouble: Effect.Effect<void, typeof storeDown> = Effect.void) {
  const state = yield* StoreState
  const sent: Array<string> = []
  state.intercept = (operation) => {
    if (operation !== "recordProgress" && operation !== "recordPass") return Effect.void
    sent.push(operation)
    return trouble
  }
  return sent
})

describe("the row of a pass", () => {
  inWorld("is written once while a short pass goes on and once at its end", function* () {
    yield* seedMany(3)
    const sent = yield* writes()
    yield* runOnce
    assert.deepStrictEqual(sent, ["recordProgress", "recordPass"])
    const [row, ...more] = yield* rows
    assert.deepStrictEqual(more, [])
    assert.deepInclude(row, {
      trigger: "manual",
      result: "success",
      reason: null,
      due: 3,
      listed: 3,
      removed: 3,
      lagMax: 86_400
    })
  })

  inWorld("is not written for a pass that finds nothing to do", function* () {
    yield* seed("running", 1, { record: { status: "running" } })
    const sent = yield* writes()
    yield* runOnce
    assert.deepStrictEqual(sent, [])
  })

  inWorld("says why a pass was refused before it listed anything", function* () {
    yield* seed("game", 1)
    yield* atEngine("identity", unreachable)
    const { message } = yield* runOnce
    const [row] = yield* rows
    assert.deepInclude(row, { result: "refused", reason: "engine_down", message, due: null, listed: 0 })
  })

  inWorld.with({ mode: "dry_run" })("is not written for a dry run, which touches nothing", function* () {
    yield* seed("game", 1)
    const sent = yield* writes()
    assert.strictEqual((yield* runOnce).listed, 1)
    assert.deepStrictEqual(sent, [])
  })

  inWorld.with({ mode: "paused" })("is not written where no pass is made", function* () {
    yield* seed("game", 1)
    const sent = yield* writes()
    assert.strictEqual((yield* runOnce).reason, "paused")
    assert.deepStrictEqual(sent, [])
  })

  inWorld.with({ concurrency: 1 })("is brought up to date every five seconds while the pass goes on", function* () {
    yield* seedMany(2)
    const { letGo, reached } = yield* heldAtEngine("inspect")
    const pass = yield* Effect.forkChild(runOnce)
    yield* reached
    const [first] = yield* rows
    assert(first !== undefined)
    assert.deepInclude(first, { endedAt: null, due: 2, listed: 2, removed: 0 })
    yield* TestClock.adjust("12 seconds")
    const [second] = yield* rows
    assert.deepInclude(second, { endedAt: null, startedAt: first.startedAt, updatedAt: new Date(now + 10_000) })
    yield* letGo
    yield* Fiber.join(pass)
    const [last] = yield* rows
    assert.deepInclude(last, { id: first.id, result: "success", removed: 2, startedAt: first.startedAt })
  })

  inWorld("gets its result also when the pass is interrupted", function* () {
    yield* seedMany(2)
    const { reached } = yield* heldAtEngine("inspect")
    const pass = yield* Effect.forkChild(runOnce)
    yield* reached
    yield* whileTimePasses(Fiber.interrupt(pass))
    assert.deepInclude((yield* rows)[0], { result: "interrupted", listed: 2 })
  })

  inWorld.each([
    { how: "fails", trouble: storeDown },
    { how: "dies", trouble: Effect.die(new Error("bug")) },
    { how: "hangs", trouble: Effect.never }
  ])("disturbs no pass when writing it $how", function* ({ trouble }) {
    yield* seedMany(3)
    const sent = yield* writes(trouble)
    const report = yield* whileTimePasses(runOnce)
    assert.deepInclude(report, { result: "success", listed: 3 })
    assert.strictEqual(report.outcomes.removed, 3)
    assert.deepStrictEqual(sent, ["recordProgress", "recordPass"])
    assert.deepStrictEqual(yield* rows, [])
  })

  it("is of a pass under way for a minute after it was last written, if it has no result", () => {
    const at = new Date(now)
    const counts = { due: null, listed: 1, removed: 0, alreadyAbsent: 0, conflict: 0, failed: 0, lagMax: null }
    const row = { ...counts, id: "a", engine: "default", trigger: "schedule", owner: "b", startedAt: at, updatedAt: at }
    const open = { ...row, endedAt: null, result: null, reason: null, message: null }
    assert.isTrue(isUnderWay(open, now + 59_999))
    assert.isFalse(isUnderWay(open, now + 60_000))
    assert.isFalse(isUnderWay({ ...open, endedAt: at }, now))
  })
})
