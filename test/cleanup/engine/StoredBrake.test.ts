import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import * as StoredBrake from "../../../src/cleanup/engine/StoredBrake.ts"
import { EngineId } from "../../../src/domain/EngineId.ts"
import { KnownEngine } from "../../../src/ports/KnownEngine.ts"
import { StoreState } from "../../adapters/memory/StoreState.ts"
import { testIn } from "../../support/testIn.ts"
import { layerPorts, storeDown } from "../../support/world.ts"

const onPorts = testIn(layerPorts)

const engineId = EngineId.make("engine")

/** A brake over a database that knows the engine, and does not store the brake until `mend`. */
const overBrokenStore = Effect.gen(function* () {
  const known = yield* KnownEngine
  yield* known.remember(engineId)
  const state = yield* StoreState
  state.intercept = (operation) => (operation === "brakeEngine" ? storeDown : Effect.void)
  const mend = Effect.sync(() => {
    state.intercept = () => Effect.void
  })
  return { brake: yield* StoredBrake.make(known), mend, isStored: Effect.sync(() => state.known?.braked) }
})

describe("the stored brake", () => {
  onPorts("refuses no pass while none was put on", function* () {
    const { brake, isStored, mend } = yield* overBrokenStore
    yield* mend
    yield* brake.refuseIfUnstored(engineId)
    assert.isFalse(yield* isStored)
  })

  onPorts("leaves it to the database to refuse the next pass once it is stored", function* () {
    const { brake, isStored, mend } = yield* overBrokenStore
    yield* mend
    yield* brake.putOn(engineId)
    assert.isTrue(yield* isStored)
    yield* brake.refuseIfUnstored(engineId)
  })

  onPorts("refuses every pass until it is stored, and the one that stores it", function* () {
    const { brake, isStored, mend } = yield* overBrokenStore
    yield* brake.putOn(engineId)
    const refusal = Effect.flip(brake.refuseIfUnstored(engineId))
    assert.strictEqual(yield* refusal, storeDown)
    assert.strictEqual(yield* refusal, storeDown)
    yield* mend
    assert.strictEqual(yield* refusal, StoredBrake.brakeIsOn)
    assert.isTrue(yield* isStored)
    yield* brake.refuseIfUnstored(engineId)
  })

  onPorts("is forgotten once a person has accepted the absent containers", function* () {
    const { brake, isStored, mend } = yield* overBrokenStore
    yield* brake.putOn(engineId)
    yield* brake.release
    yield* mend
    yield* brake.refuseIfUnstored(engineId)
    assert.isFalse(yield* isStored)
  })
})
