import { Duration } from "effect"
import type { Backlog } from "../../../src/domain/Backlog.ts"
import { isStuck } from "../../../src/domain/Backoff.ts"
import { isContainerId } from "../../../src/domain/ContainerId.ts"
import { isBackedOff, isDue, isExpired, lagSeconds, type Moment } from "../../../src/domain/Expiry.ts"
import { printable } from "../../../src/domain/printable.ts"
import type { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import type { EngineId } from "../../../src/ports/ContainerEngine.ts"
import type { AuditRow, Lease, SettledEnd } from "../../../src/ports/GameLeases.ts"
import type { Cursor, Page, Witnesses } from "../../../src/ports/RuntimeRecords.ts"
import type { LogRow, RecordRow, Tables } from "./Tables.ts"

/** What each SQL statement of the PostgreSQL adapter does, in one step. `now` is the database's clock. */

const failureRepeatsAfter = Duration.toMillis("24 hours")

const toMicros = (millis: number) => BigInt(Math.floor(millis)) * 1000n

const recordOf = (tables: Tables, { problem: _, ...row }: RecordRow): RuntimeRecord => ({
  ...row,
  backoff: tables.backoffs.get(row.gameId) ?? null
})

const compare = <A extends string | bigint>(a: A, b: A): number => (a < b ? -1 : a > b ? 1 : 0)

/** `last_op_at`, then `game_id`; records without a time come last. */
const compareCursors = (a: Cursor, b: Cursor): number => {
  if (a.lastOpAt === null || b.lastOpAt === null) {
    return Number(a.lastOpAt === null) - Number(b.lastOpAt === null) || compare(a.gameId, b.gameId)
  }
  return compare(a.lastOpAt, b.lastOpAt) || compare(a.gameId, b.gameId)
}

interface PageOptions {
  readonly after: Cursor | undefined
  readonly limit: number
}

const describe = ({ gameId, problem }: RecordRow) => `game ${printable(gameId)}: ${problem}`

const pageOf = (tables: Tables, rows: ReadonlyArray<RecordRow>, { after, limit }: PageOptions): Page => {
  const page = rows
    .filter((row) => after === undefined || compareCursors(row, after) > 0)
    .sort(compareCursors)
    .slice(0, limit)
  const last = page.at(-1)
  return {
    records: page.filter(({ problem }) => problem === undefined).map((row) => recordOf(tables, row)),
    undecodable: page.filter(({ problem }) => problem !== undefined).map(describe),
    next: last === undefined || page.length < limit ? undefined : { lastOpAt: last.lastOpAt, gameId: last.gameId }
  }
}

const stopped = (tables: Tables) => [...tables.records.values()].filter(({ status }) => status === "stopped")

export const listDue = (tables: Tables, { moment, ...page }: PageOptions & { readonly moment: Moment }): Page =>
  pageOf(
    tables,
    stopped(tables).filter((row) => isDue(recordOf(tables, row), moment)),
    page
  )

export const listStopped = (tables: Tables, page: PageOptions): Page => pageOf(tables, stopped(tables), page)

export const backlog = (tables: Tables, now: number, moment: Moment): Backlog => {
  const rows = stopped(tables).map((row) => recordOf(tables, row))
  const expired = rows.filter((record) => isExpired(record, moment))
  const due = expired.filter((record) => !isBackedOff(record, moment))
  const stuck = expired
    .filter(({ backoff }) => isStuck(backoff))
    .sort((a, b) => (b.backoff?.attempts ?? 0) - (a.backoff?.attempts ?? 0) || compare(a.gameId, b.gameId))
  const oldest = due.flatMap(({ lastOpAt }) => (lastOpAt === null ? [] : [lastOpAt])).sort(compare)[0]
  return {
    due: due.length,
    backingOff: expired.filter((record) => isBackedOff(record, moment) && !isStuck(record.backoff)).length,
    held: due.filter(({ gameId }) => (tables.leases.get(gameId)?.expiresAt ?? 0) > now).length,
    stuck: stuck.length,
    stuckGames: stuck.slice(0, 5).map(({ gameId }) => gameId),
    oldestDueAge: oldest === undefined ? 0 : lagSeconds(oldest, moment, moment.now),
    noTime: rows.filter(({ lastOpAt }) => lastOpAt === null).length,
    future: rows.filter(({ lastOpAt }) => lastOpAt !== null && lastOpAt > BigInt(now) * 1000n).length
  }
}

export const witnesses = (tables: Tables, { cutoff, now }: Moment): Witnesses => {
  const accepted = tables.known?.acceptedAt
  const isSince = ({ lastOpAt }: RecordRow) =>
    accepted === undefined || (lastOpAt !== null && lastOpAt > toMicros(accepted))
  const live = [...tables.records.values()].filter((row) => row.status === "running" && isSince(row))
  const young = stopped(tables)
    .filter(isSince)
    .filter(
      ({ lastOpAt, problem }) =>
        lastOpAt !== null && problem === undefined && lastOpAt >= toMicros(cutoff) && lastOpAt <= toMicros(now)
    )
    .sort((a, b) => compareCursors(b, a))
  const due = stopped(tables).filter((row) => isSince(row) && row.lastOpAt !== null && row.lastOpAt < toMicros(cutoff))
  const named = (rows: ReadonlyArray<RecordRow>) => rows.map(({ containerId }) => containerId).filter(isContainerId)
  return { others: [live, young].flatMap((rows) => named(rows).slice(0, 5)), due: named(due).length }
}

export const acquire = (
  tables: Tables,
  now: number,
  { gameId, owner, ttl }: { readonly gameId: string; readonly owner: string; readonly ttl: number }
) => {
  const before = tables.leases.get(gameId)
  // A sequence counts on even where the row is not written.
  const token = tables.nextToken()
  if (before !== undefined && before.expiresAt > now) return undefined
  tables.setLease(gameId, { owner, token, expiresAt: now + ttl })
  const leftBy = before === undefined ? undefined : before.owner === owner ? ("us" as const) : ("another" as const)
  return { token, leftBy }
}

/** The record, `undefined` if it is gone, or what is wrong with its row. */
export const reread = (tables: Tables, gameId: string): RuntimeRecord | string | undefined => {
  const row = tables.records.get(gameId)
  if (row?.problem !== undefined) return describe(row)
  return row && recordOf(tables, row)
}

const held = (tables: Tables, { gameId, owner, token }: Lease) => {
  const row = tables.leases.get(gameId)
  return row !== undefined && row.owner === owner && row.token === token ? row : undefined
}

export const release = (tables: Tables, lease: Lease) => {
  if (held(tables, lease)) tables.setLease(lease.gameId, undefined)
}

export const renew = (tables: Tables, now: number, lease: Lease, ttl: number): boolean => {
  const row = held(tables, lease)
  if (row === undefined || row.expiresAt <= now) return false
  tables.setLease(lease.gameId, { ...row, expiresAt: now + ttl })
  return true
}

const logRow = ({ gameId, owner, token }: Lease, outcome: LogRow["outcome"], row: AuditRow): LogRow => ({
  ...row,
  gameId,
  outcome,
  leaseOwner: owner,
  leaseToken: token
})

/** `operation_log` has one success row per game and container. */
const isLogged = (tables: Tables, gameId: string, { containerId }: AuditRow) =>
  containerId !== null &&
  tables.log.some((row) => row.outcome === "success" && row.gameId === gameId && row.containerId === containerId)

/** Whether the commit's rows are just as it expects them: the statement for many passes over every other game. */
export const isPlain = (tables: Tables, lease: Lease, containerId: string | null): boolean => {
  const record = tables.records.get(lease.gameId)
  return held(tables, lease) !== undefined && record !== undefined && isExpected(record, containerId)
}

const isExpected = ({ containerId, status }: Pick<RecordRow, "containerId" | "status">, expected: string | null) =>
  status === "stopped" && containerId === expected

/** Whether the record moved, and if not, whether the lease was ours. */
export const commit = (
  tables: Tables,
  lease: Lease,
  containerId: string | null,
  row: AuditRow
): "moved" | "held" | "not_held" => {
  const { gameId } = lease
  if (held(tables, lease) === undefined) return "not_held"
  release(tables, lease)
  const record = tables.records.get(gameId)
  if (record === undefined || !isExpected(record, containerId) || tables.swallows) return "held"
  tables.setRecord(gameId, { ...record, status: "removed", lastOpAt: toMicros(row.finishedAt) })
  if (tables.backoffs.has(gameId)) tables.setBackoff(gameId, undefined)
  if (!isLogged(tables, gameId, row)) tables.addLog(logRow(lease, "success", row))
  return "moved"
}

/** What is true of the record after all that recording consists of has been done and taken back. */
export const rehearse = (
  tables: Tables,
  { gameId, containerId }: RuntimeRecord
): "works" | "moved_on" | "swallowed" => {
  const record = tables.records.get(gameId)
  if (record === undefined || !isExpected(record, containerId)) return "moved_on"
  return tables.swallows ? "swallowed" : "works"
}

/** After a commit that moved nothing: whether an earlier sending of it did, and what the record is now. */
export const readBack = (tables: Tables, { gameId, owner, token }: Lease, containerId: string | null) => ({
  ours: tables.log.some(
    (row) => row.gameId === gameId && row.outcome === "success" && row.leaseOwner === owner && row.leaseToken === token
  ),
  removed: tables.records.get(gameId)?.status === "removed",
  unchanged: isExpected(tables.records.get(gameId) ?? { containerId: null, status: "gone" }, containerId)
})

const isNews = (tables: Tables, gameId: string, row: AuditRow) => {
  const last = tables.log.findLast((logged) => logged.gameId === gameId)
  return (
    last === undefined ||
    last.errorCode !== row.errorCode ||
    last.containerId !== row.containerId ||
    row.finishedAt - last.finishedAt >= failureRepeatsAfter
  )
}

export const settle = (
  tables: Tables,
  lease: Lease,
  failure: AuditRow,
  { afterCommit = false, backoff, keep }: SettledEnd
) => {
  const { gameId } = lease
  const isHeld = held(tables, lease) !== undefined
  if (isHeld && backoff !== undefined) tables.setBackoff(gameId, backoff)
  if ((isHeld || afterCommit) && isNews(tables, gameId, failure)) {
    tables.addLog(logRow(lease, "failure", failure))
  }
  if (!keep) release(tables, lease)
}

export const remember = (tables: Tables, id: EngineId) => {
  if (tables.known === undefined) tables.setKnown({ id, braked: false })
}

export const widen = (tables: Tables, from: EngineId, to: EngineId) => {
  if (tables.known?.id === from) tables.setKnown({ ...tables.known, id: to })
}

export const brake = (tables: Tables, id: EngineId) => {
  if (tables.known?.id === id) tables.setKnown({ ...tables.known, braked: true })
}

export const accept = (tables: Tables, now: number, id: EngineId) =>
  tables.setKnown({ id, braked: false, acceptedAt: now })
