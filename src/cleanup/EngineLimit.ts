import { Clock, Effect, Semaphore } from "effect"
import type { ContainerEngine, ContainerEngineError } from "../ports/ContainerEngine.ts"

/** How many times longer than the fastest calls may take on average before the engine is asked for far less at once. */
const tolerance = 6

/** Games that wait in the engine: the level grows while they are fewer than the first, and shrinks beyond the second. */
const queue = { least: 6, most: 8 }

/** What is left of the level after a window that was too slow. */
const backOff = 0.75

/** Where the level begins, and the lowest that it gets: one call that hangs must not hold up all others. */
const first = 4
const lowest = 2

/** The most games that are with the database before and after their turn at the engine, while others have theirs. */
const mostBeside = 16

/** How long, in milliseconds, a game may wait for its turn at the engine: it holds its lease meanwhile. */
const longestWait = 10_000

/** Calls in the shortest window. */
const fewestCalls = 8

/**
 * How much slower the fastest is taken to be after a window at the level where we begin or below, so that one odd call
 * does not count for ever. At higher levels nothing is forgotten: what is seen there is our own doing.
 */
const forgotten = 0.005

/** What a call says of the engine. A removal that comes back at once, refused or in vain, says nothing of its speed. */
type Meaning = "worked" | "failed" | "nothing"

const meanings = { removed: "worked", absent: "nothing", refused: "nothing", unknown: "failed" } as const

type Engine = ContainerEngine["Service"]

/** One kind of call in the present window, and the fastest of any window. Milliseconds. */
interface Pace {
  calls: number
  total: number
  fastest: number
}

const newPace = (): Pace => ({ calls: 0, total: 0, fastest: Infinity })

const count = (pace: Pace, millis: number) => {
  pace.calls++
  pace.total += millis
  pace.fastest = Math.min(pace.fastest, millis)
}

export interface EngineLimit {
  /** The same engine, its inspections and removals timed. */
  readonly engine: Engine
  /** How many games may be at the engine at once at this moment. */
  readonly atOnce: Effect.Effect<number>
  /** Waits until one more game may be under way: at the engine, or with the database before and after. */
  readonly withRoom: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Waits for something else in the middle of `withPermit` and `withRoom`, and lets another game have both meanwhile. */
  readonly aside: <A, E, R>(wait: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Waits until there is room for one more game at the engine, and works there. */
  readonly withPermit: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/**
 * How many games are at the engine at once, found by its latency, as TCP Vegas does it: what a window of calls took beyond
 * what the fastest calls would says how many of the games only wait there. While they are few, the level grows by one (at
 * first it doubles), and once they are many it shrinks by one. It does not grow while it is not used. After a window that
 * took over 6 times as long as the fastest calls would, or in which a call failed, a quarter is taken off.
 */
export const make = Effect.fnUntraced(function* (engine: Engine, ceiling: number) {
  const clock = yield* Clock.Clock
  let level = Math.min(first, ceiling)
  let doubling = true
  let changes = 0
  let failures = 0
  /** Of the present window. Milliseconds. */
  let longestFailure = 0
  let atEngine = 0
  let mostAtEngine = 0
  const paces = { inspect: newPace(), remove: newPace() }
  /** What a game took at the engine in the last window. */
  let gameMillis = 0
  const roomNow = () =>
    ceiling === 1 ? 1 : level + Math.min(mostBeside, Math.floor((level * longestWait) / Math.max(1, gameMillis)))
  const permits = yield* Semaphore.make(level)
  const room = yield* Semaphore.make(roomNow())

  /** What the calls of the window that ends took, and what they would have taken at their fastest. */
  const measure = () => {
    let taken = 0
    let expected = 0
    gameMillis = longestFailure
    longestFailure = 0
    for (const pace of Object.values(paces)) {
      taken += pace.total
      expected += pace.calls === 0 ? 0 : pace.calls * pace.fastest
      gameMillis += pace.calls === 0 ? 0 : pace.total / pace.calls
      pace.calls = 0
      pace.total = 0
      if (level <= first) pace.fastest *= 1 + forgotten
    }
    return { taken, expected }
  }

  const nextLevel = () => {
    const { taken, expected } = measure()
    if (failures > 0 || taken > tolerance * expected) return Math.max(lowest, Math.floor(level * backOff))
    const waiting = taken === 0 ? 0 : level * (1 - expected / taken)
    if (waiting > queue.most) return level - 1
    if (waiting < queue.least && mostAtEngine >= level) return doubling ? level * 2 : level + 1
    return level
  }

  const next = Effect.suspend(() => {
    const wanted = Math.min(nextLevel(), ceiling)
    if (mostAtEngine >= level || wanted < level) doubling &&= wanted > level
    failures = 0
    mostAtEngine = atEngine
    if (wanted !== level) changes++
    level = wanted
    return Effect.andThen(permits.resize(level), room.resize(roomNow()))
  })

  const ended = (
    kind: keyof typeof paces,
    call: { readonly begun: number; readonly started: bigint },
    how: Meaning
  ) => {
    if (how === "nothing") return Effect.void
    const millis = Number(clock.monotonicTimeNanosUnsafe() - call.started) / 1e6
    if (how === "failed") {
      failures++
      longestFailure = Math.max(longestFailure, millis)
    }
    // The time of a call from before the last change says nothing of the present level.
    else if (call.begun !== changes) return Effect.void
    else count(paces[kind], millis)
    const calls = paces.inspect.calls + paces.remove.calls + failures
    return calls >= Math.max(fewestCalls, 2 * level) ? next : Effect.void
  }

  const timed = <A>(
    kind: keyof typeof paces,
    call: Effect.Effect<A, ContainerEngineError>,
    meaning: (result: A) => Meaning
  ) =>
    Effect.suspend(() => {
      const begun = { begun: changes, started: clock.monotonicTimeNanosUnsafe() }
      return call.pipe(
        Effect.tap((result) => ended(kind, begun, meaning(result))),
        Effect.tapError(({ reason }) => ended(kind, begun, reason._tag === "Withheld" ? "nothing" : "failed"))
      )
    })

  return {
    engine: {
      ...engine,
      inspect: (id) => timed("inspect", engine.inspect(id), () => "worked"),
      remove: (id) =>
        timed("remove", engine.remove(id), (result) => meanings[typeof result === "string" ? result : "refused"])
    },
    atOnce: Effect.sync(() => level),
    withRoom: room.withPermit,
    aside: (wait) =>
      // One game after the other: a game that waits has begun.
      ceiling === 1
        ? wait
        : Effect.acquireUseRelease(
            Effect.andThen(permits.release(1), room.release(1)),
            () => wait,
            () => Effect.andThen(room.take(1), permits.take(1))
          ),
    withPermit: (work) =>
      permits.withPermit(
        Effect.suspend(() => {
          mostAtEngine = Math.max(mostAtEngine, ++atEngine)
          return Effect.ensuring(
            work,
            Effect.sync(() => {
              atEngine--
            })
          )
        })
      )
  } satisfies EngineLimit
})
