import { Array as Arr, Effect, Redacted, Schema } from "effect"
import { Postgres, type Tables } from "./database.ts"
import { BenchEngine, type Group, retentionDays } from "./engine.ts"
import type { Options } from "./options.ts"
import { type Environment, likeStart, node, plain, program } from "./processes.ts"
import { BenchFailed, timed } from "./progress.ts"
import { removeAll } from "./rawEngine.ts"

/** What one contender did with one group of containers. `seconds` is what its rate is made of. */
export interface Measured {
  readonly seconds: number
  readonly rate: number
  /** The process from its start to its end. */
  readonly wallSeconds?: number
  readonly cpuMs?: number
  readonly rssMb?: number
  /** The seed without its listing. */
  readonly secondsAfterListing?: number
  /** The rate of the second half, when most of our code is compiled. */
  readonly warmRate?: number
}

/** Rows that ended a moment ago: as stopped as the due ones, and not due for another minute. */
const notDue = (count: number) => ({ count, prefix: "kept-", lastOpAt: "now() - random() * interval '5 seconds'" })

const rated = ({ games }: Group, seconds: number) => ({ seconds, rate: games.length / seconds })

export const raw = (group: Group, options: { readonly concurrency: number; readonly inspect: boolean }) =>
  Effect.gen(function* () {
    const { address } = yield* BenchEngine
    const ids = group.games.map(({ containerId }) => containerId)
    const removed = yield* timed(
      Effect.tryPromise({
        try: (signal) => removeAll(address, ids, options, signal),
        catch: (error) => new BenchFailed({ message: String(error) })
      })
    )
    return rated(group, removed.seconds) satisfies Measured
  })

/** More ids than this are not one command line. */
const idsPerCommand = 20_000

export const dockerRm = Effect.fnUntraced(function* (group: Group) {
  const removed = yield* timed(
    Effect.gen(function* () {
      const { stdout } = yield* program("docker", ["ps", "-aq", "--filter", group.filter])
      for (const ids of Arr.chunksOf(stdout.split("\n").filter(Boolean), idsPerCommand)) {
        yield* program("docker", ["rm", ...ids])
      }
    })
  )
  return rated(group, removed.seconds) satisfies Measured
})

export const prune = Effect.fnUntraced(function* (group: Group) {
  const removed = yield* timed(program("docker", ["container", "prune", "-f", "--filter", group.filter]))
  return rated(group, removed.seconds) satisfies Measured
})

const Seeded = Schema.fromJsonString(
  Schema.Struct({ removed: Schema.Number, seconds: Schema.Number, secondsAfterListing: Schema.Number })
)

export const prepare = ({ fill }: Tables, { rows }: Options, group?: Group) => fill([notDue(rows)], group?.games)

export const seed = Effect.fnUntraced(function* ({ env }: Tables, group: Group) {
  const { url } = yield* Postgres
  const { address } = yield* BenchEngine
  const retentionMillis = Number(retentionDays) * 86_400_000
  const input = { url: Redacted.value(url), schema: env["RTMANAGER_DATABASE_SCHEMA"], address, retentionMillis }
  const run = yield* node(plain("bench/seedProcess.ts", JSON.stringify(input)), {})
  const { removed, seconds, secondsAfterListing } = Schema.decodeUnknownSync(Seeded)(run.stdout)
  if (removed !== group.games.length) return yield* new BenchFailed({ message: `the seed removed ${removed}` })
  const { wallSeconds, cpuMs, rssMb } = run
  return { ...rated(group, seconds), secondsAfterListing, wallSeconds, cpuMs, rssMb } satisfies Measured
})

/** The environment of `run` over the real engine. */
const environment = ({ env }: Tables, gameLabel: string, concurrency: number): Environment => ({
  ...env,
  RTMANAGER_CLEANUP_CONCURRENCY: String(concurrency),
  RTMANAGER_CONTAINER_RETENTION_DAYS: retentionDays,
  RTMANAGER_GAME_LABEL: gameLabel
})

const Ended = Schema.Struct({ seconds: Schema.Number, outcomes: Schema.Struct({ removed: Schema.Number }) })

/** A pass that must remove so many games and end well. The rate is the pass's own, without the start of the process. */
export const pass = Effect.fnUntraced(function* (file: "drain" | "run", env: Environment, games: number) {
  const args = file === "run" ? likeStart("src/main.ts", "run", "--json") : likeStart("bench/drainProcess.ts", "--json")
  const run = yield* node(args, env)
  const { wallSeconds, cpuMs, rssMb } = run
  if (games === 0) return { seconds: 0, rate: 0, wallSeconds, cpuMs, rssMb }
  const line = run.log.findLast(({ event }) => event === "cleanup.pass.success")
  const ended = Schema.decodeUnknownOption(Ended)(line)
  if (ended._tag === "None" || ended.value.outcomes.removed !== games)
    return yield* new BenchFailed({ message: `run was to remove ${games} games: ${run.stdout}` })
  const { seconds } = ended.value
  return { seconds, rate: games / seconds, wallSeconds, cpuMs, rssMb }
})

export const run = Effect.fnUntraced(function* (
  tables: Tables,
  concurrency: number,
  games: number,
  telemetry: Environment = {}
) {
  const { gameLabel } = yield* BenchEngine
  const measured = yield* pass("run", { ...environment(tables, gameLabel, concurrency), ...telemetry }, games)
  const [secondHalf] = yield* tables.sql<{ games: number; seconds: number }>`
    select count(*)::int as games, extract(epoch from max(finished_at) - min(finished_at))::float8 as seconds
    from (select finished_at, ntile(2) over (order by finished_at) as half from operation_log) as removed
    where half = 2`
  return { ...measured, ...(secondHalf && { warmRate: secondHalf.games / secondHalf.seconds }) } satisfies Measured
})
