import { Effect, Random } from "effect"
import type { Gate, Verdict } from "../support/Gate.ts"
import { type Round, someConcurrency } from "./rounds.ts"
import { violations } from "./violations.ts"
import { add, startReplica, type World } from "./World.ts"

/** Milliseconds by which one of the two is later than the other, at most. */
export const most = 20

/** Does it so many milliseconds later. */
export const later = <A>(millis: number, then: () => A): Promise<Awaited<A>> =>
  new Promise((resolve) => setTimeout(() => resolve(then() as Awaited<A>), millis))

/**
 * So many containers are started at the moment at which the service's removal of them reaches the engine. Each is either
 * removed, and then its start has failed, or runs, and then its record is as it was.
 */
export const raceRound = Effect.fnUntraced(function* (world: World, races: number) {
  const { docker, left } = world.parts.engine
  const games = yield* add(
    world,
    Array.from({ length: races }, () => "raced" as const)
  )
  const delays = yield* Effect.forEach(games, () =>
    Effect.all({ start: Random.nextBetween(0, most), remove: Random.nextBetween(0, most) })
  )
  const starts = new Map<string, Promise<boolean>>()
  const racers = new Map<string, () => Promise<Verdict>>(
    games.map(({ containerId = "" }, index) => {
      const { start, remove } = delays[index] ?? { start: 0, remove: 0 }
      const started = () =>
        docker
          .getContainer(containerId)
          .start()
          .then(
            () => true,
            () => false
          )
      const race = (): Promise<Verdict> => {
        starts.set(containerId, later(start, started))
        return later(remove, () => "pass")
      }
      return [`DELETE /containers/${containerId}`, race] as const
    })
  )
  const gate: Gate = ({ side, what }) => (side === "before" ? (racers.get(what)?.() ?? "pass") : "pass")
  const replica = yield* startReplica(world, ["run"], { gate, env: yield* someConcurrency })
  yield* replica.quiet
  const states = new Map((yield* left).map(({ id, state }) => [String(id), state]))
  const problems: Array<string> = []
  const happened = { "race: removed": 0, "race: kept running": 0 }
  for (const { containerId = "", gameId } of games) {
    const started = yield* Effect.promise(() => starts.get(containerId) ?? Promise.resolve(undefined))
    const state = states.get(containerId)
    if (started === false && state === undefined) happened["race: removed"]++
    else if (started === true && state === "running") happened["race: kept running"]++
    else problems.push(`${gameId}: start ${started}, container ${state}`)
  }
  problems.push(...(yield* violations(world, { recovered: true })))
  return { happened, problems: problems.map((problem) => `start against delete: ${problem}`) } satisfies Round
})
