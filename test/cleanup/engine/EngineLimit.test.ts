import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as EngineLimit from "../../../src/cleanup/engine/EngineLimit.ts"
import type { Container } from "../../../src/domain/Container.ts"
import {
  ContainerEngine,
  ContainerEngineError,
  EngineId,
  RemovalRefused,
  type RemoveResult,
  UnexpectedAnswer,
  Unreachable,
  Withheld
} from "../../../src/ports/ContainerEngine.ts"
import { containerId } from "../../support/world.ts"

const error = (reason: ContainerEngineError["reason"]) => new ContainerEngineError({ operation: "inspect", reason })
const unreachable = error(new Unreachable({ detail: "no answer" }))
const serverError = error(new UnexpectedAnswer({ status: 500, detail: "server error" }))
const withheld = error(new Withheld({ detail: "the engine is away" }))

const container: Container = {
  id: containerId(1),
  state: "exited",
  gameId: "game",
  createdAt: 0,
  startedAt: 0,
  finishedAt: 0
}

/** An engine whose calls take as long as `latency` says of the number of calls in flight. Milliseconds. */
const makeFake = Effect.fnUntraced(function* (ceiling: number) {
  const fake = {
    latency: (_inFlight: number, _kind: "inspect" | "remove"): number => 10,
    inspect: Effect.succeed(container) as Effect.Effect<Container | undefined, ContainerEngineError>,
    remove: Effect.succeed<RemoveResult>("removed") as Effect.Effect<RemoveResult, ContainerEngineError>
  }
  let calls = 0
  const timed = <A>(kind: "inspect" | "remove", answer: () => Effect.Effect<A, ContainerEngineError>) =>
    Effect.suspend(() => {
      calls++
      return Effect.sleep(fake.latency(calls, kind)).pipe(
        Effect.andThen(Effect.suspend(answer)),
        Effect.ensuring(
          Effect.sync(() => {
            calls--
          })
        )
      )
    })
  const {
    aside,
    atOnce: allowed,
    engine,
    withPermit,
    withRoom
  } = yield* EngineLimit.make(
    ContainerEngine.of({
      ping: Effect.void,
      identity: Effect.succeed(EngineId.make("fake/none")),
      count: Effect.succeed(1),
      inspect: () => timed("inspect", () => fake.inspect),
      findByGame: () => Effect.succeed([]),
      remove: () => timed("remove", () => fake.remove)
    }),
    ceiling
  )

  let atOnce = 0
  let most = 0
  /** An inspection and a removal, whatever becomes of them. */
  const game = withPermit(
    Effect.suspend(() => {
      most = Math.max(most, ++atOnce)
      return Effect.andThen(Effect.exit(engine.inspect(containerId(1))), Effect.exit(engine.remove(containerId(1))))
    }).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          atOnce--
        })
      )
    )
  )

  /** Cleans so many games, more at once than the limit lets through: the most at the engine in each stretch of them. */
  const clean = Effect.fnUntraced(function* (games: number, stretch = games) {
    const levels: Array<number> = []
    let done = 0
    most = 0
    const one = Effect.andThen(
      game,
      Effect.sync(() => {
        if (++done % stretch !== 0) return
        levels.push(most)
        most = atOnce
      })
    )
    const cleaning = yield* Effect.forkChild(
      Effect.replicateEffect(one, games, { concurrency: ceiling + 16, discard: true })
    )
    while (cleaning.pollUnsafe() === undefined) yield* TestClock.adjust("1 second")
    yield* Fiber.join(cleaning)
    return levels
  })
  return { fake, game, clean, withRoom, withPermit, aside, allowed, atOnce: () => atOnce }
})

const last = (levels: ReadonlyArray<number>) => levels.at(-1)

describe("the games at the engine at once", () => {
  it.effect.each([2, 3, 4, 64])("are 4 at first, or as many as there may be: %s", (ceiling) =>
    Effect.gen(function* () {
      const { atOnce, fake, game } = yield* makeFake(ceiling)
      fake.inspect = Effect.never
      const all = yield* Effect.forkChild(Effect.replicateEffect(game, 100, { concurrency: "unbounded" }))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(atOnce(), Math.min(4, ceiling))
      yield* Fiber.interrupt(all)
    })
  )

  it.effect("stay as they began while fewer games than that are there, however long, and then rise as at first", () =>
    Effect.gen(function* () {
      const { atOnce, clean, fake, game } = yield* makeFake(64)
      const few = yield* Effect.forkChild(Effect.replicateEffect(game, 1000, { concurrency: 2, discard: true }))
      while (few.pollUnsafe() === undefined) yield* TestClock.adjust("1 second")
      fake.inspect = Effect.never
      const many = yield* Effect.forkChild(Effect.replicateEffect(game, 100, { concurrency: "unbounded" }))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(atOnce(), 4)
      yield* Fiber.interrupt(many)
      fake.inspect = Effect.succeed(container)
      assert.strictEqual(last(yield* clean(200, 100)), 64)
    })
  )

  it.effect.each([1, 2, 3, 5, 8, 64])(
    "rise to the ceiling of %s while the engine is as fast as ever, and never above",
    (ceiling) =>
      Effect.gen(function* () {
        const { clean } = yield* makeFake(ceiling)
        const levels = yield* clean(1000, 250)
        assert.strictEqual(Math.max(...levels), ceiling)
        assert.strictEqual(last(levels), ceiling)
      })
  )

  it.effect("rise to the ceiling where every container is absent: to look for one is work too", () =>
    Effect.gen(function* () {
      const { clean, fake } = yield* makeFake(16)
      fake.inspect = Effect.succeed(undefined)
      fake.remove = Effect.succeed("absent")
      assert.strictEqual(last(yield* clean(300, 50)), 16)
    })
  )

  it.effect("are found within a few hundred games where each one more makes all of them slower", () =>
    Effect.gen(function* () {
      const { clean, fake } = yield* makeFake(64)
      fake.latency = (inFlight) => 2 * inFlight
      // The first inspections were answered beside 0 to 3 others and the first removals beside 3, so the fastest pair
      // takes about 2 + 8 ms. Of n at once a pair takes 4 n ms, so n - 2.5 of them wait: 6 to 8 are 9 to 10 at once, and
      // the doubling ends at 16, a quarter off that.
      const levels = (yield* clean(1000, 50)).slice(6)
      assert.isAtLeast(Math.min(...levels), 9)
      assert.isAtMost(Math.max(...levels), 12)
      assert.include([9, 10], last(levels))
    })
  )

  it.effect("become fewer while others make the engine ten times as slow, and as many again afterwards", () =>
    Effect.gen(function* () {
      const { clean, fake } = yield* makeFake(32)
      assert.strictEqual(last(yield* clean(500, 50)), 32)
      fake.latency = () => 100
      assert.strictEqual(last(yield* clean(300, 10)), 2)
      fake.latency = () => 10
      assert.strictEqual(last(yield* clean(1500, 50)), 32)
    })
  )

  it.effect(
    "rise again in the end where the engine stays ten times as slow, as far as six to eight of them wait there",
    () =>
      Effect.gen(function* () {
        const { clean, fake } = yield* makeFake(32)
        yield* clean(500)
        fake.latency = () => 100
        assert.strictEqual(last(yield* clean(300, 10)), 2)
        assert.strictEqual(last(yield* clean(2500, 50)), 8)
      })
  )

  it.effect("become fewer one by one while calls take up to 6 times as long, until six to eight of them wait", () =>
    Effect.gen(function* () {
      const { clean, fake } = yield* makeFake(16)
      yield* clean(200)
      fake.latency = () => 59
      const levels = yield* clean(300, 30)
      assert.deepStrictEqual(
        levels.toSorted((a, b) => b - a),
        levels
      )
      assert.strictEqual(last(levels), 9)
    })
  )

  it.effect.each([
    { name: "inspections without an answer", inspect: Effect.fail(unreachable) },
    { name: "inspections with a server error", inspect: Effect.fail(serverError) },
    { name: "removals that were not sent", remove: Effect.fail(unreachable) },
    { name: "removals without an answer", remove: Effect.succeed<RemoveResult>("unknown") }
  ])("become fewer by $name, and as many again afterwards", ({ name: _, ...failing }) =>
    Effect.gen(function* () {
      const { clean, fake } = yield* makeFake(16)
      const healthy = { ...fake }
      assert.strictEqual(last(yield* clean(200, 20)), 16)
      Object.assign(fake, failing)
      assert.strictEqual(last(yield* clean(100, 5)), 2)
      Object.assign(fake, healthy)
      assert.strictEqual(last(yield* clean(500, 20)), 16)
    })
  )

  it.effect("become fewer by calls that time out, although others are answered quickly all the while", () =>
    Effect.gen(function* () {
      const { clean, fake } = yield* makeFake(16)
      yield* clean(200)
      let inspections = 0
      fake.inspect = Effect.suspend(() =>
        ++inspections % 5 === 0
          ? Effect.andThen(Effect.sleep("1 second"), Effect.fail(unreachable))
          : Effect.succeed(container)
      )
      // One call in ten fails, so at times a window of eight has none and the level rises for once.
      assert.isAtMost(Math.max(...(yield* clean(600, 20)).slice(15)), 8)
    })
  )

  it.effect("are a quarter fewer by one failure, however many more come of the same moment", () =>
    Effect.gen(function* () {
      const { atOnce, clean, fake, game } = yield* makeFake(16)
      yield* clean(200)
      fake.inspect = Effect.fail(unreachable)
      const failed = yield* Effect.forkChild(Effect.replicateEffect(game, 16, { concurrency: "unbounded" }))
      yield* TestClock.adjust("10 millis")
      fake.inspect = Effect.never
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(failed)
      const next = yield* Effect.forkChild(Effect.replicateEffect(game, 100, { concurrency: "unbounded" }))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(atOnce(), 12)
      yield* Fiber.interrupt(next)
    })
  )

  it.effect("are as many as before by calls that were withheld: those say nothing of the engine", () =>
    Effect.gen(function* () {
      const { clean, fake } = yield* makeFake(16)
      yield* clean(200)
      const healthy = { ...fake }
      Object.assign(fake, { inspect: Effect.fail(withheld), remove: Effect.fail(withheld), latency: () => 1 })
      assert.strictEqual(Math.min(...(yield* clean(200, 50))), 16)
      Object.assign(fake, healthy)
      assert.strictEqual(Math.min(...(yield* clean(200, 50))), 16)
    })
  )

  it.effect.each([
    { name: "refused", result: new RemovalRefused({ by: "engine", words: "answered 409" }) },
    { name: "absent", result: "absent" }
  ] as const)("are as many as before by removals that are $name", ({ result }) =>
    Effect.gen(function* () {
      const { clean, fake } = yield* makeFake(16)
      fake.remove = Effect.succeed(result)
      assert.strictEqual(last(yield* clean(200, 20)), 16)
    })
  )

  it.effect("event 31: are others while one only waits, at the engine and under way alike", () =>
    Effect.gen(function* () {
      const { aside, game, withPermit, withRoom } = yield* makeFake(2)
      const waiting = yield* Deferred.make<void>()
      const one = withRoom(withPermit(aside(Deferred.await(waiting))))
      const many = yield* Effect.forkChild(Effect.replicateEffect(one, 40, { concurrency: "unbounded" }))
      yield* Effect.yieldNow
      const others = yield* Effect.forkChild(Effect.replicateEffect(withRoom(game), 40, { concurrency: "unbounded" }))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(others)
      assert.isUndefined(many.pollUnsafe())
      yield* Deferred.succeed(waiting, undefined)
      yield* Fiber.join(many)
    })
  )

  it.effect("event 31: is the one that waits, where there is to be one game after the other", () =>
    Effect.gen(function* () {
      const { aside, game, withPermit, withRoom } = yield* makeFake(1)
      const waiting = yield* Deferred.make<void>()
      yield* Effect.forkChild(withRoom(withPermit(aside(Deferred.await(waiting)))), { startImmediately: true })
      const other = yield* Effect.forkChild(withRoom(game))
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(other.pollUnsafe())
      yield* Deferred.succeed(waiting, undefined)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(other)
    })
  )

  it.effect("are at least two, so that others pass one whose call hangs", () =>
    Effect.gen(function* () {
      const { atOnce, clean, fake, game } = yield* makeFake(16)
      fake.inspect = Effect.fail(unreachable)
      assert.strictEqual(last(yield* clean(100, 10)), 2)
      const answer = yield* Deferred.make<void>()
      fake.inspect = Effect.as(Deferred.await(answer), container)
      const hanging = yield* Effect.forkChild(game)
      yield* TestClock.adjust("1 minute")
      fake.inspect = Effect.fail(unreachable)
      assert.strictEqual(last(yield* clean(100, 10)), 2)
      assert.strictEqual(atOnce(), 1)
      yield* Deferred.succeed(answer, undefined)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(hanging)
    })
  )

  it.effect("are one with a ceiling of 1, whatever the engine does", () =>
    Effect.gen(function* () {
      const { clean, fake } = yield* makeFake(1)
      assert.deepStrictEqual(yield* clean(50, 25), [1, 1])
      fake.latency = () => 1000
      assert.deepStrictEqual(yield* clean(50, 25), [1, 1])
      fake.inspect = Effect.fail(unreachable)
      assert.deepStrictEqual(yield* clean(50, 25), [1, 1])
    })
  )

  it.effect("leave room for the next when one is interrupted, at the engine or while it waits", () =>
    Effect.gen(function* () {
      const { atOnce, clean, fake, game } = yield* makeFake(4)
      const { inspect } = fake
      fake.inspect = Effect.never
      const games = yield* Effect.replicateEffect(Effect.forkChild(game), 8)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(atOnce(), 4)
      yield* Fiber.interruptAll(games)
      assert.strictEqual(atOnce(), 0)
      fake.inspect = inspect
      assert.strictEqual(last(yield* clean(100, 20)), 4)
    })
  )

  it.effect.each([
    { name: "inspection that fails", quick: "inspect", inspect: Effect.fail(unreachable) },
    { name: "removal that fails", quick: "remove", remove: Effect.fail(unreachable) },
    { name: "removal without an answer", quick: "remove", remove: Effect.succeed<RemoveResult>("unknown") },
    {
      name: "removal that is refused",
      quick: "remove",
      remove: Effect.succeed<RemoveResult>(new RemovalRefused({ by: "engine", words: "answered 409" }))
    },
    { name: "removal of what is absent", quick: "remove", remove: Effect.succeed<RemoveResult>("absent") }
  ])("find their level again after one quick $name: that is no measure for the others", ({ name: _, quick, ...odd }) =>
    Effect.gen(function* () {
      const { clean, fake } = yield* makeFake(16)
      fake.latency = (_, kind) => (kind === "inspect" ? 1 : 30)
      const healthy = { ...fake }
      yield* clean(200)
      Object.assign(fake, odd, { latency: (_: number, kind: string) => (kind === quick ? 0.5 : 30) })
      yield* clean(1)
      Object.assign(fake, healthy)
      assert.strictEqual(last(yield* clean(500, 50)), 16)
    })
  )

  it.effect("do not creep up over a long backlog, where the engine is never found idle again", () =>
    Effect.gen(function* () {
      const { clean, fake } = yield* makeFake(64)
      fake.latency = (inFlight) => 2 * inFlight
      const levels = yield* clean(20_000, 200)
      assert.isAtMost(Math.max(...levels.slice(2)), 19)
    })
  )
})

describe("the games that are under way at once", () => {
  const underWay = Effect.fnUntraced(function* ({ withRoom }: Effect.Success<ReturnType<typeof makeFake>>) {
    let count = 0
    const one = withRoom(
      Effect.andThen(
        Effect.sync(() => ++count),
        Effect.never
      )
    )
    const all = yield* Effect.forkChild(Effect.replicateEffect(one, 100, { concurrency: "unbounded" }))
    yield* TestClock.adjust("1 minute")
    yield* Fiber.interrupt(all)
    return count
  })

  it.effect.each([
    [1, 1],
    [2, 18],
    [64, 20]
  ] as const)(
    "are 16 more than those at the engine: with a ceiling of %s they are %s at first",
    ([ceiling, expected]) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* underWay(yield* makeFake(ceiling)), expected)
      })
  )

  it.effect("are 16 more at the highest level too", () =>
    Effect.gen(function* () {
      const fake = yield* makeFake(64)
      assert.strictEqual(last(yield* fake.clean(1000, 250)), 64)
      assert.strictEqual(yield* fake.allowed, 64)
      assert.strictEqual(yield* underWay(fake), 80)
    })
  )

  it.effect("are only as many more as come to their turn within 10 seconds", () =>
    Effect.gen(function* () {
      const fake = yield* makeFake(4)
      fake.fake.latency = () => 2500
      yield* fake.clean(100)
      // A game takes 5 seconds, and four are at the engine.
      assert.strictEqual(yield* underWay(fake), 4 + 8)
    })
  )

  it.effect("are fewer, too, where every call fails after a long time", () =>
    Effect.gen(function* () {
      const fake = yield* makeFake(4)
      fake.fake.latency = () => 15_000
      fake.fake.inspect = unreachable
      fake.fake.remove = unreachable
      yield* fake.clean(100)
      // Two are at the engine, and after 10 seconds one of the others might be.
      assert.strictEqual(yield* underWay(fake), 2 + 1)
    })
  )
})
