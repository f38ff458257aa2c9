import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import type { Pause } from "../../src/domain/Pause.ts"
import { Status } from "../../src/domain/Status.ts"
import { nextPassAt, status } from "../../src/operator/status.ts"
import { Pauses } from "../../src/ports/Pauses.ts"
import { StoreState } from "../adapters/memory/StoreState.ts"
import { testIn } from "../support/testIn.ts"
import { heldAtEngine, layerWorld, now, retention, runOnce, seed, seedMany } from "../support/world.ts"

const pause: Pause = { author: "ann@host", reason: "a move", pausedAt: new Date(now), until: null }

const inWorld = testIn(
  Layer.merge(layerWorld({ concurrency: 1 }), Layer.mock(Pauses, { current: Effect.succeed(pause) }))
)

const interval = Duration.hours(1)
const look = status({ interval, mode: "enforce", retention })

const encode = Schema.encodeEffect(Schema.fromJsonString(Status))

const day = Duration.toMillis("1 day")

describe("status", () => {
  inWorld("tells the mode, the pause, the backlog and what goes next", function* () {
    yield* seed("due", 1)
    const young = BigInt(now - day) * 1000n
    yield* seed("young", 2, { record: { lastOpAt: young } })
    const waits = { attempts: 3, nextAttemptAt: now + day, lastError: "engine_error" }
    yield* seed("backs-off", 3)
    ;(yield* StoreState).backoffs.set("backs-off", waits)
    yield* seed("running", 4, { record: { status: "running" } })
    const state = yield* look
    assert.deepInclude(state, { mode: "enforce", pause, now: new Date(now), underWay: [], passes: [] })
    assert.deepStrictEqual(state.cutoff, new Date(now - Duration.toMillis(retention)))
    const count = (count: number) => ({ count, more: false })
    assert.deepStrictEqual(state.backlog, {
      ...{ stopped: count(3), due: count(1), backingOff: count(1) },
      ...{ held: count(0), leased: count(0), stuck: count(0) }
    })
    assert.deepStrictEqual(
      state.next.map(({ at, gameId, rule }) => [gameId, at.getTime() - now, rule]),
      [
        ["due", -day, "retention 30d"],
        ["backs-off", day, `backing off until ${new Date(now + day).toISOString()}`],
        ["young", 29 * day, "retention 30d"]
      ]
    )
    const json = JSON.parse(yield* encode(state))
    assert.deepInclude(json, { engine: "default", under_way: [] })
    assert.deepInclude(json.backlog, { backing_off: count(1) })
    assert.deepInclude(json.pause, { paused_at: pause.pausedAt.toISOString(), until: null })
    assert.deepInclude(json.next[0], { game_id: "due", due_at: new Date(now - day).toISOString() })
  })

  it.each([
    ["an interval after the last one began", new Date(now), true, new Date(now + Duration.toMillis("1 hour"))],
    ["not known before the first", null, true, null],
    ["not planned during one or a pause", new Date(now), false, null],
    ["not planned in a year that no clock has", new Date(8.64e15), true, null]
  ] as const)("says when the next pass may begin: %s", (_, lastPassAt, isWaiting, expected) => {
    assert.deepStrictEqual(nextPassAt({ lastPassAt, isWaiting, interval }), expected)
  })

  inWorld("tells how far a pass has come, how fast it is and when it may be done, until it has ended", function* () {
    yield* seedMany(4)
    yield* runOnce
    yield* TestClock.adjust("1 second")
    yield* seedMany(4)
    const { reached } = yield* heldAtEngine("inspect")
    const pass = yield* Effect.forkChild(runOnce)
    yield* reached
    yield* TestClock.adjust("10 seconds")
    const [one, ...more] = (yield* look).underWay
    assert.deepStrictEqual(more, [])
    assert.deepInclude(one, { done: 0, rate: 0, secondsLeft: null })
    assert.deepInclude(one?.pass, { due: 4, listed: 4, result: null })
    assert.lengthOf((yield* look).passes, 2)
    yield* Fiber.interrupt(pass).pipe(Effect.forkChild)
    yield* TestClock.adjust("10 seconds")
    const after = yield* look
    assert.deepStrictEqual(after.underWay, [])
    assert.deepStrictEqual(
      after.passes.map(({ result }) => result),
      ["interrupted", "success"]
    )
  })
})
