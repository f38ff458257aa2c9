import { cpuPerGame, figuresOf, type Goal } from "./goals.ts"
import type { Options } from "./options.ts"
import type { Results } from "./results.ts"
import { contenders, type EngineResult } from "./sections/engine.ts"
import { spread } from "./stats.ts"

/** Three digits that matter. */
const figure = (value: number | undefined): string => {
  if (value === undefined || Number.isNaN(value)) return "-"
  if (Math.abs(value) >= 100) return String(Math.round(value))
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** Columns as wide as they must be; the first is for words, the others for figures. */
const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const cell = (text: string, column: number) =>
    column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0)
  return rows.map((row) => row.map(cell).join("  ").trimEnd()).join("\n")
}

const range = ({ q1, q3 }: { readonly q1: number; readonly q3: number }) => `${figure(q1)} to ${figure(q3)}`

const engineTable = (engine: EngineResult, { containers, concurrency }: Options): string => {
  const settings: Partial<Record<string, string>> = {
    "inspect+delete": ` at ${engine.best.inspectDelete}`,
    delete: ` at ${engine.best.delete}`,
    run: ` at most ${concurrency}`,
    "run +telemetry": ` at most ${concurrency}`
  }
  const rows = contenders.map((name) => {
    const of = (get: Parameters<typeof figuresOf>[2]) => spread(figuresOf(engine, name, get))
    const rate = of(({ rate }) => rate)
    const cpu = of(({ cpuMs = Number.NaN }) => cpuMs / containers).median
    const own =
      name === "run" || name === "run +telemetry" ? spread(cpuPerGame(engine, containers, name)).median : undefined
    const warm = of(({ warmRate = Number.NaN }) => warmRate).median
    const wall = of(({ wallSeconds = Number.NaN }) => wallSeconds).median
    const rss = of(({ rssMb = Number.NaN }) => rssMb).median
    return [
      `${name}${settings[name] ?? ""}`,
      ...[figure(rate.median), range(rate), figure(warm), figure(wall), figure(cpu), figure(own), figure(rss)]
    ]
  })
  const head = [
    "removed a second",
    "median",
    "quartiles",
    "second half",
    "wall s",
    "CPU ms/game",
    "without start",
    "RSS MB"
  ]
  return table([head, ...rows])
}

const drainTable = ({ plain, telemetry }: NonNullable<Results["drain"]>): string => {
  const rows = [
    ...plain.map((run) => ({ name: "", ...run })),
    ...telemetry.map((run) => ({ name: ", telemetry", ...run }))
  ].map(({ games, name, rate, rssMb, plainCpuMsPerGame, cpuMsPerGame }) => [
    `${games} due${name}`,
    ...[rate, plainCpuMsPerGame, cpuMsPerGame, rssMb].map(figure)
  ])
  return table([["drained, in-memory engine", "games/s", "CPU ms/game", "without start", "RSS MB"], ...rows])
}

const listingTable = (pages: NonNullable<Results["listing"]>): string =>
  table([
    ["listing of a page", "ms", "rows", "rows touched", "buffers", "index"],
    ...pages.map(({ name, median, rows, rowsTouched, buffers, indexes }) => [
      name,
      ...[figure(median), String(rows), String(rowsTouched), String(buffers), indexes.join(" ")]
    ])
  ])

const curveTable = (points: NonNullable<Results["curve"]>): string =>
  table([
    ["at once", "inspect+delete", "delete", "run"],
    ...points.map((point) => [String(point.concurrency), ...[point.inspectDelete, point.delete, point.run].map(figure)])
  ])

const goalTable = (goals: ReadonlyArray<Goal>): string =>
  table([
    ["goal", "median", "quartiles", "wanted", "met"],
    ...goals.map((goal) => [
      goal.name,
      `${figure(goal.median)} ${goal.unit}`.trimEnd(),
      goal.q1 === goal.q3 ? "" : range(goal),
      `${goal.at === "least" ? ">=" : "<="} ${goal.goal}`,
      goal.met ? "yes" : "NO"
    ])
  ])

/** The plain figures, then every goal with what was measured. */
export const toText = (results: Results, goals: ReadonlyArray<Goal>, options: Options): string =>
  [
    results.curve && curveTable(results.curve),
    results.engine && engineTable(results.engine, options),
    results.listing && listingTable(results.listing),
    results.drain && drainTable(results.drain),
    goalTable(goals)
  ]
    .filter((text) => text !== undefined)
    .join("\n\n")
