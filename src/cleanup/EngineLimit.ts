import { Clock, Effect, Semaphore } from "effect"
import type { ContainerEngine, ContainerEngineError } from "../ports/ContainerEngine.ts"

/** How many times longer than the fastest calls may take on average before the engine is asked for less at once. */
const tolerance = 6

/** What is left of the level after a window that was too slow. */
const backOff = 0.75

/** Where the level begins, and the lowest that it gets: one call that hangs must not hold up all others. */
const first = 4
const lowest = 2

/** Calls in the shortest window. */
const fewestCalls = 8

/**
 * How much slower the fastest is taken to be after a window at the level where we begin or below, so that one odd call
 * does not count for ever. At higher levels nothing is forgotten: what is seen there is our own doing.
 */
const forgotten = 0.005

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
  /** Waits until there is room for one more game at the engine, and works there. */
  readonly withPermit: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/**
 * How many games are at the engine at once, found by its latency: additive increase and multiplicative decrease, as TCP
 * has them, with the delay against the fastest call as the sign of congestion, as in TCP Vegas. The level doubles until
 * the first sign. While a window of calls takes up to 6 times as long as the fastest calls would, the next has room for
 * one more; once it takes longer, or a call fails, for a quarter less.
 */
export const make = Effect.fnUntraced(function* (engine: Engine, ceiling: number) {
  let level = Math.min(first, ceiling)
  let doubling = true
  let window = 0
  let failures = 0
  const paces = { inspect: newPace(), remove: newPace() }
  const permits = yield* Semaphore.make(level)

  const isSlow = () => {
    let total = 0
    let expected = 0
    for (const pace of Object.values(paces)) {
      total += pace.total
      expected += pace.calls === 0 ? 0 : pace.calls * pace.fastest
      pace.calls = 0
      pace.total = 0
      if (level <= first) pace.fastest *= 1 + forgotten
    }
    return total > tolerance * expected
  }

  const next = Effect.suspend(() => {
    const slow = isSlow() || failures > 0
    if (slow) doubling = false
    const less = Math.max(Math.min(lowest, ceiling), Math.floor(level * backOff))
    level = slow ? less : Math.min(ceiling, doubling ? level * 2 : level + 1)
    failures = 0
    window++
    return permits.resize(level)
  })

  /** A removal that comes back at once, refused or for nothing, does not say how fast the engine is. */
  const timed = <A>(
    kind: keyof typeof paces,
    call: Effect.Effect<A, ContainerEngineError>,
    meaning: (result: A) => "worked" | "failed" | "nothing"
  ) =>
    Effect.gen(function* () {
      const begun = window
      const started = yield* Clock.monotonicTimeNanos
      const ended = (how: "worked" | "failed" | "nothing") =>
        Effect.flatMap(Clock.monotonicTimeNanos, (now) => {
          if (how === "nothing") return Effect.void
          if (how === "failed") failures++
          // The time of a call from before the last change says nothing of the present level.
          else if (begun !== window) return Effect.void
          else count(paces[kind], Number(now - started) / 1e6)
          const calls = paces.inspect.calls + paces.remove.calls + failures
          return calls >= Math.max(fewestCalls, 2 * level) ? next : Effect.void
        })
      return yield* call.pipe(
        Effect.tap((result) => ended(meaning(result))),
        Effect.tapError(({ reason }) => ended(reason._tag === "Withheld" ? "nothing" : "failed"))
      )
    })

  return {
    engine: {
      ...engine,
      inspect: (id) => timed("inspect", engine.inspect(id), () => "worked"),
      remove: (id) => timed("remove", engine.remove(id), (result) => meanings[result])
    },
    withPermit: permits.withPermit
  } satisfies EngineLimit
})
