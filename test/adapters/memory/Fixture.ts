import { Clock, Effect } from "effect"
import { StoreFixture } from "../../ports/StoreFixture.ts"
import type { StoreState } from "./StoreState.ts"

/** The way past the ports of the in-memory stores. */
export const makeFixture = (state: StoreState["Service"]): StoreFixture["Service"] =>
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
