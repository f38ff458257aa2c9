import { Array as Arr, Effect, Order } from "effect"
import * as Contenders from "../contenders.ts"
import { tables as makeTables } from "../database.ts"
import { BenchEngine, type Group } from "../engine.ts"
import type { Options } from "../options.ts"
import { settled } from "../processes.ts"
import { round, say } from "../progress.ts"
import { sink } from "../sink.ts"
import { median } from "../stats.ts"

export const contenders = [
  "inspect+delete",
  "delete",
  "docker rm",
  "docker container prune",
  "seed",
  "run",
  "run +telemetry"
] as const
export type Contender = (typeof contenders)[number]

/** The engine's best concurrency for each of the raw contenders. */
export interface Best {
  readonly inspectDelete: number
  readonly delete: number
}

export interface EngineRound {
  readonly measured: Readonly<Record<Contender, Contenders.Measured>>
  /** Milliseconds of our own CPU in a `run` with nothing due. */
  readonly idleCpuMs: { readonly plain: number; readonly telemetry: number }
}

const calibrated = [8, 16, 32]

/** The best of a few, each by the median of three. */
export const calibrate = Effect.fnUntraced(function* ({ containers }: Options) {
  const engine = yield* BenchEngine
  const best = Effect.fnUntraced(function* (inspect: boolean) {
    const rates = yield* Effect.forEach(
      calibrated,
      Effect.fnUntraced(function* (concurrency) {
        const groups = yield* engine.groups(3, Math.min(150, containers))
        const rounds = yield* Effect.forEach(groups, (group) =>
          Effect.andThen(settled, Contenders.raw(group, { concurrency, inspect }))
        )
        const rate = median(rounds.map(({ rate }) => rate))
        yield* say(`  ${inspect ? "inspect+delete" : "delete"} at ${concurrency}: ${round(rate)}/s`)
        return { concurrency, rate }
      })
    )
    return Arr.max(rates as Arr.NonEmptyArray<(typeof rates)[number]>, byRate).concurrency
  })
  return { inspectDelete: yield* best(true), delete: yield* best(false) } satisfies Best
})

const byRate = Order.mapInput(Order.Number, ({ rate }: { readonly rate: number }) => rate)

/** All contenders side by side, each over containers of its own, in an order that turns from round to round. */
export const engine = Effect.fnUntraced(function* (options: Options, best: Best) {
  const { groups, oldEnough, mustBeGone } = yield* BenchEngine
  const tables = yield* makeTables("bench_engine")
  const collector = yield* sink
  const { concurrency, containers: games } = options

  const prepared = (group?: Group) => Effect.andThen(Contenders.prepare(tables, options, group), settled)
  const plain = (group: Group, inspect: boolean, concurrency: number) =>
    Effect.andThen(settled, Contenders.raw(group, { inspect, concurrency }))
  const run = (group: Group | undefined, telemetry = {}) =>
    Effect.andThen(prepared(group), Contenders.run(tables, concurrency, group?.games.length ?? 0, telemetry))

  const measures = {
    "inspect+delete": (group: Group) => plain(group, true, best.inspectDelete),
    delete: (group: Group) => plain(group, false, best.delete),
    "docker rm": (group: Group) => Effect.andThen(settled, Contenders.dockerRm(group)),
    "docker container prune": (group: Group) => Effect.andThen(settled, Contenders.prune(group)),
    seed: (group: Group) => Effect.andThen(prepared(group), Contenders.seed(tables, group)),
    run: (group: Group) => run(group),
    "run +telemetry": (group: Group) => run(group, collector.env)
  }

  const oneRound = Effect.fnUntraced(function* (index: number) {
    yield* say(`engine: round ${index + 1} of ${options.rounds}`)
    const made = yield* groups(contenders.length, games)
    yield* oldEnough
    const measured: Partial<Record<Contender, Contenders.Measured>> = {}
    const order = Arr.rotate(contenders, index)
    for (const [place, name] of order.entries()) {
      const group = made[place]
      if (group === undefined) continue
      const figures: Contenders.Measured = yield* measures[name](group)
      yield* mustBeGone(group)
      yield* say(`  ${name}: ${round(figures.rate)}/s`)
      measured[name] = figures
    }
    const idle = yield* run(undefined)
    const idleTelemetry = yield* run(undefined, collector.env)
    yield* say(`  run with nothing due: ${round(idle.cpuMs)} ms CPU, ${round(idleTelemetry.cpuMs)} ms with telemetry`)
    return {
      measured: measured as Record<Contender, Contenders.Measured>,
      idleCpuMs: { plain: idle.cpuMs, telemetry: idleTelemetry.cpuMs }
    } satisfies EngineRound
  })
  const rounds = yield* Effect.forEach(Array.from({ length: options.rounds }).keys(), oneRound)
  const received = yield* collector.received
  return { best, rounds, received }
}, Effect.scoped)

export type EngineResult = Effect.Success<ReturnType<typeof engine>>
