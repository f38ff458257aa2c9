import { Clock, Context, Duration, Effect, Layer, Schema } from "effect"
import { isStuck } from "../../../src/domain/Backoff.ts"
import { isBackedOff, isDue, isExpired, lagSeconds } from "../../../src/domain/Expiry.ts"
import { printable } from "../../../src/domain/printable.ts"
import { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import { Acquired, type AuditRow, GameLeases, isUnfenced, type Lease } from "../../../src/ports/GameLeases.ts"
import { KnownEngine } from "../../../src/ports/KnownEngine.ts"
import { type Cursor, type Page, RuntimeRecords } from "../../../src/ports/RuntimeRecords.ts"
import { type LogRow, passThrough, type StoreOperation, StoreState } from "./StoreState.ts"

const failureRepeatsAfter = Duration.toMillis("24 hours")

const isRecord: (row: unknown) => boolean = Schema.is(RuntimeRecord)

const compare = <A extends string | bigint>(a: A, b: A): number => (a < b ? -1 : a > b ? 1 : 0)

/** `last_op_at`, then `game_id`; records without a time come last. */
const compareCursors = (a: Cursor, b: Cursor): number => {
  if (a.lastOpAt === null || b.lastOpAt === null) {
    return Number(a.lastOpAt === null) - Number(b.lastOpAt === null) || compare(a.gameId, b.gameId)
  }
  return compare(a.lastOpAt, b.lastOpAt) || compare(a.gameId, b.gameId)
}

const pageOf = (rows: Iterable<RuntimeRecord>, after: Cursor | undefined, limit: number): Page => {
  const page = [...rows]
    .filter((row) => after === undefined || compareCursors(row, after) > 0)
    .sort(compareCursors)
    .slice(0, limit)
  const last = page.at(-1)
  return {
    records: page.filter((row) => isRecord(row)),
    undecodable: page.filter((row) => !isRecord(row)).map((row) => `game ${printable(row.gameId)} does not decode`),
    next: last === undefined || page.length < limit ? undefined : { lastOpAt: last.lastOpAt, gameId: last.gameId }
  }
}

export const makeState = (): StoreState["Service"] =>
  StoreState.of({
    records: new Map(),
    backoffs: new Map(),
    operationLog: [],
    leases: new Map(),
    clockOffset: Duration.zero,
    knownEngine: undefined,
    lastToken: 0n,
    intercept: passThrough,
    interceptAnswer: passThrough
  })

/** One process's stores over the shared state. */
export const makeStores = (
  state: StoreState["Service"],
  options: { readonly leaseTtl: Duration.Input; readonly owner: string }
) => {
  const ttl = Duration.toMillis(options.leaseTtl)
  const { owner } = options

  const now = Effect.map(Clock.currentTimeMillis, (millis) => Math.floor(millis + Duration.toMillis(state.clockOffset)))

  const statement = <A>(operation: StoreOperation, gameId: string | undefined, run: (now: number) => A) =>
    Effect.suspend(() => state.intercept(operation, gameId)).pipe(
      Effect.andThen(Effect.map(now, run)),
      Effect.tap(() => state.interceptAnswer(operation, gameId))
    )

  const stored = (record: RuntimeRecord): RuntimeRecord => ({
    ...record,
    backoff: state.backoffs.get(record.gameId) ?? null
  })
  const stopped = () => [...state.records.values()].filter((record) => record.status === "stopped").map(stored)

  const records = RuntimeRecords.of({
    clock: statement("clock", undefined, (now) => now),
    listDue: ({ moment, after, limit }) =>
      statement("listDue", undefined, () =>
        pageOf(
          stopped().filter((record) => isDue(record, moment)),
          after,
          limit
        )
      ),
    listStopped: ({ after, limit }) => statement("listStopped", undefined, () => pageOf(stopped(), after, limit)),
    backlog: (moment) =>
      statement("backlog", undefined, (now) => {
        const expired = stopped().filter((record) => isExpired(record, moment))
        const due = expired.filter((record) => isDue(record, moment))
        const stuck = expired.filter(({ backoff }) => isStuck(backoff))
        const attempts = ({ backoff }: RuntimeRecord) => backoff?.attempts ?? 0
        return {
          due: due.length,
          backingOff: expired.filter((record) => isBackedOff(record, moment) && !isStuck(record.backoff)).length,
          held: due.filter(({ gameId }) => (state.leases.get(gameId)?.expiresAt ?? 0) > now).length,
          stuck: stuck.length,
          stuckGames: stuck
            .sort((a, b) => attempts(b) - attempts(a) || compare(a.gameId, b.gameId))
            .slice(0, 5)
            .map(({ gameId }) => gameId),
          oldestDueAge: Math.max(0, ...due.map(({ lastOpAt }) => lagSeconds(lastOpAt ?? 0n, moment, moment.now))),
          noTime: stopped().filter((record) => record.lastOpAt === null).length,
          future: stopped().filter((record) => record.lastOpAt !== null && record.lastOpAt > BigInt(now) * 1000n).length
        }
      })
  })

  const holds = (lease: Lease) => {
    const stored = state.leases.get(lease.gameId)
    return stored?.owner === lease.owner && stored.token === lease.token
  }
  const release = (lease: Lease) => {
    if (holds(lease)) state.leases.delete(lease.gameId)
  }
  const log = (lease: Lease, outcome: LogRow["outcome"], row: AuditRow) => {
    state.operationLog.push({
      ...row,
      gameId: lease.gameId,
      outcome,
      leaseOwner: lease.owner,
      leaseToken: lease.token
    })
  }
  const hasSuccess = (gameId: string, containerId: string | null) =>
    containerId !== null &&
    state.operationLog.some(
      (row) => row.outcome === "success" && row.gameId === gameId && row.containerId === containerId
    )
  const isFailureNews = (gameId: string, row: AuditRow) => {
    const last = state.operationLog.findLast((logged) => logged.gameId === gameId)
    return (
      last === undefined ||
      last.errorCode !== row.errorCode ||
      last.containerId !== row.containerId ||
      row.finishedAt - last.finishedAt >= failureRepeatsAfter
    )
  }

  const leases = GameLeases.of({
    acquire: Effect.fnUntraced(function* (gameId) {
      const taken = yield* statement("acquire", gameId, (now) => {
        const previous = state.leases.get(gameId)
        if (previous !== undefined && previous.expiresAt > now) return undefined
        const token = ++state.lastToken
        state.leases.set(gameId, { owner, token, expiresAt: now + ttl })
        const leftBy = previous === undefined ? undefined : previous.owner === owner ? "us" : "another"
        return { lease: { gameId, owner, token }, leftBy } as const
      })
      if (taken === undefined) return Acquired.Busy()
      const record = yield* statement("reread", gameId, () => {
        const found = state.records.get(gameId)
        return found && stored(found)
      }).pipe(Effect.onError(() => Effect.sync(() => release(taken.lease))))
      if (record !== undefined && !isRecord(record)) {
        release(taken.lease)
        return Acquired.Undecodable({ detail: `game ${printable(gameId)} does not decode` })
      }
      return Acquired.Held({ ...taken, record })
    }),

    renew: (lease) =>
      statement("renew", lease.gameId, (now) => {
        const held = state.leases.get(lease.gameId)
        if (held === undefined || !holds(lease) || held.expiresAt <= now) return false
        state.leases.set(lease.gameId, { ...held, expiresAt: now + ttl })
        return true
      }),

    commit: (lease, { containerId }, row) =>
      statement("commit", lease.gameId, () => {
        const held = holds(lease)
        const record = state.records.get(lease.gameId)
        release(lease)
        if (held && record?.status === "stopped" && record.containerId === containerId) {
          state.records.set(lease.gameId, { ...record, status: "removed", lastOpAt: BigInt(row.finishedAt) * 1000n })
          state.backoffs.delete(lease.gameId)
          if (!hasSuccess(lease.gameId, row.containerId)) log(lease, "success", row)
          return "committed"
        }
        const ours = state.operationLog.some(
          (logged) =>
            logged.gameId === lease.gameId &&
            logged.outcome === "success" &&
            logged.leaseOwner === lease.owner &&
            logged.leaseToken === lease.token
        )
        if (ours) return "committed"
        return record?.status === "removed" ? "already_removed" : "record_moved"
      }),

    settle: (lease, { backoff, failure, keep }) =>
      statement("settle", lease.gameId, () => {
        const held = holds(lease)
        if (held && backoff !== undefined) state.backoffs.set(lease.gameId, backoff)
        if (failure !== undefined && (held || isUnfenced(failure)) && isFailureNews(lease.gameId, failure)) {
          log(lease, "failure", failure)
        }
        if (!keep) release(lease)
      })
  })

  const engine = KnownEngine.of({
    read: statement("readEngine", undefined, () => state.knownEngine),
    remember: (id) =>
      statement("rememberEngine", undefined, () => {
        state.knownEngine ??= { id, braked: false }
        return state.knownEngine
      }),
    brake: (id) =>
      statement("brakeEngine", undefined, () => {
        if (state.knownEngine?.id === id) state.knownEngine = { id, braked: true }
      }),
    accept: (id) =>
      statement("acceptEngine", undefined, () => {
        state.knownEngine = { id, braked: false }
      })
  })

  return Context.make(RuntimeRecords, records).pipe(Context.add(GameLeases, leases), Context.add(KnownEngine, engine))
}

/** The three stores over one shared state, which passes the same suites as PostgreSQL. `owner` is random by default. */
export const layerStores = (options: { readonly leaseTtl: Duration.Input; readonly owner?: string }) =>
  Layer.syncContext(() => {
    const state = makeState()
    const stores = makeStores(state, { ...options, owner: options.owner ?? crypto.randomUUID() })
    return Context.add(stores, StoreState, state)
  })
