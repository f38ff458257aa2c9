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
  RemovalUnknown,
  type RemoveResult,
  UnexpectedAnswer,
  Unreachable,
  Withheld
} from "../../../src/ports/ContainerEngine.ts"
import { whileTimePasses } from "../../support/whileTimePasses.ts"
import { containerId } from "../../support/world.ts"

const error = (reason: ContainerEngineError["reason"]) => new ContainerEngineError({ operation: "inspect", reason })
const unreachable = error(new Unreachable({ detail: "no answer" }))
const serverError = error(new UnexpectedAnswer({ status: 500, detail: "server error" }))
const refused = new RemovalRefused({ by: "engine", words: "answered 409" })
const withheld = error(new Withheld({ detail: "the engine is away" }))

const container: Container = {
  id: containerId(1),
  state: "exited",
  gameId: "game",
  createdAt: 0,
  startedAt: 0,
  finishedAt: 0
}

/** An engine whose calls take as long as `latency` says. Milliseconds. */
const makeFake = Effect.fnUntraced(function* (ceiling: number) {
  const fake = {
    latency: (_kind: "inspect" | "remove"): number => 10,
    inspect: Effect.succeed(container) as Effect.Effect<Container | undefined, ContainerEngineError>,
    remove: Effect.succeed<RemoveResult>("removed") as Effect.Effect<RemoveResult, ContainerEngineError>
  }
  const timed = <A>(kind: "inspect" | "remove", answer: () => Effect.Effect<A, ContainerEngineError>) =>
    Effect.suspend(() => Effect.sleep(fake.latency(kind))).pipe(Effect.andThen(Effect.suspend(answer)))
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
    yield* whileTimePasses(Effect.replicateEffect(one, games, { concurrency: ceiling + 16, discard: true }))
    return levels
  })
  return { fake, game, clean, withRoom, withPermit, aside, allowed, atOnce: () => atOnce }
})

const last = (levels: ReadonlyArray<number>) => levels.at(-1)

describe("the games at the engine at once", () => {
  it.effect.each([2, 64])("are 4 at first, or as many as there may be: %s", (ceiling) =>
    Effect.gen(function* () {
      const { atOnce, fake, game } = yield* makeFake(ceiling)
      fake.inspect = Effect.never
      const all = yield* Effect.forkChild(Effect.replicateEffect(game, 100, { concurrency: "unbounded" }))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(atOnce(), Math.min(4, ceiling))
      yield* Fiber.interrupt(all)
    })
  )

  it.effect("stay as they began while fewer games than that are there, however long", () =>
    Effect.gen(function* () {
      const { allowed, game } = yield* makeFake(64)
      yield* whileTimePasses(Effect.replicateEffect(game, 100, { concurrency: 2, discard: true }))
      assert.strictEqual(yield* allowed, 4)
    })
  )

  it.effect.each([1, 5, 64])(
    "rise to the ceiling of %s while the engine is as fast as ever, and never above",
    (ceiling) =>
      Effect.gen(function* () {
        const { clean } = yield* makeFake(ceiling)
        const levels = yield* clean(1000, 250)
        assert.strictEqual(Math.max(...levels), ceiling)
        assert.strictEqual(last(levels), ceiling)
      })
  )

  it.effect.each([
    { name: "inspections without an answer", inspect: Effect.fail(unreachable) },
    { name: "inspections with a server error", inspect: Effect.fail(serverError) },
    { name: "removals that were not sent", remove: Effect.fail(unreachable) },
    {
      name: "removals without an answer",
      remove: Effect.succeed<RemoveResult>(new RemovalUnknown({ words: "no answer" }))
    }
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
    { name: "removal is refused", remove: Effect.succeed(refused) },
    {
      name: "container is absent: to look for one is work too",
      inspect: Effect.undefined,
      remove: Effect.succeed("absent")
    }
  ] as const)("rise to the ceiling where every $name", ({ name: _, ...answers }) =>
    Effect.gen(function* () {
      const { clean, fake } = yield* makeFake(16)
      Object.assign(fake, answers)
      assert.strictEqual(last(yield* clean(300, 50)), 16)
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
    ["that is refused", refused],
    ["of what is absent", "absent"]
  ] as const)("find their level again after one quick removal %s: that is no measure for the others", ([, result]) =>
    Effect.gen(function* () {
      const { clean, fake } = yield* makeFake(16)
      const usual = (kind: string) => (kind === "inspect" ? 1 : 30)
      fake.latency = usual
      yield* clean(200)
      Object.assign(fake, { remove: Effect.succeed(result), latency: () => 0.5 })
      yield* clean(1)
      Object.assign(fake, { remove: Effect.succeed("removed"), latency: usual })
      assert.strictEqual(last(yield* clean(500, 50)), 16)
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
})
