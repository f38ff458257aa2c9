import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Layer, Random } from "effect"
import { describeEngine } from "../support/docker.ts"
import { layerEngine } from "../support/e2e.ts"
import { postgresServer } from "../support/postgres.ts"
import { stepOf } from "./failpoints.ts"
import { holdRound } from "./holdRaces.ts"
import { killAt } from "./kills.ts"
import { recover } from "./recover.ts"
import { add, become, deliverLate, expireLeases, makeWorld, startReplica } from "./World.ts"

describeEngine("holds, over real PostgreSQL and a real engine", () => {
  it.layer(Layer.merge(postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
    it.effect(
      "asked for while a pass is at their games are kept if they were answered, and else told what removed it",
      () =>
        Effect.gen(function* () {
          const world = yield* makeWorld([])
          const { happened, problems } = yield* holdRound(world, 12)
          assert.deepStrictEqual(problems, [])
          assert.isAbove(happened["hold race: held"], 0)
          assert.isAbove(happened["hold race: too late"], 0)
          assert.strictEqual(happened["hold race: held"] + happened["hold race: too late"], 13)
          assert.deepStrictEqual(yield* recover(world), [])
        }).pipe(Random.withSeed("twelve games"))
    )

    it.effect.each([
      ["never arrives", "before", 0, "held"],
      ["arrives late", "late", 4, "created"]
    ] as const)("event 46: wait for the lease of a service that was killed, whose removal %s", ([, when, code, end]) =>
      Effect.gen(function* () {
        const world = yield* makeWorld(["running"])
        const [game] = yield* add(world, ["contested"])
        const gameId = game?.gameId ?? ""
        assert.isTrue(yield* killAt(world, { failpoint: { when, step: "remove" }, occurrence: 1 }, { env: {} }))
        const dead = world.late.splice(0)
        const waits = yield* Latch.make()
        let looks = 0
        const person = yield* startReplica(world, ["hold", gameId, "--reason", "a complaint"], {
          gate: (passage) => {
            if (passage.side === "after" && stepOf(passage) === "acquire" && ++looks === 2) waits.openUnsafe()
            return "pass"
          }
        })
        const ended = yield* Effect.forkScoped(person.process.ended)
        yield* waits.await
        yield* deliverLate(world, dead)
        assert.isUndefined(ended.pollUnsafe())
        yield* expireLeases(world)
        assert.strictEqual((yield* Fiber.join(ended)).code, code)
        become(world, gameId, end)
        assert.deepStrictEqual(yield* recover(world), [])
      })
    )
  })
})
