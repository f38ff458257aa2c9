import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { MemoryEngine } from "../../src/adapters/memory/ContainerEngine.ts"
import { Author, Reason } from "../../src/domain/Act.ts"
import { clean } from "../../src/operator/clean.ts"
import { StoreState } from "../adapters/memory/StoreState.ts"
import { micros } from "../support/records.ts"
import { testIn } from "../support/testIn.ts"
import { actRows, atEngine, layerWorld, now, runOnce, seed, unreachable } from "../support/world.ts"

const inService = (options?: Parameters<typeof layerWorld>[0]) => testIn(layerWorld(options))

const young = { record: { lastOpAt: micros(now - 1000) }, container: { finishedAt: now - 1000 } } as const

const asked = { author: Author.make("ann@desk"), reason: Reason.make("the disk is full") }

const rows = Effect.map(actRows, (rows) => rows.map(({ message, result }) => [result, message]))

describe("cleaning one game by hand", () => {
  inService()("removes a young game, and its act says so", function* () {
    yield* seed("game", 1, young)
    const { game } = yield* clean({ ...asked, gameId: "game", opSource: "admin_cli" })
    assert.deepInclude(game, { gameId: "game", dryRun: false, outcome: "removed", errorCode: null })
    assert.deepStrictEqual(yield* actRows, [
      {
        ...asked,
        act: "clean",
        target: "game",
        result: "done",
        message: "removed: the container was removed"
      }
    ])
  })

  inService()("records what a killed clean has removed, and no pass does so while the game is young", function* () {
    yield* seed("game", 1, { ...young, container: null })
    const state = yield* StoreState
    state.leases.set("game", { owner: "killed", token: 1n, expiresAt: 0 })
    assert.strictEqual((yield* runOnce).listed, 0)
    assert.strictEqual(state.records.get("game")?.status, "stopped")
    const { game } = yield* clean({ ...asked, gameId: "game", opSource: "admin_cli" })
    assert.strictEqual(game.outcome, "already_absent")
    assert.strictEqual(state.records.get("game")?.status, "removed")
  })

  const gone = { ...young, container: null } as const
  inService().each([
    ["nothing else names a container", Effect.void, "already_absent"],
    ["another young game's container is there", seed("other", 2, young), "already_absent"],
    ["a due game's container is there", seed("other", 2), "already_absent"],
    ["another young game's container is gone too", seed("other", 2, gone), "refused"],
    ["a due game's container is gone too", seed("other", 2, { container: null }), "refused"]
  ] as const)("event 28: believes that a young game's container is gone, or does not, where %s", function* (asked_) {
    const [, others, expected] = asked_
    yield* others
    yield* seed("game", 1, gone)
    const state = yield* StoreState
    const { game, report } = yield* clean({ ...asked, gameId: "game", opSource: "admin_cli" })
    const believed = expected === "already_absent"
    assert.strictEqual(game.outcome, believed ? "already_absent" : "interrupted")
    assert.strictEqual(report.reason, believed ? null : "absent_brake")
    assert.strictEqual(state.records.get("game")?.status, believed ? "removed" : "stopped")
    assert.strictEqual(state.known?.braked, !believed)
    assert.deepStrictEqual(
      (yield* rows).map(([result]) => result),
      [believed ? "done" : "refused"]
    )
  })

  inService().each([
    ["runs", { container: { state: "running" } }, "failed", "container_running", "refused"],
    ["has the wrong label", { container: { gameId: "other" } }, "failed", "identity_mismatch", "refused"],
    ["is played", { record: { status: "running" } }, "conflict", "record_moved", "refused"],
    ["is removed", { record: { status: "removed" } }, "replay_no_op", "replay_no_op", "done"]
  ] as const)(
    "event 51: answers how the attempt ended on a game that %s",
    function* ([, changes, outcome, errorCode, result]) {
      yield* seed("game", 1, changes)
      const { game } = yield* clean({ ...asked, gameId: "game", opSource: "admin_cli" })
      assert.deepInclude(game, { outcome, errorCode })
      assert.deepStrictEqual(yield* rows, [[result, `${outcome}: ${game.message}`]])
    }
  )

  inService()("refuses a game that has no record, and names it", function* () {
    const error = yield* Effect.flip(clean({ ...asked, gameId: "nobody", opSource: "admin_cli" }))
    assert.deepInclude(error, { _tag: "ActRefused", message: "there is no record of game nobody" })
    assert.deepStrictEqual(yield* rows, [["refused", "there is no record of game nobody"]])
  })

  inService({ mode: "paused" })("is refused while this service is paused", function* () {
    yield* seed("game", 1, young)
    const error = yield* Effect.flip(clean({ ...asked, gameId: "game", opSource: "admin_cli" }))
    assert.deepInclude(error, { _tag: "ActRefused", reason: "paused" })
    assert.lengthOf(yield* (yield* MemoryEngine).containers, 1)
    assert.deepStrictEqual(yield* rows, [["refused", "RTMANAGER_CLEANUP_MODE is paused"]])
  })

  inService({ mode: "dry_run" })("says in a dry run what would happen, and leaves no trace", function* () {
    yield* seed("game", 1, young)
    const { game } = yield* clean({ ...asked, gameId: "game", opSource: "admin_cli" })
    assert.deepInclude(game, { dryRun: true, outcome: "removed" })
    assert.lengthOf(yield* (yield* MemoryEngine).containers, 1)
    assert.deepStrictEqual([yield* rows, (yield* StoreState).log], [[], []])
  })

  inService()("has failed if the engine is away from the beginning", function* () {
    yield* seed("game", 1, young)
    yield* atEngine("identity", unreachable)
    assert.deepInclude(yield* Effect.flip(clean({ ...asked, gameId: "game", opSource: "admin_cli" })), {
      reason: "engine_down"
    })
    assert.deepStrictEqual(
      (yield* rows).map(([result]) => result),
      ["failed"]
    )
  })

  inService()("has failed if the engine goes away meanwhile, and says why the pass ended", function* () {
    yield* seed("game", 1, young)
    yield* (yield* MemoryEngine).setIntercept((operation) => (operation === "identity" ? Effect.void : unreachable))
    const { game, report } = yield* clean({ ...asked, gameId: "game", opSource: "admin_cli" })
    assert.deepStrictEqual([game.outcome, report.reason], ["interrupted", "engine_down"])
    const [[result, message] = []] = yield* rows
    assert.strictEqual(result, "failed")
    assert.strictEqual(message, "interrupted: engine inspect: refused")
  })
})
