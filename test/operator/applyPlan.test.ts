import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { MemoryEngine } from "../../src/adapters/memory/ContainerEngine.ts"
import { CurrentSettings } from "../../src/config/CurrentSettings.ts"
import { Author, Reason } from "../../src/domain/Act.ts"
import { EngineName } from "../../src/domain/EngineName.ts"
import type { PlanFile } from "../../src/domain/PlanFile.ts"
import { applyPlan, whyRefused } from "../../src/operator/applyPlan.ts"
import { EngineId } from "../../src/ports/ContainerEngine.ts"
import { StoreState } from "../adapters/memory/StoreState.ts"
import { planFile } from "../support/planFile.ts"
import { testIn } from "../support/testIn.ts"
import {
  actRows,
  atEngine,
  cutoff,
  layerWorld,
  maxClockSkew,
  now,
  seed,
  seedMany,
  settings,
  unreachable
} from "../support/world.ts"

const inService = (options?: Parameters<typeof layerWorld>[0]) =>
  testIn(Layer.merge(layerWorld(options), Layer.succeed(CurrentSettings, settings)))

const asked = { author: Author.make("ann@desk"), reason: Reason.make("reviewed") }

const planned = planFile(settings)

const apply = (plan: PlanFile) => applyPlan({ ...asked, plan, opSource: "admin_cli" })

const rows = Effect.map(actRows, (rows) => rows.map(({ message, result }) => [result, message]))
const left = Effect.flatMap(MemoryEngine, ({ containers }) =>
  Effect.map(containers, (all) => all.map(({ gameId }) => gameId).sort())
)

const file: PlanFile = {
  id: "3a5c7f0e-1111-4222-8333-444455556666",
  version: 1,
  madeAt: new Date(now),
  engine: EngineName.make("default"),
  engineId: EngineId.make("memory/none"),
  cutoff: new Date(cutoff),
  retention: "30d",
  games: []
}

describe("a plan", () => {
  const day = Duration.toMillis("24 hours")
  const skew = Duration.toMillis(maxClockSkew)
  const here = { engineName: file.engine, engineId: file.engineId, now, maxClockSkew }

  it.each<readonly [string, Partial<PlanFile>, RegExp | undefined]>([
    ["made now, here", {}, undefined],
    ["made 24 hours ago", { madeAt: new Date(now - day) }, undefined],
    ["made over 24 hours ago", { madeAt: new Date(now - day - 1) }, /over 1d ago: make a new one/],
    ["made as far in the future as clocks may differ", { madeAt: new Date(now + skew) }, undefined],
    ["made in the future", { madeAt: new Date(now + skew + 1) }, /has yet to reach/],
    ["of another engine's name", { engine: EngineName.make("host-1") }, /of engine host-1.*cleans default/],
    [
      "of another engine of that name",
      { engineId: EngineId.make("another/none") },
      /over another engine, another\/none/
    ],
    ["of an engine that no table can name", { engineId: EngineId.make("another\0/none") }, /, another\\u\{0\}\/none;/]
  ])("%s applies, or says why it does not", (_, changes, why) => {
    const told = whyRefused({ ...file, ...changes }, here)
    if (why === undefined) assert.isUndefined(told)
    else assert.match(told ?? "", why)
  })
})

describe("applying a plan", () => {
  inService()("does what it shows, and its act says how much of it", function* () {
    yield* seedMany(3)
    const plan = yield* planned
    yield* seed("later", 9)
    const { notDone, report } = yield* apply(plan)
    assert.deepStrictEqual([report.outcomes.removed, notDone], [3, []])
    assert.deepStrictEqual(yield* left, ["later"])
    assert.deepStrictEqual(yield* actRows, [
      { act: "plan_apply", target: plan.id, ...asked, result: "done", message: "3 of 3 games done" }
    ])
  })

  inService()("names every game that was not done, in the plan's order", function* () {
    yield* seedMany(4)
    const plan = yield* planned
    const state = yield* StoreState
    state.setRecord("game-0", undefined)
    state.setLease("game-2", { owner: "another", token: 1n, expiresAt: Infinity })
    const { notDone } = yield* apply(plan)
    assert.deepStrictEqual(
      notDone.map(({ gameId, why }) => [gameId, why]),
      [
        ["game-0", "gone"],
        ["game-2", "conflict"]
      ]
    )
    assert.deepStrictEqual(yield* rows, [["done", "2 of 4 games done"]])
  })

  inService({ maxRemovals: 1 })("names those that it may not attempt", function* () {
    yield* seedMany(2)
    const { notDone } = yield* apply(yield* planned)
    assert.deepStrictEqual(
      notDone.map(({ gameId, why }) => [gameId, why]),
      [["game-1", "not_attempted"]]
    )
  })

  inService()("event 48: is done once", function* () {
    yield* seedMany(2)
    const plan = yield* planned
    yield* apply(plan)
    yield* seedMany(2)
    assert.match((yield* Effect.flip(apply(plan))).message, /was applied before, or is being applied/)
    assert.lengthOf(yield* left, 2)
  })

  inService()(
    "event 48: is refused for another engine, and the plan can be applied when that one is back",
    function* () {
      yield* seedMany(2)
      const plan = yield* planned
      const { setIdentity } = yield* MemoryEngine
      yield* apply({ ...plan, id: crypto.randomUUID(), games: [] })
      yield* setIdentity(EngineId.make("another/none"))
      assert.deepInclude(yield* Effect.flip(apply(plan)), { _tag: "ActRefused", reason: "engine_changed" })
      yield* setIdentity(plan.engineId)
      const other = yield* Effect.flip(apply({ ...plan, engineId: EngineId.make("another/none") }))
      assert.match(other.message, /was made over another engine/)
      assert.match(
        (yield* Effect.flip(apply({ ...plan, engine: EngineName.make("host-1") }))).message,
        /of engine host-1/
      )
      assert.lengthOf(yield* left, 2)
      assert.deepStrictEqual((yield* apply(plan)).notDone, [])
      assert.deepStrictEqual(
        (yield* rows).map(([result]) => result),
        ["done", "refused", "refused", "refused", "done"]
      )
    }
  )

  inService()("is refused if the engine is away, and done once it is back", function* () {
    yield* seedMany(2)
    const plan = yield* planned
    yield* atEngine("identity", unreachable)
    assert.deepInclude(yield* Effect.flip(apply(plan)), { _tag: "ActRefused", reason: "engine_down" })
    yield* (yield* MemoryEngine).setIntercept(() => Effect.void)
    yield* TestClock.adjust("2 minutes")
    assert.deepStrictEqual((yield* apply(plan)).notDone, [])
  })

  inService()("is refused by a guard of its pass, and done once that lets it through", function* () {
    yield* seedMany(2)
    const plan = yield* planned
    const state = yield* StoreState
    state.swallows = true
    assert.deepInclude(yield* Effect.flip(apply(plan)), { _tag: "ActRefused", reason: "cannot_record" })
    assert.lengthOf(yield* left, 2)
    state.swallows = false
    assert.deepStrictEqual((yield* apply(plan)).notDone, [])
    assert.deepStrictEqual(
      (yield* rows).map(([result]) => result),
      ["refused", "done"]
    )
  })

  inService()("event 48: goes by the database's clock: a plan of yesterday is refused", function* () {
    yield* seedMany(2)
    const plan = yield* planned
    yield* TestClock.adjust("24 hours")
    ;(yield* StoreState).clockOffset = Duration.millis(1)
    assert.match((yield* Effect.flip(apply(plan))).message, /over 1d ago/)
    assert.lengthOf(yield* left, 2)
    ;(yield* StoreState).clockOffset = Duration.zero
    assert.deepStrictEqual((yield* apply(plan)).notDone, [])
  })

  inService()("that has begun is not done again, and says what was not attempted", function* () {
    yield* seedMany(3)
    const plan = yield* planned
    yield* (yield* MemoryEngine).setIntercept((operation) => (operation === "identity" ? Effect.void : unreachable))
    const { notDone, report } = yield* apply(plan)
    assert.strictEqual(report.reason, "engine_down")
    assert.lengthOf(notDone, 3)
    assert.deepStrictEqual(
      (yield* rows).map(([result]) => result),
      ["failed"]
    )
    assert.match((yield* Effect.flip(apply(plan))).message, /was applied before/)
  })

  inService({ mode: "dry_run" })("in a dry run touches nothing, and leaves the plan to be applied", function* () {
    yield* seedMany(2)
    const { notDone, report } = yield* apply(yield* planned)
    assert.deepStrictEqual([report.dryRun, report.outcomes.removed, notDone], [true, 2, []])
    assert.lengthOf(yield* left, 2)
    assert.deepStrictEqual(yield* rows, [])
  })
})
