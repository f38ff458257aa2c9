import type { Measured } from "./contenders.ts"
import type { Results } from "./results.ts"
import { shorter } from "./sections/drain.ts"
import type { Contender, EngineResult } from "./sections/engine.ts"
import { ratio, type Spread, spread } from "./stats.ts"

/** One line of the last table: what was wanted and what was measured. */
export interface Goal extends Spread {
  readonly name: string
  readonly unit: string
  readonly at: "least" | "most"
  readonly goal: number
  readonly met: boolean
}

const judged = (name: string, unit: string, at: Goal["at"], goal: number, figures: Spread): Goal => ({
  name,
  unit,
  at,
  goal,
  met: at === "least" ? figures.median >= goal : figures.median <= goal,
  ...figures
})

/** Two for each of 500 rows and two for its place in cleanup_backoff. More is index that was walked through in vain. */
const mostBlocks = 2000

const single = (value: number): Spread => spread([value])

export const figuresOf = ({ rounds }: EngineResult, name: Contender, figure: (measured: Measured) => number) =>
  rounds.map(({ measured }) => figure(measured[name]))

/** Own CPU a game, milliseconds: what a run with nothing due takes is not the games'. */
export const cpuPerGame = ({ rounds }: EngineResult, containers: number, name: "run" | "run +telemetry") =>
  rounds.map(({ measured, idleCpuMs }) => {
    const idle = name === "run" ? idleCpuMs.plain : idleCpuMs.telemetry
    return ((measured[name].cpuMs ?? Number.NaN) - idle) / containers
  })

const engineGoals = (engine: EngineResult, containers: number): ReadonlyArray<Goal> => {
  const rate = ({ rate }: Measured) => rate
  const ours = figuresOf(engine, "run", rate)
  const over = (name: Contender, figure = rate) => ratio(ours, figuresOf(engine, name, figure))
  const withoutListing = ({ secondsAfterListing = Number.NaN }: Measured) => containers / secondsAfterListing
  const cpu = (name: "run" | "run +telemetry") => spread(cpuPerGame(engine, containers, name))
  return [
    judged("rate / raw inspect + DELETE", "", "least", 0.95, over("inspect+delete")),
    judged("rate / raw DELETE alone", "", "least", 0.85, over("delete")),
    judged("rate / docker rm of all", "", "least", 0.8, over("docker rm")),
    judged("rate / docker container prune", "", "least", 1.2, over("docker container prune")),
    judged("rate / seed, listing included", "", "least", 3.5, over("seed")),
    judged("rate / seed, listing excluded", "", "least", 2.3, over("seed", withoutListing)),
    judged("own CPU a game, no telemetry", "ms", "most", 1.5, cpu("run")),
    judged("own CPU a game, telemetry", "ms", "most", 2.5, cpu("run +telemetry"))
  ]
}

const drainGoals = ({ plain, telemetry }: NonNullable<Results["drain"]>): ReadonlyArray<Goal> => {
  const flatFrom = shorter.at(-1)
  return [
    ...[
      { runs: plain, name: "no telemetry", goal: 1000 },
      { runs: telemetry, name: "telemetry", goal: 600 }
    ].flatMap(({ runs, name, goal }) => {
      const longest = runs.at(-1)
      const flat = runs.find(({ games }) => games === flatFrom)
      if (longest === undefined) return []
      return [
        judged(`drain of ${longest.games}, ${name}`, "games/s", "least", goal, single(longest.rate)),
        judged(`peak RSS of that, ${name}`, "MB", "most", 200, single(longest.rssMb)),
        ...(flat === undefined || flat === longest
          ? []
          : [judged(`that RSS / the RSS at ${flatFrom}`, "", "most", 1.1, single(longest.rssMb / flat.rssMb))])
      ]
    })
  ]
}

/** Every goal that these results can be held against. */
export const goalsOf = (results: Results, { containers }: { readonly containers: number }): ReadonlyArray<Goal> => [
  ...(results.engine === undefined ? [] : engineGoals(results.engine, containers)),
  ...(results.listing ?? []).flatMap(({ name, millis, rows, rowsTouched, buffers }) => [
    judged(`listing, ${name}`, "ms", "most", 30, spread(millis)),
    judged("  rows touched", "rows", "most", rows, single(rowsTouched)),
    judged("  blocks read", "blocks", "most", mostBlocks, single(buffers))
  ]),
  ...(results.drain === undefined ? [] : drainGoals(results.drain)),
  ...(results.idle === undefined
    ? []
    : [
        judged("idle pass, in-memory engine", "ms", "most", 10, spread(results.idle.memory.millis)),
        judged("idle pass, real engine", "ms", "most", 10, spread(results.idle.docker.millis)),
        judged("idle pass", "statements", "most", 5, single(results.idle.memory.statements))
      ]),
  ...(results.ready === undefined ? [] : [judged("serve to ready", "ms", "most", 1000, spread(results.ready))])
]
