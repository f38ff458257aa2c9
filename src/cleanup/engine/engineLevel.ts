/** A window was too slow, and the level backs off, if its calls took this many times as long as the fastest on average. */
const tolerance = 6

/** The level grows while fewer games than `least` queue in the engine, and shrinks while more than `most` do. */
const queue = { least: 6, most: 8 }

/** The level is multiplied by this after a window that was too slow. */
const backOff = 0.75

/** The initial level, and the lowest: a single call that hangs must not hold up every other game. */
const first = 4
const lowest = 2

/** A window has at least this many calls. */
const fewestCalls = 8

/**
 * After each window at or below the initial level, the fastest time decays by this factor, so that one outlier cannot
 * anchor the estimate. It never decays above that level, where slow calls are our own doing.
 */
const decay = 0.005

/** How many games may be with the database, before and after their turn at the engine, while others have theirs. */
const mostBeside = 16

/** The longest that a game may wait for its turn, in milliseconds. It is short because the game holds its lease meanwhile. */
const longestWait = 10_000

/** The calls of one kind in the present window, and the fastest of any window. Milliseconds. */
interface Pace {
  readonly calls: number
  readonly total: number
  readonly fastest: number
}

const unknownPace: Pace = { calls: 0, total: 0, fastest: Infinity }

/** How many games may be at the engine at once, and what that number is derived from. */
export interface EngineLevel {
  readonly atOnce: number
  readonly ceiling: number
  /** The level has never shrunk. */
  readonly isDoubling: boolean
  /** Grows by one whenever the level changes, so that calls from before the change can be told apart. */
  readonly epoch: number
  readonly atEngine: number
  /** The most games at the engine in the present window. */
  readonly mostAtEngine: number
  readonly inspect: Pace
  readonly remove: Pace
  /** Calls of the present window that failed, and the time of the longest. Milliseconds. */
  readonly failures: number
  readonly longestFailure: number
  /** How long a game took at the engine in the last window. Milliseconds. */
  readonly gameMillis: number
}

export const initial = (ceiling: number): EngineLevel => ({
  atOnce: Math.min(first, ceiling),
  ceiling,
  isDoubling: true,
  epoch: 0,
  atEngine: 0,
  mostAtEngine: 0,
  inspect: unknownPace,
  remove: unknownPace,
  failures: 0,
  longestFailure: 0,
  gameMillis: 0
})

/** How many games may be under way: those at the engine, and as many beside them as reach it within 10 seconds. */
export const underWay = ({ atOnce, ceiling, gameMillis }: EngineLevel): number =>
  ceiling === 1 ? 1 : atOnce + Math.min(mostBeside, Math.floor((atOnce * longestWait) / Math.max(1, gameMillis)))

export const entered = (level: EngineLevel): EngineLevel => {
  const atEngine = level.atEngine + 1
  return { ...level, atEngine, mostAtEngine: Math.max(level.mostAtEngine, atEngine) }
}

export const left = (level: EngineLevel): EngineLevel => ({ ...level, atEngine: level.atEngine - 1 })

/** An ended call as a sample of the engine's latency. */
export interface Sample {
  readonly kind: "inspect" | "remove"
  /** The epoch of the level when the call began. */
  readonly epoch: number
  readonly millis: number
  readonly failed: boolean
}

/**
 * The level after one more sample. It follows TCP Vegas: how much longer a window of calls took than the fastest calls
 * shows how many games only queue in the engine. The level grows by one (at first it doubles) while few do, and shrinks by
 * one while many do. It does not grow unless it is fully used. It loses a quarter after a window in which a call failed, or
 * in which calls took more than 6 times as long as the fastest.
 */
export const sampled = (level: EngineLevel, { epoch, failed, kind, millis }: Sample): EngineLevel => {
  if (!failed && epoch !== level.epoch) return level
  const pace = level[kind]
  const next: EngineLevel = failed
    ? { ...level, failures: level.failures + 1, longestFailure: Math.max(level.longestFailure, millis) }
    : {
        ...level,
        [kind]: { calls: pace.calls + 1, total: pace.total + millis, fastest: Math.min(pace.fastest, millis) }
      }
  const calls = next.inspect.calls + next.remove.calls + next.failures
  return calls >= Math.max(fewestCalls, 2 * next.atOnce) ? windowClosed(next) : next
}

const mean = ({ calls, total }: Pace) => (calls === 0 ? 0 : total / calls)
const atItsFastest = ({ calls, fastest }: Pace) => (calls === 0 ? 0 : calls * fastest)

const wanted = (level: EngineLevel): number => {
  const { atOnce, failures, inspect, isDoubling, mostAtEngine, remove } = level
  const taken = inspect.total + remove.total
  const expected = atItsFastest(inspect) + atItsFastest(remove)
  if (failures > 0 || taken > tolerance * expected) return Math.max(lowest, Math.floor(atOnce * backOff))
  const queued = taken === 0 ? 0 : atOnce * (1 - expected / taken)
  if (queued > queue.most) return atOnce - 1
  if (queued < queue.least && mostAtEngine >= atOnce) return isDoubling ? atOnce * 2 : atOnce + 1
  return atOnce
}

const windowClosed = (level: EngineLevel): EngineLevel => {
  const atOnce = Math.min(wanted(level), level.ceiling)
  const isTested = level.mostAtEngine >= level.atOnce || atOnce < level.atOnce
  const next = ({ fastest }: Pace): Pace => ({
    calls: 0,
    total: 0,
    fastest: level.atOnce <= first ? fastest * (1 + decay) : fastest
  })
  return {
    ...level,
    atOnce,
    isDoubling: level.isDoubling && (!isTested || atOnce > level.atOnce),
    epoch: atOnce === level.atOnce ? level.epoch : level.epoch + 1,
    mostAtEngine: level.atEngine,
    inspect: next(level.inspect),
    remove: next(level.remove),
    failures: 0,
    longestFailure: 0,
    gameMillis: level.longestFailure + mean(level.inspect) + mean(level.remove)
  }
}
