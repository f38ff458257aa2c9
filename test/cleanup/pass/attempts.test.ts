import { assert, describe } from "@effect/vitest"
import { Effect, Logger, References } from "effect"
import { MemoryEngine } from "../../../src/adapters/memory/ContainerEngine.ts"
import { CleanupPass } from "../../../src/cleanup/pass/CleanupPass.ts"
import type { GameEnd } from "../../../src/domain/NotDone.ts"
import { whileTimePasses } from "../../support/whileTimePasses.ts"
import { inWorld, runOnce, seed, seedMany } from "../../support/world.ts"

/** What a pass tells of its games, one after the other, and its report. */
const told = Effect.gen(function* () {
  const ends: Array<GameEnd> = []
  const pass = yield* CleanupPass
  const onGame = (end: GameEnd) => Effect.sync(() => void ends.push(end))
  const report = yield* pass.runOnce({ trigger: "manual", onGame })
  return { report, ends: ends.map((end) => [end.gameId, "why" in end ? end.why : end.outcome]) }
})

describe.each(["enforce", "dry_run"] as const)("an attempt of a pass in mode %s", (mode) => {
  inWorld.with({ mode, concurrency: 1 })("is told and counted, whatever its end", function* () {
    yield* seed("gone", 1, { container: null })
    yield* seed("removed", 2)
    yield* seed("running", 3, { container: { state: "running" } })
    const { ends, report } = yield* told
    assert.deepStrictEqual(ends, [
      ["gone", "already_absent"],
      ["removed", "removed"],
      ["running", "failed"]
    ])
    assert.deepInclude(report.outcomes, { removed: 1, already_absent: 1, failed: 1 })
  })
})

describe("attempts in a dry run", () => {
  inWorld.with({ mode: "dry_run", concurrency: 3 })(
    "ask the engine for as many games at once as the setting says, and log each with its outcome",
    function* () {
      yield* seedMany(40)
      const engine = yield* MemoryEngine
      const lines: Array<unknown> = []
      const logger = Logger.make<unknown, void>(({ fiber }) => {
        const { game_id, outcome } = fiber.getRef(References.CurrentLogAnnotations)
        if (game_id !== undefined) lines.push(outcome)
      })
      let asked = 0
      let most = 0
      yield* engine.setIntercept(() =>
        Effect.gen(function* () {
          asked += 1
          most = Math.max(most, asked)
          yield* Effect.sleep("5 millis")
          asked -= 1
        })
      )
      const report = yield* whileTimePasses(Effect.provide(runOnce, Logger.layer([logger])), "100 millis")
      assert.strictEqual(report.outcomes.removed, 40)
      assert.strictEqual(most, 3)
      assert.deepStrictEqual([lines.length, new Set(lines)], [40, new Set(["removed"])])
    }
  )
})
