import { Clock, Duration, Effect, Schema } from "effect"
import { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import { StoreFixture } from "../../ports/StoreFixture.ts"
import { recordOf } from "../../sim/model/statements.ts"
import type { Tables } from "../../sim/model/Tables.ts"

const isRecord: (row: unknown) => boolean = Schema.is(RuntimeRecord)

/** The way past the ports of the modelled database, whose clock is Effect's unless `now` says otherwise. */
export const makeFixture = (
  tables: Tables,
  now: Effect.Effect<number> = Clock.currentTimeMillis
): StoreFixture["Service"] =>
  StoreFixture.of({
    put: ({ backoff, hold, ...record }) =>
      Effect.map(now, (placedAt) => {
        const problem = isRecord({ ...record, backoff, hold }) ? undefined : "does not decode"
        tables.setRecord(record.gameId, { ...record, ...(problem !== undefined && { problem }) })
        tables.setBackoff(record.gameId, backoff ?? undefined)
        for (const old of tables.holds.values()) if (old.gameId === record.gameId) tables.setHold(old, undefined)
        if (hold === null) return
        const placed = { ...hold, gameId: record.gameId, placedAt, until: hold.until?.getTime() ?? null }
        tables.setHold(placed, placed)
      }),
    record: (gameId) =>
      Effect.map(now, (now) => {
        const record = tables.records.get(gameId)
        return record && recordOf(tables, now, record)
      }),
    putEngine: (name, id) => Effect.sync(() => tables.setKnown(name, { id, braked: false })),
    putLease: ({ acquiredAt = 0n, gameId, owner, token }, expired) =>
      Effect.sync(() =>
        tables.setLease(gameId, {
          owner,
          token,
          acquiredAt: Number(acquiredAt) / 1000,
          expiresAt: expired ? 0 : Infinity
        })
      ),
    expireLeases: Effect.sync(() => {
      for (const [gameId, lease] of tables.leases) tables.setLease(gameId, { ...lease, expiresAt: 0 })
    }),
    lease: (gameId) =>
      Effect.sync(() => {
        const lease = tables.leases.get(gameId)
        return (
          lease && { gameId, owner: lease.owner, token: lease.token, acquiredAt: BigInt(lease.acquiredAt ?? 0) * 1000n }
        )
      }),
    leaseLeft: (gameId) => Effect.map(now, (now) => Math.max(0, (tables.leases.get(gameId)?.expiresAt ?? 0) - now)),
    log: (gameId) => Effect.sync(() => tables.log.filter((row) => row.gameId === gameId)),
    agePasses: (by) =>
      Effect.sync(() => {
        const earlier = (at: Date) => new Date(at.getTime() - Duration.toMillis(by))
        for (const [id, { endedAt, startedAt, updatedAt, ...pass }] of tables.passes) {
          const times = { startedAt: earlier(startedAt), updatedAt: earlier(updatedAt) }
          tables.setPass(id, { ...pass, ...times, endedAt: endedAt && earlier(endedAt) })
        }
      }),
    clear: Effect.sync(() => {
      tables.records.clear()
      tables.backoffs.clear()
      tables.holds.clear()
      tables.leases.clear()
      tables.log.length = 0
      tables.engines.clear()
      tables.acts.clear()
      tables.pause = undefined
      tables.passes.clear()
    })
  })
