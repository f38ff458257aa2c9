import { assert, it } from "@effect/vitest"
import { Array as Arr, Effect, Layer, Random } from "effect"
import { describeEngine } from "../support/docker.ts"
import { layerEngine } from "../support/e2e.ts"
import { describeOwnEngine, OtherEngine } from "../support/otherEngine.ts"
import { postgresServer } from "../support/postgres.ts"
import { command } from "../support/service.ts"
import type { Failpoint } from "./failpoints.ts"
import { recover } from "./recover.ts"
import { besideName, enginesRound } from "./rounds.ts"
import { violations } from "./violations.ts"
import { add, makeTwoWorlds } from "./World.ts"

const kills: ReadonlyArray<Failpoint> = [
  { when: "after", step: "remove" },
  { when: "before", step: "commit" },
  { when: "late", step: "commit" }
]

describeEngine("two services over one database", () => {
  describeOwnEngine("with an engine each", undefined, () => {
    const layer = Layer.mergeAll(postgresServer(), layerEngine, OtherEngine.layer)
    it.layer(layer, { excludeTestServices: true })((it) => {
      it.effect("remove 200 games each at the same time, in one pass, and none of the other's", () =>
        Effect.gen(function* () {
          const worlds = yield* makeTwoWorlds([])
          yield* Effect.forEach(worlds, (world) => add(world, Arr.replicate("created", 200)), { concurrency: 2 })
          const passes = yield* Effect.forEach(worlds, ({ parts }) => command(["run", "--json"], parts.env), {
            concurrency: 2
          })
          for (const { code, stdout } of passes) {
            assert.strictEqual(code, 0)
            assert.include(JSON.parse(stdout), { result: "success", listed: 200 })
            assert.include(JSON.parse(stdout).outcomes, { removed: 200 })
          }
          for (const world of worlds) {
            assert.deepStrictEqual(yield* violations(world, { recovered: true }), [])
            assert.deepStrictEqual(yield* world.parts.engine.left, [])
          }
        })
      )

      it.effect("break no rule on either engine when one of them is killed beside the other, by turns", () =>
        Effect.gen(function* () {
          const [first, second] = yield* makeTwoWorlds(["running", "young"])
          for (const [index, place] of kills.entries()) {
            const { happened, problems } = yield* enginesRound(
              index % 2 === 0 ? [first, second] : [second, first],
              place
            )
            assert.deepStrictEqual({ happened, problems }, { happened: { [besideName(place)]: 1 }, problems: [] })
          }
          assert.deepStrictEqual([...(yield* recover(first)), ...(yield* recover(second))], [])
        }).pipe(Random.withSeed("two engines"))
      )
    })
  })
})
