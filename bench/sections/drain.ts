import { Effect } from "effect"
import { pass } from "../contenders.ts"
import { tables as makeTables } from "../database.ts"
import type { Options } from "../options.ts"
import { type Environment, settled } from "../processes.ts"
import { round, say } from "../progress.ts"
import { sink } from "../sink.ts"

/** From the longer of these on, memory is to be flat. */
export const shorter = [5_000, 50_000]

/** Due rows on the in-memory engine with a real PostgreSQL, in a process of its own. */
export const drain = Effect.fnUntraced(function* ({ backlog, concurrency }: Options) {
  const tables = yield* makeTables("bench_drain")
  const collector = yield* sink
  const env = { ...tables.env, RTMANAGER_CLEANUP_CONCURRENCY: String(concurrency) }

  const measure = Effect.fnUntraced(function* (games: number, telemetry: Environment) {
    const due = { count: games, prefix: "due-", lastOpAt: "now() - interval '40 days' - i * interval '1 second'" }
    yield* tables.fill(games === 0 ? [] : [due])
    yield* settled
    return yield* pass("drain", { ...env, ...telemetry }, games)
  })

  const both = Effect.fnUntraced(function* (name: string, telemetry: Environment) {
    const idle = yield* measure(0, telemetry)
    yield* say(`  nothing due, ${name}: ${round(idle.rssMb)} MB, ${round(idle.cpuMs)} ms CPU`)
    const sizes = new Set([...shorter, backlog].map((size) => Math.min(size, backlog)))
    return yield* Effect.forEach(
      sizes,
      Effect.fnUntraced(function* (games) {
        const run = yield* measure(games, telemetry)
        const cpuMsPerGame = (run.cpuMs - idle.cpuMs) / games
        const figures = `${round(run.rate)}/s, ${round(run.rssMb)} MB, ${round(cpuMsPerGame, 2)} ms CPU a game`
        yield* say(`  ${games} due, ${name}: ${figures}`)
        return { games, ...run, cpuMsPerGame, plainCpuMsPerGame: run.cpuMs / games, idle }
      })
    )
  })

  yield* say("drain: the in-memory engine, real PostgreSQL")
  const plain = yield* both("no telemetry", {})
  const telemetry = yield* both("telemetry", collector.env)
  return { plain, telemetry, received: yield* collector.received }
}, Effect.scoped)

export type DrainResult = Effect.Success<ReturnType<typeof drain>>
