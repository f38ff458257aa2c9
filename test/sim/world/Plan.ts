import { Duration } from "effect"
import type { Rng } from "../kernel/Rng.ts"
import { type FaultKind, faultKinds } from "./Faults.ts"

/** What a seed draws before anything happens. Times are milliseconds. */
export interface Plan {
  /** Each with a service of its own, of one replica or more. */
  readonly engines: number
  readonly replicas: number
  readonly games: number
  readonly concurrency: number
  readonly pageSize: number
  readonly maxRemovals: number | undefined
  readonly interval: number
  readonly retention: number
  /** The one that the last pass used before this history, if it was longer. */
  readonly formerRetention: number | undefined
  readonly engineTimeout: number
  readonly leaseTtl: number
  readonly statementTimeout: number
  readonly maxClockSkew: number
  /** How long things go wrong. */
  readonly length: number
  /** One way from a process to a server, at most. */
  readonly latency: number
  /** How long the engine takes to remove a container, at most, if nothing goes wrong. */
  readonly removalTime: number
  readonly faults: ReadonlySet<FaultKind>
  /** How likely each fault of a call strikes it. */
  readonly perCall: number
  /** Things that are done to the world, one after another. */
  readonly incidents: number
  /** What people want to do by hand, one after another. */
  readonly wishes: number
  readonly shuffled: boolean
  readonly maxOpsBeforeYield: number
  /** Whether the engines are known before the first pass. */
  readonly engineKnown: boolean
}

const seconds = (...values: ReadonlyArray<number>) => values.map((value) => value * 1000)
const minutes = (...values: ReadonlyArray<number>) => values.map((value) => value * 60_000)

export const draw = (rng: Rng): Plan => {
  const interval = rng.pick(minutes(3, 10, 20, 30))
  const length = interval * rng.int(5, 10)
  const engineTimeout = rng.pick(seconds(1, 3, 5, 15))
  const games = rng.chance(0.08) ? rng.int(25, 36) : rng.chance(0.3) ? rng.int(6, 12) : rng.int(2, 6)
  const engineKnown = rng.chance(0.8)
  const faults = new Set(rng.half(faultKinds))
  // Who sees the wrong engine first takes it for the right one: nothing can be said about such a history.
  if (!engineKnown) {
    faults.delete("engine_swapped")
    faults.delete("containers_hidden")
  }
  const shortens = rng.chance(0.06)
  const engines = shortens ? 1 : rng.pick([1, 1, 2, 3])
  const retention = rng.pick([...minutes(2, 30), length / 2])
  return {
    engines,
    replicas: Math.max(engines, rng.pick([1, 1, 2, 2, 3, 3, 4, 5])),
    // So many that a shorter retention makes over twenty due at once, as a rule.
    games: shortens ? rng.int(32, 44) : games,
    concurrency: rng.pick([1, 2, 8]),
    pageSize: rng.pick([1, 3, 10, 500]),
    maxRemovals: rng.chance(0.1) ? rng.int(1, 5) : undefined,
    interval,
    retention,
    formerRetention: shortens ? retention + rng.int(1, Duration.toMillis("2 days")) : undefined,
    engineTimeout,
    // The least that the settings allow, and more.
    leaseTtl: Math.max(16_000, 2 * engineTimeout + 12_000) + rng.pick(seconds(0, 5, 30, 300)),
    statementTimeout: rng.pick([500, 2000, 5000]),
    maxClockSkew: Duration.toMillis("1 minute"),
    length,
    latency: rng.pick([2, 5, 30]),
    removalTime: rng.pick([5, 100, 1000]),
    faults,
    perCall: rng.pick([0, 0.01, 0.05]),
    incidents: rng.int(4, 16),
    shuffled: rng.chance(0.5),
    maxOpsBeforeYield: rng.pick([2048, 2048, 40]),
    engineKnown: engineKnown || shortens,
    wishes: rng.chance(0.5) ? rng.int(1, 10) : 0
  }
}
