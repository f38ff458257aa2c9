import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Result } from "effect"
import * as Memory from "../../src/adapters/memory/ContainerEngine.ts"
import * as PostgresActs from "../../src/adapters/postgres/Acts.ts"
import { migrate } from "../../src/adapters/postgres/migrations.ts"
import * as Circuits from "../../src/cleanup/circuits.ts"
import { Cleaner } from "../../src/cleanup/game/Cleaner.ts"
import { CleanupPass } from "../../src/cleanup/pass/CleanupPass.ts"
import { CurrentSettings } from "../../src/config/CurrentSettings.ts"
import { Author, Reason } from "../../src/domain/Act.ts"
import type { PlanFile } from "../../src/domain/PlanFile.ts"
import { applyPlan } from "../../src/operator/applyPlan.ts"
import { Acts } from "../../src/ports/Acts.ts"
import { ContainerEngine } from "../../src/ports/ContainerEngine.ts"
import { StoreFixture } from "../ports/StoreFixture.ts"
import { planFile } from "../support/planFile.ts"
import { freshSchema, layerDatabase, layerFixture, layerPorts, postgresServer } from "../support/postgres.ts"
import { containerId, longAgo, stopped } from "../support/records.ts"
import { layerHeartbeat, settings } from "../support/world.ts"

const games = Array.from({ length: 40 }, (_, i) => `game-${String(i).padStart(2, "0")}`)

/** Two processes with a pool each, over one database and one engine that has a container for each game. */
const twoProcesses = Effect.gen(function* () {
  const schema = freshSchema()
  const memory = yield* Layer.build(Memory.layer({ timeout: "15 seconds" }))
  const engine = Layer.succeedContext(memory)
  yield* Effect.provide(migrate, layerDatabase(schema))
  const process = Layer.fresh(
    CleanupPass.layer(settings).pipe(
      Layer.provideMerge(Layer.merge(Cleaner.layer(settings), layerHeartbeat)),
      Layer.provideMerge(Circuits.layer),
      Layer.provideMerge(Layer.mergeAll(layerPorts(), PostgresActs.layer, layerFixture, engine)),
      Layer.provideMerge(layerDatabase(schema)),
      Layer.provideMerge(Layer.succeed(CurrentSettings, settings))
    )
  )
  const one = yield* Layer.build(process)
  const two = yield* Layer.build(process)
  const { put } = Context.get(one, StoreFixture)
  const at = { createdAt: longAgo - 2, startedAt: longAgo - 1, finishedAt: longAgo }
  yield* Effect.forEach(games, (gameId, i) =>
    Effect.andThen(
      put(stopped(gameId, { containerId: containerId(i) })),
      Context.get(memory, Memory.MemoryEngine).put({ id: containerId(i), gameId, state: "exited", ...at })
    )
  )
  return { one, two, memory }
})

const planned = planFile(settings)

const apply = (plan: PlanFile, name: string) =>
  applyPlan({ author: Author.make(name), reason: Reason.make("reviewed"), plan, opSource: "admin_cli" })

/** Each game's audit rows: one of a success, by either. */
const assertRemovedOnce = Effect.fnUntraced(function* () {
  const { log } = yield* StoreFixture
  for (const gameId of games) {
    const rows = (yield* log(gameId)).filter(({ outcome }) => outcome === "success")
    assert.lengthOf(rows, 1)
    assert.include(["ann", "bob"], rows[0]?.sourceRef)
    assert.strictEqual(rows[0]?.opSource, "admin_cli")
  }
})

const removals = ({ memory }: Effect.Success<typeof twoProcesses>) =>
  Effect.gen(function* () {
    const { calls, containers } = Context.get(memory, Memory.MemoryEngine)
    const ids = (yield* calls).flatMap(({ id, operation }) => (operation === "remove" ? [id] : []))
    return { left: (yield* containers).length, removed: new Set(ids).size, asked: ids.length }
  })

it.layer(postgresServer(), { excludeTestServices: true })("Plans in two processes over one database", (it) => {
  it.effect("that show the same games leave each removed once, and both say what they did not do", () =>
    Effect.gen(function* () {
      const both = yield* twoProcesses
      const { one, two } = both
      const plans = yield* Effect.all([Effect.provide(planned, one), Effect.provide(planned, two)])
      const [ann, bob] = yield* Effect.all(
        [Effect.provide(apply(plans[0], "ann"), one), Effect.provide(apply(plans[1], "bob"), two)],
        { concurrency: 2 }
      )
      yield* Effect.provide(assertRemovedOnce(), one)
      assert.deepStrictEqual(yield* removals(both), { left: 0, removed: 40, asked: 40 })
      assert.strictEqual(ann.report.outcomes.removed + bob.report.outcomes.removed, 40)
      assert.strictEqual(ann.notDone.length + bob.notDone.length, 40)
      for (const { why } of [...ann.notDone, ...bob.notDone]) assert.include(["gone", "conflict"], why)
    })
  )

  it.effect("event 48: that are the same file are applied by exactly one of them", () =>
    Effect.gen(function* () {
      const both = yield* twoProcesses
      const { one, two } = both
      const plan = yield* Effect.provide(planned, one)
      const ends = yield* Effect.all(
        [
          Effect.result(Effect.provide(apply(plan, "ann"), one)),
          Effect.result(Effect.provide(apply(plan, "bob"), two))
        ],
        { concurrency: 2 }
      )
      const [applied, ...others] = ends.filter(Result.isSuccess)
      assert.isEmpty(others)
      assert.deepStrictEqual(applied?.success.notDone, [])
      assert.match(ends.find(Result.isFailure)?.failure.message ?? "", /was applied before, or is being applied/)
      yield* Effect.provide(assertRemovedOnce(), one)
      assert.deepStrictEqual(yield* removals(both), { left: 0, removed: 40, asked: 40 })
      const acts = yield* Context.get(one, Acts).list({ target: plan.id, limit: 10 })
      assert.sameMembers(
        acts.map(({ result }) => result),
        ["done", "refused"]
      )
      const again = yield* Effect.flip(Effect.provide(apply(plan, "ann"), two))
      assert.match(again.message, /was applied before/)
    })
  )

  it.effect("event 48: of which one meets a game that was restarted keep it", () =>
    Effect.gen(function* () {
      const both = yield* twoProcesses
      const { memory, one } = both
      const plan = yield* Effect.provide(planned, one)
      const { put, record } = Context.get(one, StoreFixture)
      const shown = yield* record("game-07")
      assert.isDefined(shown)
      // Stopped again at once, and still due: only its time says that it is another stop.
      yield* put({ ...shown, lastOpAt: (shown.lastOpAt ?? 0n) + 1n })
      const { notDone } = yield* Effect.provide(apply(plan, "ann"), one)
      assert.deepStrictEqual(
        notDone.map(({ gameId, why }) => [gameId, why]),
        [["game-07", "changed"]]
      )
      assert.isDefined(yield* Context.get(memory, ContainerEngine).inspect(containerId(7)))
    })
  )
})
