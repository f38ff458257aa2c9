import { assert, it } from "@effect/vitest"
import { Effect, Layer, Random } from "effect"
import { describeOwnEngine } from "../support/otherEngine.ts"
import { postgresServer } from "../support/postgres.ts"
import { engineRound } from "./engineFaults.ts"
import * as OwnEngine from "./OwnEngine.ts"
import { makeWorld } from "./World.ts"

describeOwnEngine("an engine that fails in the middle of removals", undefined, () => {
  it.layer(Layer.merge(postgresServer(), OwnEngine.layer()), { excludeTestServices: true })((it) => {
    it.effect.each(["SIGKILL", "SIGSTOP"] as const)(
      "event 14: after %s the next pass finishes what was half done",
      (fault) =>
        Effect.gen(function* () {
          const world = yield* makeWorld([])
          const { problems } = yield* engineRound(world, fault)
          assert.deepStrictEqual(problems, [])
        }).pipe(Random.withSeed(fault))
    )
  })
})
