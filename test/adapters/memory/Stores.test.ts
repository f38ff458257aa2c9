import { Clock, Effect, Layer } from "effect"
import * as GameLeasesSuite from "../../ports/GameLeasesSuite.ts"
import * as KnownEngineSuite from "../../ports/KnownEngineSuite.ts"
import * as RuntimeRecordsSuite from "../../ports/RuntimeRecordsSuite.ts"
import { StoreFixture } from "../../ports/StoreFixture.ts"
import { StoreState } from "./StoreState.ts"
import { layerStores } from "./Stores.ts"

const fixture = Layer.effect(
  StoreFixture,
  Effect.map(StoreState, (state) =>
    StoreFixture.of({
      put: (record) =>
        Effect.sync(() => {
          state.records.set(record.gameId, record)
          if (record.backoff === null) state.backoffs.delete(record.gameId)
          else state.backoffs.set(record.gameId, record.backoff)
        }),
      record: (gameId) =>
        Effect.sync(() => {
          const record = state.records.get(gameId)
          return record && { ...record, backoff: state.backoffs.get(gameId) ?? null }
        }),
      putLease: ({ gameId, owner, token }, expired) =>
        Effect.sync(() => void state.leases.set(gameId, { owner, token, expiresAt: expired ? 0 : Infinity })),
      expireLeases: Effect.sync(() => {
        for (const [gameId, lease] of state.leases) state.leases.set(gameId, { ...lease, expiresAt: 0 })
      }),
      lease: (gameId) =>
        Effect.sync(() => {
          const lease = state.leases.get(gameId)
          return lease && { gameId, owner: lease.owner, token: lease.token }
        }),
      leaseLeft: (gameId) =>
        Effect.map(Clock.currentTimeMillis, (now) => Math.max(0, (state.leases.get(gameId)?.expiresAt ?? 0) - now)),
      log: (gameId) => Effect.sync(() => state.operationLog.filter((row) => row.gameId === gameId)),
      clear: Effect.sync(() => {
        state.records.clear()
        state.backoffs.clear()
        state.leases.clear()
        state.operationLog.length = 0
        state.knownEngine = undefined
      })
    })
  )
)

const layer = Layer.provideMerge(fixture, layerStores({ leaseTtl: "1 minute" }))

RuntimeRecordsSuite.suite("RuntimeRecords in memory keeps the contract", layer)
GameLeasesSuite.suite("GameLeases in memory keeps the contract", layer)
KnownEngineSuite.suite("KnownEngine in memory keeps the contract", layer)
