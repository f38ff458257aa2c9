import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { MemoryEngine } from "../../src/adapters/memory/ContainerEngine.ts"
import { Author, Reason } from "../../src/domain/Act.ts"
import { runPass } from "../../src/operator/run.ts"
import { StoreState } from "../adapters/memory/StoreState.ts"
import { micros } from "../support/records.ts"
import { testIn } from "../support/testIn.ts"
import { actRows, layerWorld, now, seed, seedMany } from "../support/world.ts"

const inService = (options?: Parameters<typeof layerWorld>[0]) => testIn(layerWorld(options))

const asked = { author: Author.make("ann@desk"), reason: Reason.make("the disk is full") }

const rows = Effect.map(actRows, (rows) => rows.map(({ message, result }) => [result, message]))

describe("a pass that a person asks for", () => {
  inService()("cleans what is due and nothing else, and its act says so", function* () {
    yield* seedMany(3)
    yield* seed("young", 100, { record: { lastOpAt: micros(now - 1000) }, container: { finishedAt: now - 1000 } })
    const report = yield* runPass(asked)
    assert.deepInclude(report, { trigger: "manual", result: "success", listed: 3 })
    assert.lengthOf(yield* (yield* MemoryEngine).containers, 1)
    assert.deepStrictEqual(yield* actRows, [
      { ...asked, act: "run", target: "default", result: "done", message: "pass: success; removed 3" }
    ])
  })

  inService({ mode: "paused" })("is refused while this service is paused", function* () {
    yield* seedMany(1)
    assert.deepInclude(yield* Effect.flip(runPass(asked)), { _tag: "ActRefused", reason: "paused" })
    assert.deepStrictEqual(yield* rows, [["refused", "RTMANAGER_CLEANUP_MODE is paused"]])
  })

  inService({ mode: "dry_run" })("says in a dry run what would happen, and leaves no trace", function* () {
    yield* seedMany(1)
    const report = yield* runPass(asked)
    assert.deepInclude(report, { dryRun: true, listed: 1 })
    assert.lengthOf(yield* (yield* MemoryEngine).containers, 1)
    assert.deepStrictEqual([yield* rows, (yield* StoreState).log], [[], []])
  })
})
