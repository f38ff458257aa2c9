import { Effect } from "effect"
import * as Contenders from "../contenders.ts"
import { tables as makeTables } from "../database.ts"
import { BenchEngine } from "../engine.ts"
import type { Options } from "../options.ts"
import { settled } from "../processes.ts"
import { round, say } from "../progress.ts"

const ceilings = [1, 2, 4, 8, 16, 32, 64]

/** Rates, in games a second. */
export interface Point {
  readonly concurrency: number
  readonly inspectDelete: number
  readonly delete: number
  readonly run: number
}

/** Rate against concurrency, once each. */
export const curve = Effect.fnUntraced(function* (options: Options) {
  const { groups, oldEnough } = yield* BenchEngine
  const tables = yield* makeTables("bench_curve")
  const size = Math.min(250, options.containers)
  yield* say("curve: rate against concurrency")
  const made = yield* groups(3 * ceilings.length, size)
  yield* oldEnough
  const next = made.values()
  const raw = Effect.fnUntraced(function* (inspect: boolean, concurrency: number) {
    const { value: group } = next.next()
    if (group === undefined) return Number.NaN
    return (yield* Effect.andThen(settled, Contenders.raw(group, { inspect, concurrency }))).rate
  })
  const points: Array<Point> = []
  for (const concurrency of ceilings) {
    const inspectDelete = yield* raw(true, concurrency)
    const bare = yield* raw(false, concurrency)
    const { value: group } = next.next()
    if (group === undefined) break
    yield* Effect.andThen(Contenders.prepare(tables, options, group), settled)
    const run = yield* Contenders.run(tables, concurrency, size)
    points.push({ concurrency, inspectDelete, delete: bare, run: run.rate })
    const text = `inspect+delete ${round(inspectDelete)}/s, delete ${round(bare)}/s, run ${round(run.rate)}/s`
    yield* say(`  at ${concurrency}: ${text}`)
  }
  return points
}, Effect.scoped)
