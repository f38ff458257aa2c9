import { Effect, Fiber, Random, Schedule } from "effect"
import { othersMove } from "./kills.ts"
import { recover } from "./recover.ts"
import { type Round, restock, someConcurrency } from "./rounds.ts"
import { violations } from "./violations.ts"
import { passTime, startReplica, type World } from "./World.ts"

/** During one pass the database server ends the process's sessions again and again, at random moments. */
export const backendRound = Effect.fnUntraced(function* (world: World) {
  yield* restock(world)
  const env = yield* someConcurrency
  const { sql } = world.parts
  const replica = yield* startReplica(world, ["run"], { gate: othersMove(world), env })
  let killed = 0
  const killThem = Effect.gen(function* () {
    yield* Effect.sleep(yield* Random.nextIntBetween(5, 60))
    const rows = yield* sql<{ killed: boolean }>`
      select pg_terminate_backend(pid) as killed from unnest(${[...replica.sessions]}::int[]) as pid`
    killed += rows.filter((row) => row.killed).length
  })
  const killing = yield* Effect.forkChild(Effect.repeat(killThem, Schedule.forever))
  const { code } = yield* replica.process.ended
  yield* Fiber.interrupt(killing)
  yield* replica.quiet
  const found = yield* violations(world, { recovered: false })
  yield* passTime(world)
  const left = yield* recover(world, env)
  const ended = code === 0 || code === 1 || code === 3 ? [] : [`the process ended with ${code}`]
  return {
    happened: { "backend killed": killed },
    problems: [...ended, ...found, ...left].map((problem) => `${killed} backends killed: ${problem}`)
  } satisfies Round
})
