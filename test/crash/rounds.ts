import { Effect, Random } from "effect"
import { type Failpoint, nameOf } from "./failpoints.ts"
import { type KindName, kinds, recordRows } from "./games.ts"
import { killAfter, killAt, supply } from "./kills.ts"
import { recover, wholePass } from "./recover.ts"
import { violations } from "./violations.ts"
import { add, deliverLate, type Env, passTime, type World } from "./World.ts"

export interface Round {
  /** How often each thing happened that a run is to show. */
  readonly happened: Readonly<Record<string, number>>
  /** What is wrong after it, in words. */
  readonly problems: ReadonlyArray<string>
}

/** What a pass finds to do, so that every failpoint is reached; most containers are there, as on an engine that works. */
const stock: Partial<Record<KindName, number>> = { created: 5, exited: 1, absent: 1, unnamed: 1, moved: 2, invalid: 2 }

/** Fills the stock up. */
export const restock = Effect.fnUntraced(function* (world: World) {
  const stopped = (yield* recordRows(world.parts)).filter(({ status }) => status === "stopped")
  const has = (name: KindName) => stopped.filter(({ gameId }) => world.games.get(gameId)?.kind === kinds[name]).length
  const names = Object.keys(stock) as ReadonlyArray<KindName>
  const missing = names.flatMap((name) => Array.from({ length: (stock[name] ?? 0) - has(name) }, () => name))
  yield* add(world, missing)
})

export const someConcurrency = Effect.map(
  Random.nextIntBetween(1, 8),
  (concurrency): Env => ({ RTMANAGER_CLEANUP_CONCURRENCY: String(concurrency) })
)

/**
 * Runs one process to its death, perhaps beside another that lives, and looks at what is left. In one round of
 * four others finish the dead one's work before the next death, else the next one that dies is the one that takes over.
 */
const deathRound = Effect.fnUntraced(function* <R>(
  world: World,
  options: { readonly beside: boolean; readonly death: (env: Env) => Effect.Effect<boolean, never, R> }
) {
  yield* restock(world)
  const env = yield* someConcurrency
  const finish = (yield* Random.next) < 0.25
  const earlier = [...world.late]
  const living = options.beside ? wholePass(world, env) : Effect.succeed([])
  const [killed, said] = yield* Effect.all([options.death(env), living], { concurrency: 2 })
  yield* deliverLate(world, earlier)
  const found = yield* violations(world, { recovered: false })
  yield* passTime(world)
  return { killed, problems: [...said, ...found, ...(finish ? yield* recover(world, env) : [])] }
})

/**
 * A process that ends before it comes to its failpoint is no kill: the next one dies where it comes there first, and
 * has no other beside it that could be there before.
 */
export const failpointRound = Effect.fnUntraced(function* (world: World, failpoint: Failpoint) {
  const name = nameOf(failpoint)
  const problems: Array<string> = []
  for (const first of [true, false, false]) {
    const beside = first && (yield* Random.next) < 0.2
    const occurrence = yield* Random.nextIntBetween(1, first ? supply[failpoint.step] : 1)
    const death = (env: Env) => killAt(world, { failpoint, occurrence }, { env })
    const once = yield* deathRound(world, { beside, death })
    problems.push(...once.problems.map((problem) => `killed ${name}, occurrence ${occurrence}: ${problem}`))
    if (once.killed) return { happened: { [name]: 1 }, problems } satisfies Round
  }
  return { happened: {}, problems } satisfies Round
})

/** Killed within the time that a pass over the stock takes. */
export const randomRound = Effect.fnUntraced(function* (world: World) {
  const beside = (yield* Random.next) < 0.2
  const millis = yield* Random.nextIntBetween(0, 250)
  const { killed, problems } = yield* deathRound(world, { beside, death: (env) => killAfter(world, millis, env) })
  return {
    happened: { "random moment": killed ? 1 : 0 },
    problems: problems.map((problem) => `killed after ${millis} ms: ${problem}`)
  } satisfies Round
})

/** A kill of one engine's service while another's works. */
export const besideName = (failpoint: Failpoint): string => `${nameOf(failpoint)}, beside another engine`

/**
 * One engine's service is killed while the other engine's does all that it has to do. Both are as they must be, and neither
 * has asked its engine about a game of the other's.
 */
export const enginesRound = Effect.fnUntraced(function* (
  [dying, living]: readonly [World, World],
  failpoint: Failpoint
) {
  yield* restock(living)
  const both = Effect.all([failpointRound(dying, failpoint), recover(living)], { concurrency: 2 })
  const [{ happened, problems }, said] = yield* both
  const found = [
    ...(yield* violations(dying, { recovered: false })),
    ...(yield* violations(living, { recovered: true })),
    ...asked(dying, living)
  ]
  return {
    happened: { [besideName(failpoint)]: happened[nameOf(failpoint)] ?? 0 },
    problems: [...problems, ...[...said, ...found].map((problem) => `killed ${besideName(failpoint)}: ${problem}`)]
  } satisfies Round
})

/** What the services of each asked their engine about the other's games. */
const asked = (...worlds: readonly [World, World]) =>
  [worlds, worlds.toReversed()].flatMap(([one, other]) => {
    const ids = [...(other?.games.values() ?? [])].flatMap(({ gameId, containerId = gameId }) => [gameId, containerId])
    return (one?.requests ?? []).filter((request) => ids.some((id) => request.includes(id)))
  })
