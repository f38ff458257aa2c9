import { assert, describe } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { plan } from "../../src/cleanup/pass/CleanupPlan.ts"
import { planPage } from "../../src/operator/plan.ts"
import type { Cursor } from "../../src/ports/RuntimeRecords.ts"
import { inWorld, seed, seedMany, settings } from "../support/world.ts"

const pageAfter = (after: Cursor | undefined) => planPage({ ...settings, after, limit: 2 })

describe("the pages of a plan", () => {
  inWorld("are together what the whole plan is", function* () {
    yield* seedMany(5)
    yield* seed("young", 5, { record: { lastOpAt: BigInt(Date.now()) * 1000n } })
    yield* seed("timeless", 6, { record: { lastOpAt: null } })
    yield* seed("stray", 7, { record: { engine: "host-9" } })
    const { games } = yield* plan(settings)
    const pages = Stream.paginate(undefined as Cursor | undefined, (after) =>
      Effect.map(pageAfter(after), ({ games, next }) => [[games], Option.fromNullOr(next)] as const)
    )
    const paged = yield* Stream.runCollect(pages)
    assert.deepStrictEqual(paged.flat(), yield* Stream.runCollect(games))
    assert.deepStrictEqual(
      paged.map((page) => page.length),
      [2, 2, 2, 2]
    )
  })

  inWorld("show a time that no Date reaches as none", function* () {
    yield* seed("far", 1, { record: { lastOpAt: 9_000_000_000_000_000_000n } })
    const { games } = yield* pageAfter(undefined)
    assert.deepInclude(games[0], { gameId: "far", action: "keep", lastOpAt: null })
  })
})
