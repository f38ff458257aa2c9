import { Duration, Effect } from "effect"
import { game, type World } from "../support/e2e.ts"
import type { Process } from "../support/service.ts"
import { first } from "./Backends.ts"
import { demand, eventually } from "./demand.ts"
import { firing } from "./metrics.ts"
import type { Stack } from "./Stack.ts"
import { gamesOf } from "./traces.ts"

const removedTotal = 'sum(rtmanager_cleanup_games_total{outcome="removed"})'

const cleaned = (world: World, gameIds: ReadonlyArray<string>) =>
  eventually(
    `the removal of ${gameIds}`,
    Effect.forEach(gameIds, (gameId) => world.store.record(gameId)),
    (records) => records.every((record) => record?.status === "removed")
  )

const putGames = (world: World, name: string) => {
  const gameIds = [1, 2, 3].map((count) => `${name}-${count}`)
  return Effect.as(
    Effect.forEach(gameIds, (gameId) => game(world, gameId, "exited")),
    gameIds
  )
}

const arrived = ({ traces, metrics }: Stack, gameIds: ReadonlyArray<string>, removed: number) =>
  Effect.andThen(
    eventually(`spans of ${gameIds}`, traces.spans("rtmanager.cleanup.game"), (spans) => {
      const seen = gamesOf(spans).map(({ attributes }) => attributes["rtmanager.game.id"])
      return gameIds.every((gameId) => seen.includes(gameId))
    }),
    eventually(`${removed} removals in Prometheus`, metrics.query(removedTotal), (samples) => first(samples) >= removed)
  )

/** The collector is away while games are cleaned: what it missed arrives when it is back. */
export const collectorAway = Effect.fnUntraced(function* (stack: Stack, world: World) {
  const before = first(yield* stack.metrics.query(removedTotal))
  yield* stack.collector.stop("SIGTERM")
  const gameIds = yield* putGames(world, "collector-away")
  yield* cleaned(world, gameIds)
  yield* Effect.sleep("10 seconds")
  yield* stack.collector.start
  yield* arrived(stack, gameIds, before + gameIds.length)
  return [`without a collector ${gameIds.length} games were removed; their spans and counts arrived after it was back`]
})

/** Jaeger and Prometheus are away, and the collector is killed meanwhile: its queue is on disk. */
export const backendsAway = Effect.fnUntraced(function* (stack: Stack, world: World) {
  const before = first(yield* stack.metrics.query(removedTotal))
  yield* stack.jaeger.stop("SIGTERM")
  yield* stack.prometheus.stop("SIGTERM")
  const gameIds = yield* putGames(world, "backends-away")
  yield* cleaned(world, gameIds)
  const meanwhile = Date.now()
  // By then what the service had to say is in the queues.
  yield* Effect.sleep("5 seconds")
  const waiting = (yield* stack.ownMetrics)
    .split("\n")
    .filter((line) => /^otelcol_exporter_queue_size\{.*\} [1-9]/.test(line)).length
  yield* demand(waiting === 2, `${waiting} queues hold something`)
  yield* stack.collector.stop("SIGKILL")
  yield* stack.jaeger.start
  yield* stack.prometheus.start
  yield* stack.collector.start
  yield* arrived(stack, gameIds, before + gameIds.length)
  const then = stack.metrics.query("sum(count_over_time(rtmanager_cleanup_in_flight[5s]))", meanwhile)
  const samples = first(yield* eventually("samples of the time without Prometheus", then, (found) => first(found) > 0))
  return [
    `without Jaeger and Prometheus, and the collector killed: the same for ${gameIds.length} games, ` +
      `and ${samples} samples of a gauge from five seconds of that time`
  ]
})

/** Prometheus refuses a sample of 1970: the loss is counted, and its alert, silent until then, fires. */
export const lossIsNoticed = Effect.fnUntraced(function* ({ metrics, sendGauge }: Stack) {
  const fires = metrics.query(firing("TelemetryDropped"))
  yield* eventually("TelemetryDropped silent beforehand", fires, (samples) => samples.length === 0)
  yield* sendGauge("too_old", { asInt: 1, timeUnixNano: "1000000000" })
  const [alert] = yield* eventually("the alert of a loss", fires, (samples) => samples.length > 0)
  yield* eventually("the alert of a loss to end", fires, (samples) => samples.length === 0)
  return [`TelemetryDropped fires for a sample of 1970, refused at ${alert?.labels["exporter"]}, and ends`]
})

/** The collector is gone for good: the service says so once a minute at most, and still ends in time. */
export const collectorGone = Effect.fnUntraced(function* (stack: Stack, service: Process) {
  yield* stack.collector.stop("SIGTERM")
  const stopped = Date.now()
  yield* Effect.sleep("130 seconds")
  yield* service.signal("SIGTERM")
  const [took, { code, log }] = yield* Effect.timed(service.ended)
  yield* demand(code === 0, `the service ended with ${code}`)
  const seconds = Duration.toSeconds(took)
  yield* demand(seconds < 10, `the service took ${seconds} s to end`)
  const times = log
    .filter(({ event }) => event === "telemetry.problem")
    .map(({ timestamp }) => Date.parse(String(timestamp)))
  const since = times.filter((time) => time >= stopped).length
  yield* demand(since >= 2, `${since} warnings in more than two minutes`)
  const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0))
  // A timestamp is not the instant of the decision.
  yield* demand(
    gaps.every((gap) => gap > 59_900),
    `warnings after ${gaps} ms`
  )
  return [
    `without a collector for 130 s: ${since} warnings, each more than a minute after the one before, and exit 0 in ${seconds.toFixed(1)} s`
  ]
})
