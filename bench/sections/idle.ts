import { Effect, Redacted, Schema } from "effect"
import { makePostgresProxy } from "../../test/support/PostgresProxy.ts"
import { tables as makeTables, Postgres } from "../database.ts"
import { BenchEngine } from "../engine.ts"
import type { Options } from "../options.ts"
import { type Environment, likeStart, node } from "../processes.ts"
import { BenchFailed, round, say } from "../progress.ts"
import { median } from "../stats.ts"

const passes = 20

const Passes = Schema.fromJsonString(
  Schema.Array(Schema.Struct({ millis: Schema.Number, result: Schema.String, listed: Schema.Number }))
)

const run = Effect.fnUntraced(function* (count: number, engine: "memory" | "docker", env: Environment) {
  const { stdout } = yield* node(likeStart("bench/idleProcess.ts", String(count), engine), env)
  const done = Schema.decodeUnknownSync(Passes)(stdout)
  if (done.some(({ result, listed }) => result !== "success" || listed > 0))
    return yield* new BenchFailed({ message: `not idle: ${stdout}` })
  return done.map(({ millis }) => millis)
})

/** A pass with nothing due: with the in-memory engine what is ours, with the real one what an operator sees. */
export const idle = Effect.fnUntraced(function* ({ rows }: Options) {
  const { url } = yield* Postgres
  yield* say("idle: a pass with nothing due")
  const measure = Effect.fnUntraced(function* (engine: "memory" | "docker") {
    const { env, fill } = yield* makeTables(`bench_idle_${engine}`)
    yield* fill([
      { count: rows, prefix: "kept-", lastOpAt: "now() - random() * interval '29 days'" },
      { count: rows, status: "running", prefix: "running-", lastOpAt: "now() - random() * interval '60 days'" }
    ])
    let statements = 0
    const proxy = yield* makePostgresProxy(url, ({ side }) => {
      if (side === "before") statements++
      return "pass"
    })
    const proxied = { ...env, RTMANAGER_DATABASE_URL: Redacted.value(proxy.url) }
    const counted = Effect.fnUntraced(function* (count: number) {
      const before = statements
      yield* run(count, engine, proxied)
      return statements - before
    })
    // The first pass of a process, and of a database, asks more than those after it.
    const first = yield* counted(1)
    const more = yield* counted(1 + passes)
    const again = yield* counted(1)
    const millis = (yield* run(1 + passes, engine, env)).slice(1)
    const figures = { engine, millis, median: median(millis), statements: (more - again) / passes, first }
    yield* say(`  ${engine} engine: ${round(figures.median, 2)} ms, ${figures.statements} statements`)
    return figures
  }, Effect.scoped)
  const memory = yield* measure("memory")
  yield* BenchEngine
  return { memory, docker: yield* measure("docker") }
})

export type IdleResult = Effect.Success<ReturnType<typeof idle>>
