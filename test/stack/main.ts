import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Clock, Console, Effect, Layer, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { game, layerEngine, world } from "../support/e2e.ts"
import { layerServer } from "../support/postgres.ts"
import { command, start } from "../support/service.ts"
import { everyAlert } from "./alerts.ts"
import { demand } from "./demand.ts"
import * as metrics from "./metrics.ts"
import * as outages from "./outages.ts"
import { draw } from "./picture.ts"
import { findPrograms } from "./programs.ts"
import { makeStack } from "./Stack.ts"
import * as traces from "./traces.ts"

const say = (title: string, seen: ReadonlyArray<string>) =>
  Console.log(`\n${[title, ...seen.map((line) => `  ${line}`)].join("\n")}`)

const e2e = Command.make(
  "e2e:observability",
  {
    games: Flag.Int("games").pipe(Flag.withDescription("Games of the large pass"), Flag.withDefault(5000)),
    picture: Flag.String("picture").pipe(
      Flag.withDescription("Draw the dashboard's panels from Prometheus' data into this PNG; needs chromium"),
      Flag.optional
    ),
    keep: Flag.Boolean("keep").pipe(
      Flag.withDescription("Leave everything running at the end, until it is interrupted"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ games, keep, picture }) {
    const from = yield* Clock.currentTimeMillis
    const programs = yield* findPrograms
    yield* say(
      "programs",
      Object.entries({ ...programs, node: { version: process.version } }).map(
        ([name, { version }]) => `${name} ${version}`
      )
    )
    const stack = yield* makeStack(programs, "rtmanager.containercleanup")
    yield* Effect.all([stack.jaeger.start, stack.prometheus.start, stack.collector.start])
    yield* say("before there is a service", yield* metrics.nothingIsSaid(stack))
    const here = yield* world()
    const env = {
      ...here.env,
      RTMANAGER_CLEANUP_INTERVAL: "2s",
      OTEL_EXPORTER_OTLP_ENDPOINT: stack.otlp,
      OTEL_METRIC_EXPORT_INTERVAL: "1000"
    }
    yield* game(here, "ended", "exited")
    const running = yield* game(here, "running", "running")
    const gone = yield* game(here, "gone", "exited")
    yield* Effect.promise(() => here.engine.docker.getContainer(gone).remove())
    const service = yield* start(["serve"], env)
    yield* say("a pass over three games, as Jaeger has it", yield* traces.passInJaeger(stack))
    yield* say("the first pass in Prometheus", yield* metrics.firstPassCounts(stack))
    yield* say("exemplars", yield* metrics.exemplarsLeadToTraces(stack))
    yield* say("the collector away", yield* outages.collectorAway(stack, here))
    yield* say("Jaeger and Prometheus away", yield* outages.backendsAway(stack, here))
    yield* say("a loss", yield* outages.lossIsNoticed(stack))
    yield* say("Prometheus", yield* metrics.dataInPrometheus(stack))
    yield* say("every alert", yield* everyAlert(stack))
    yield* say("the collector gone", yield* outages.collectorGone(stack, service))
    yield* stack.collector.start
    const many = Array.from({ length: games }, (_, i) => `large-${i}`)
    yield* Effect.forEach(many, (gameId) => game(here, gameId, "created"), { concurrency: 8, discard: true })
    // Its next attempt may be due by now.
    yield* Effect.promise(() => here.engine.docker.getContainer(running).remove({ force: true }))
    const { code, log } = yield* command(["run"], env)
    const failures = log.filter(({ event }) => event === "cleanup.game.failed").map((line) => JSON.stringify(line))
    yield* demand(code === 0, [`the large pass ended with ${code}`, ...failures.slice(0, 5)].join("\n"))
    yield* say("a large pass", yield* traces.largePassInJaeger(stack, games))
    if (Option.isSome(picture)) {
      const to = yield* Clock.currentTimeMillis
      yield* say("a picture", yield* draw(stack, picture.value, from / 1000, to / 1000))
    }
    yield* Console.log(`\nall of it passed`)
    if (keep) yield* Effect.andThen(Console.log(`Jaeger is at ${stack.page}`), Effect.never)
  }, Effect.scoped)
).pipe(Command.withDescription("The real service with a real collector, Jaeger and Prometheus, over a real engine"))

Command.run(e2e, { version: "1" }).pipe(
  Effect.provide(Layer.mergeAll(Layer.provideMerge(layerEngine, layerServer), NodeServices.layer)),
  NodeRuntime.runMain
)
