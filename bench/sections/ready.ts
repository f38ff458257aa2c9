import { createServer } from "node:net"
import { Effect, Schedule } from "effect"
import { tables as makeTables } from "../database.ts"
import { BenchEngine } from "../engine.ts"
import { type Environment, likeStart, start } from "../processes.ts"
import { BenchFailed, round, say, timed } from "../progress.ts"
import { median } from "../stats.ts"

const repeats = 5

const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" ? (address?.port ?? 0) : 0)))
  })
})

const untilReady = (port: number) =>
  Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal })
      await response.arrayBuffer()
      if (response.status !== 200) throw new Error(`/readyz: ${response.status}`)
    },
    catch: (error) => new BenchFailed({ message: `serve is not ready: ${String(error)}` })
  }).pipe(Effect.retry({ schedule: Schedule.spaced("5 millis"), times: 6000 }))

const serve = Effect.fnUntraced(function* (env: Environment) {
  const port = yield* freePort
  const ready = yield* timed(
    Effect.gen(function* () {
      const address = { RTMANAGER_HTTP_ADDR: `127.0.0.1:${port}` }
      yield* start(...likeStart("src/main.ts", "serve"), { ...env, ...address })
      yield* untilReady(port)
    })
  )
  return ready.seconds * 1000
}, Effect.scoped)

/** From the start of `serve` to the first 200 of `/readyz`, with database and engine there: milliseconds. */
export const ready = Effect.gen(function* () {
  yield* BenchEngine
  const { env } = yield* makeTables("bench_ready")
  yield* say("ready: serve to its first 200 of /readyz")
  const millis = yield* Effect.forEach(Array.from({ length: repeats }), () => serve(env))
  yield* say(`  ${round(median(millis))} ms`)
  return millis
}).pipe(Effect.scoped)
