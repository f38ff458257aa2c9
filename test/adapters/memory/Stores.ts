import { Clock, Context, Duration, Effect, Layer, Schema } from "effect"
import { printable } from "../../../src/domain/printable.ts"
import { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import { Acquired, type AuditRow, GameLeases, type Lease } from "../../../src/ports/GameLeases.ts"
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

const make = (options: { readonly leaseTtl: Duration.Input; readonly owner?: string }) => {
  const ttl = Duration.toMillis(options.leaseTtl)
  const owner = options.owner ?? crypto.randomUUID()
  let lastToken = 0n

  const state = StoreState.of({
    records: new Map(),
    operationLog: [],
    leases: new Map(),
    clockOffset: Duration.zero,
    knownEngine: undefined,
    intercept: passThrough,
    interceptAnswer: passThrough
  })

  const now = Effect.map(Clock.currentTimeMillis, (millis) => Math.floor(millis + Duration.toMillis(state.clockOffset)))

  const statement = <A>(operation: StoreOperation, gameId: string | undefined, run: (now: number) => A) =>
    Effect.suspend(() => state.intercept(operation, gameId)).pipe(
      Effect.andThen(Effect.map(now, run)),
      Effect.tap(() => state.interceptAnswer(operation, gameId))
    )

  const stopped = () => [...state.records.values()].filter((record) => record.status === "stopped")
  const isBefore = (record: RuntimeRecord, cutoff: number) =>
    record.lastOpAt !== null && record.lastOpAt < BigInt(cutoff) * 1000n

  const records = RuntimeRecords.of({
    clock: statement("clock", undefined, (now) => now),
    listDue: ({ cutoff, after, limit }) =>
      statement("listDue", undefined, () =>
        pageOf(
          stopped().filter((record) => isBefore(record, cutoff)),
          after,
          limit
        )
      ),
    listStopped: ({ after, limit }) => statement("listStopped", undefined, () => pageOf(stopped(), after, limit)),
    backlog: (cutoff) =>
      statement("backlog", undefined, (now) => {
        const due = stopped().filter((record) => isBefore(record, cutoff))
        const oldest = due.map((record) => Number(record.lastOpAt) / 1000)
        return {
          due: due.length,
          oldestDueAge: due.length === 0 ? 0 : (cutoff - Math.min(...oldest)) / 1000,
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
        const token = ++lastToken
        state.leases.set(gameId, { owner, token, expiresAt: now + ttl })
        return { lease: { gameId, owner, token }, takenOver: previous !== undefined && previous.owner !== owner }
      })
      if (taken === undefined) return Acquired.Busy()
      const record = yield* statement("reread", gameId, () => state.records.get(gameId)).pipe(
        Effect.onError(() => Effect.sync(() => release(taken.lease)))
      )
      if (record !== undefined && !isRecord(record)) {
        release(taken.lease)
        return Acquired.Undecodable({ detail: `game ${printable(gameId)} does not decode` })
      }
      return Acquired.Held({ ...taken, record })
    }),

    commit: (lease, { containerId }, row) =>
      statement("commit", lease.gameId, () => {
        const held = holds(lease)
        const record = state.records.get(lease.gameId)
        release(lease)
        if (held && record?.status === "stopped" && record.containerId === containerId) {
          state.records.set(lease.gameId, { ...record, status: "removed", lastOpAt: BigInt(row.finishedAt) * 1000n })
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

    settle: (lease, { failure, keep }) =>
      statement("settle", lease.gameId, () => {
        if (failure !== undefined && isFailureNews(lease.gameId, failure)) log(lease, "failure", failure)
        if (!keep) release(lease)
      })
  })

  const engine = KnownEngine.of({
    read: statement("readEngine", undefined, () => state.knownEngine),
    remember: (id) =>
      statement("rememberEngine", undefined, () => {
        state.knownEngine ??= id
        return state.knownEngine
      }),
    accept: (id) =>
      statement("acceptEngine", undefined, () => {
        state.knownEngine = id
      })
  })

  return Context.make(StoreState, state).pipe(
    Context.add(RuntimeRecords, records),
    Context.add(GameLeases, leases),
    Context.add(KnownEngine, engine)
  )
}

/** The three stores over one shared state, which passes the same suites as PostgreSQL. `owner` is random by default. */
export const layerStores = (options: { readonly leaseTtl: Duration.Input; readonly owner?: string }) =>
  Layer.effectContext(Effect.sync(() => make(options)))
