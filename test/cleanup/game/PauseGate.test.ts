import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Option, Ref } from "effect"
import { TestClock } from "effect/testing"
import * as PauseGate from "../../../src/cleanup/game/PauseGate.ts"
import type { Pause } from "../../../src/domain/Pause.ts"
import type { StoreError } from "../../../src/ports/StoreError.ts"
import { storeDown } from "../../support/world.ts"

const pause: Pause = {
  author: "anna@host",
  reason: "a look at the shelf",
  pausedAt: new Date(Date.UTC(2026, 10, 1)),
  until: null
}

type Answer = Effect.Effect<Pause | undefined, StoreError>

/** A gate, how often the database was asked, and what it answers: that there is no pause, until told otherwise. */
const world = Effect.gen(function* () {
  const asked = yield* Ref.make(0)
  const answer = yield* Ref.make<Answer>(Effect.succeed(undefined))
  const gate = yield* PauseGate.make(
    Effect.andThen(
      Ref.update(asked, (n) => n + 1),
      Effect.flatten(Ref.get(answer))
    )
  )
  return { ensure: gate.ensure, asked: Ref.get(asked), answer: (next: Answer) => Ref.set(answer, next) }
})

const late = (millis: number, value?: Pause): Answer => Effect.delay(Effect.succeed(value), Duration.millis(millis))

const reasonOf = (exit: Exit.Exit<void, unknown>) => {
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  return error instanceof Error ? error.message : "open"
}

describe("before a removal", () => {
  it.effect("the pause is not asked for again within a second, and is after that", () =>
    Effect.gen(function* () {
      const { asked, ensure } = yield* world
      for (const [wait, questions] of [
        [0, 1],
        [500, 1],
        [500, 1],
        [1, 2],
        [1000, 2],
        [1, 3],
        [3_600_000, 4]
      ] as const) {
        yield* TestClock.adjust(Duration.millis(wait))
        yield* ensure
        assert.strictEqual(yield* asked, questions, `after ${wait} ms`)
      }
    })
  )

  it.effect("many games at once ask one question and share its answer", () =>
    Effect.gen(function* () {
      const { answer, asked, ensure } = yield* world
      yield* answer(late(300))
      const games = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 100 }), () => ensure, { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("300 millis")
      yield* Fiber.join(games)
      assert.strictEqual(yield* asked, 1)
      yield* answer(Effect.succeed(pause))
      yield* TestClock.adjust("700 millis")
      yield* ensure
      assert.strictEqual(yield* asked, 1)
      yield* TestClock.adjust("1 millis")
      const refused = yield* Effect.forEach(Array.from({ length: 100 }), () => Effect.flip(ensure), {
        concurrency: "unbounded"
      })
      assert.strictEqual(yield* asked, 2)
      for (const error of refused) assert.include(error, { _tag: "PassRefused", reason: "paused" })
    })
  )

  it.effect("an answer counts from before its question: one that took over a second is asked for again", () =>
    Effect.gen(function* () {
      const { answer, asked, ensure } = yield* world
      yield* answer(late(1001))
      const game = yield* Effect.forkChild(ensure)
      yield* TestClock.adjust("1 second")
      yield* answer(late(900))
      yield* TestClock.adjust("1 millis")
      assert.isUndefined(game.pollUnsafe())
      assert.strictEqual(yield* asked, 2)
      yield* TestClock.adjust("900 millis")
      yield* Fiber.join(game)
      yield* ensure
      assert.strictEqual(yield* asked, 2)
      yield* TestClock.adjust("101 millis")
      yield* Effect.forkChild(ensure)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* asked, 3)
    })
  )

  it.effect("a question without an answer fails after two seconds, for whoever waits", () =>
    Effect.gen(function* () {
      const { answer, ensure } = yield* world
      yield* answer(Effect.never)
      const first = yield* Effect.forkChild(ensure)
      yield* TestClock.adjust("1 second")
      const second = yield* Effect.forkChild(ensure)
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(first.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.match(reasonOf(yield* Fiber.await(first)), /^currentPause: no answer within 2s/)
      assert.isUndefined(second.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.match(reasonOf(yield* Fiber.await(second)), /^currentPause: no answer within 2s/)
    })
  )

  it.effect("answers that are always too slow to rely on fail after two seconds too", () =>
    Effect.gen(function* () {
      const { answer, asked, ensure } = yield* world
      yield* answer(late(1001))
      const game = yield* Effect.forkChild(ensure)
      yield* TestClock.adjust("2 seconds")
      assert.match(reasonOf(yield* Fiber.await(game)), /no answer within 2s/)
      assert.strictEqual(yield* asked, 2)
    })
  )

  it.effect("the failure of the database is the game's, and the next game asks again", () =>
    Effect.gen(function* () {
      const { answer, asked, ensure } = yield* world
      yield* answer(storeDown)
      assert.strictEqual(yield* Effect.flip(ensure), storeDown)
      yield* answer(Effect.succeed(undefined))
      yield* ensure
      assert.strictEqual(yield* asked, 2)
    })
  )

  it.effect("a game that is told to stop while it asks leaves the question to the next", () =>
    Effect.gen(function* () {
      const { answer, asked, ensure } = yield* world
      yield* answer(Effect.never)
      const first = yield* Effect.forkChild(ensure)
      yield* TestClock.adjust("1 millis")
      yield* answer(Effect.succeed(undefined))
      const second = yield* Effect.forkChild(ensure)
      yield* Fiber.interrupt(first)
      yield* Fiber.join(second)
      assert.strictEqual(yield* asked, 2)
    })
  )

  it.effect("a pause is said with its author, since when and why, and holds for the whole pass", () =>
    Effect.gen(function* () {
      const { answer, asked, ensure } = yield* world
      yield* answer(Effect.succeed({ ...pause, until: new Date(Date.UTC(2026, 10, 1, 2)) }))
      const { message } = yield* Effect.flip(ensure)
      assert.strictEqual(
        message,
        'anna@host has paused cleaning since 2026-11-01T00:00:00Z, until 2026-11-01T02:00:00Z: "a look at the shelf". To end that, run: resume --reason REASON'
      )
      yield* answer(Effect.succeed(undefined))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* Effect.flip(ensure)).message, message)
      assert.strictEqual(yield* asked, 1)
    })
  )
})
