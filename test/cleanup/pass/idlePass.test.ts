import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import * as Memory from "../../../src/adapters/memory/ContainerEngine.ts"
import * as Circuits from "../../../src/cleanup/circuits.ts"
import { Cleaner } from "../../../src/cleanup/game/Cleaner.ts"
import { CleanupPass } from "../../../src/cleanup/pass/CleanupPass.ts"
import { StoreFixture } from "../../ports/StoreFixture.ts"
import { makePostgresProxy } from "../../support/PostgresProxy.ts"
import {
  freshSchema,
  layerDatabase,
  layerPorts,
  layerStores,
  PostgresServer,
  postgresServer
} from "../../support/postgres.ts"
import { micros, stopped } from "../../support/records.ts"
import { engineTimeout, layerHeartbeat, leaseTtl, maxClockSkew, retention } from "../../support/world.ts"

const schema = freshSchema()
const layer = Layer.provideMerge(layerStores({ schema }), postgresServer())

/** A service over the real database behind a proxy, and the statements that it has sent, by how they begin. */
const service = Effect.gen(function* () {
  const sent: Array<string> = []
  const { url } = yield* makePostgresProxy((yield* PostgresServer).url, ({ side, what }) => {
    if (side === "before") sent.push(what.trim().replaceAll(/\s+/g, " ").slice(0, 60))
    return "pass"
  })
  const options = { retention, maxClockSkew, leaseTtl, engineTimeout, concurrency: 8, pageSize: 500 }
  const context = yield* Layer.build(
    // Not the adapters that the fixture's side has built over its own connections.
    Layer.fresh(
      CleanupPass.layer({ ...options, mode: "enforce", maxRemovals: undefined }).pipe(
        Layer.provide(Layer.merge(Cleaner.layer(options), layerHeartbeat)),
        Layer.provide(Circuits.layer),
        Layer.provide(Layer.merge(layerPorts({ leaseTtl }), Memory.layer({ timeout: engineTimeout }))),
        Layer.provide(layerDatabase(schema, { url }))
      )
    )
  )
  return {
    sent,
    runOnce: Effect.provide(
      Effect.flatMap(CleanupPass, (pass) => pass.runOnce({ trigger: "schedule" })),
      context
    )
  }
})

it.layer(layer, { excludeTestServices: true })("a pass with nothing to do", (it) => {
  it.effect("asks the database at most five times: clock, pause, known engine, backlog and the first page", () =>
    Effect.gen(function* () {
      const { put } = yield* StoreFixture
      const young = micros(Date.now() - Duration.toMillis("1 day"))
      yield* Effect.forEach(["a", "b", "c"], (gameId) => put(stopped(gameId, { lastOpAt: young })))
      const { runOnce, sent } = yield* service
      // The first pass of all remembers the engine.
      assert.strictEqual((yield* runOnce).result, "success")
      sent.length = 0
      const report = yield* runOnce
      assert.deepStrictEqual([report.result, report.listed], ["success", 0])
      assert.isNotEmpty(sent)
      assert.isAtMost(sent.length, 5, sent.join("\n"))
    })
  )
})
