import { Option } from "effect"
import { Flag } from "effect/cli"

export const sections = ["curve", "engine", "listing", "drain", "idle", "ready"] as const
export type Section = (typeof sections)[number]

const isSection = (name: string): name is Section => sections.some((section) => section === name)

const count = (name: string, normal: number, description: string) =>
  Flag.Int(name).pipe(
    Flag.withDescription(description),
    Flag.withDefault(normal),
    Flag.filter(
      (value) => value > 0,
      () => `--${name} must be above 0`
    )
  )

export const flags = {
  rounds: count("rounds", 3, "Rounds of every contender over the real engine"),
  containers: count("containers", 1000, "Exited containers of each contender in each round"),
  rows: count("rows", 500_000, "Stopped rows that are not due, beside those that are"),
  backlog: count("backlog", 500_000, "Due rows of the longest drain on the in-memory engine"),
  concurrency: count("concurrency", 32, "The service's ceiling of games at once"),
  only: Flag.String("only").pipe(
    Flag.withDescription(`A comma list of sections: ${sections.join(", ")}`),
    Flag.withDefault(sections.join()),
    Flag.filterMap(
      (list) => Option.liftPredicate(list.split(","), (names) => names.every(isSection)),
      (list) => `--only ${list}: the sections are ${sections.join(", ")}`
    )
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Keep the result, and draw its charts, under bench/results/"),
    Flag.withDefault(false)
  )
}

export interface Options {
  readonly rounds: number
  readonly containers: number
  readonly rows: number
  readonly backlog: number
  readonly concurrency: number
  readonly only: ReadonlyArray<string>
  readonly json: boolean
}
