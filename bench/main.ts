import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect, Option } from "effect"
import { Command } from "effect/cli"
import { Postgres, tables } from "./database.ts"
import { BenchEngine } from "./engine.ts"
import { goalsOf } from "./goals.ts"
import { keep, surroundings } from "./keep.ts"
import { flags, type Options, type Section } from "./options.ts"
import { BenchFailed, say } from "./progress.ts"
import { toText } from "./report.ts"
import type { Results } from "./results.ts"
import { curve } from "./sections/curve.ts"
import { drain } from "./sections/drain.ts"
import { calibrate, engine } from "./sections/engine.ts"
import { idle } from "./sections/idle.ts"
import { listing } from "./sections/listing.ts"
import { ready } from "./sections/ready.ts"

/** The machine, as far as it answers. */
const around = Effect.gen(function* () {
  const { sql } = yield* tables("bench_around")
  const engine = yield* Effect.flatMap(BenchEngine, ({ version }) => version).pipe(
    Effect.provide(BenchEngine.layer),
    Effect.option
  )
  return yield* surroundings(sql, Option.getOrUndefined(engine)?.Version)
}).pipe(Effect.scoped)

/** A section that fails does not cost the figures of the others. */
const measure = Effect.fnUntraced(function* (options: Options) {
  const failed: Array<Section> = []
  const section = <A, E, R>(name: Section, effect: Effect.Effect<A, E, R>) =>
    effect.pipe(
      Effect.catchCause((cause) => {
        if (Cause.hasInterrupts(cause)) return Effect.failCause(cause)
        failed.push(name)
        return Effect.as(say(`${name} failed: ${Cause.pretty(cause)}`), undefined)
      }),
      Effect.when(Effect.sync(() => options.only.includes(name))),
      Effect.map(Option.getOrUndefined)
    )
  const sideBySide = Effect.flatMap(calibrate(options), (best) => engine(options, best))
  const results: Results = {
    curve: yield* section("curve", Effect.provide(curve(options), BenchEngine.layer)),
    engine: yield* section("engine", Effect.provide(sideBySide, BenchEngine.layer)),
    listing: yield* section("listing", listing(options)),
    drain: yield* section("drain", drain(options)),
    idle: yield* section("idle", Effect.provide(idle(options), BenchEngine.layer)),
    ready: yield* section("ready", Effect.provide(ready, BenchEngine.layer))
  }
  return { results, failed }
})

const bench = Command.make(
  "bench",
  flags,
  Effect.fnUntraced(function* (options) {
    const started = new Date()
    const where = yield* around
    const { results, failed } = yield* measure(options)
    const goals = goalsOf(results, options)
    yield* Console.log(
      Object.entries(where)
        .map(([name, value]) => `${name} ${value ?? "none"}`)
        .join(", ")
    )
    yield* Console.log(`\n${toText(results, goals, options)}`)
    if (options.json) {
      yield* say(`kept as bench/results/${yield* keep({ started, surroundings: where, options, goals, results })}`)
    }
    if (failed.length > 0) return yield* new BenchFailed({ message: `without figures: ${failed.join(", ")}` })
  }, Effect.provide(Postgres.layer))
).pipe(Command.withDescription("How fast it is, beside what else removes containers, on a quiet machine"))

Command.run(bench, { version: "1" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
