import { Effect, Random } from "effect"
import type { Gate } from "../support/Gate.ts"
import { stepOf } from "./failpoints.ts"
import { OwnEngine } from "./OwnEngine.ts"
import { recover } from "./recover.ts"
import { type Round, someConcurrency } from "./rounds.ts"
import { violations } from "./violations.ts"
import { add, passTime, short, startReplica, type World } from "./World.ts"

/** Longer than the engine timeout: the service has given up before the engine goes on. */
const frozenFor = "2500 millis"

/** What an engine that fails in the middle of things makes of healthy games. */
const excuses = ["outcome_unknown", "engine_error", "engine_unavailable"]

const wait = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

/** In the middle of removals the engine is killed with -9 and started again, or frozen for longer than anyone waits. */
export const engineRound = Effect.fnUntraced(function* (world: World, fault: "SIGKILL" | "SIGSTOP") {
  const engine = yield* OwnEngine
  for (const excuse of excuses) world.excused.add(excuse)
  yield* add(world, ["created", "created", "created", "created", "created", "created"])
  const env = { ...(yield* someConcurrency), ...short }
  const occurrence = yield* Random.nextIntBetween(1, 5)
  const millis = yield* Random.nextBetween(0, 15)

  const struck = Promise.withResolvers<void>()
  let removals = 0
  const gate: Gate = (passage) => {
    if (stepOf(passage) === "remove" && passage.side === "before" && ++removals === occurrence) {
      void wait(millis).then(() => {
        engine.signal(fault)
        struck.resolve()
      })
    }
    return "pass"
  }
  const replica = yield* startReplica(world, ["run"], { gate, env })
  const mended = Effect.gen(function* () {
    if (fault === "SIGKILL") return yield* engine.restart
    yield* Effect.sleep(frozenFor)
    engine.signal("SIGCONT")
  })
  yield* Effect.raceFirst(
    Effect.promise(() => struck.promise),
    replica.process.ended
  )
  const happened = { "engine killed": 0, "engine frozen": 0, "container left dead": 0 }
  if (removals >= occurrence) {
    yield* Effect.all([mended, replica.quiet], { concurrency: 2 })
    happened[fault === "SIGKILL" ? "engine killed" : "engine frozen"]++
  }
  const found = yield* violations(world, { recovered: false })
  happened["container left dead"] = (yield* world.parts.engine.left).filter(({ state }) => state === "dead").length
  yield* passTime(world)
  const problems = [...found, ...(yield* recover(world, env))]
  return {
    happened,
    problems: problems.map(
      (problem) => `${fault} of the engine ${millis.toFixed(1)} ms into removal ${occurrence}: ${problem}`
    )
  } satisfies Round
})
