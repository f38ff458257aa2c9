import { Duration } from "effect"
import type { ActEnd, ActsPage, AddedAct, KeyedAct } from "../../../src/adapters/postgres/Acts.ts"
import type { Commit } from "../../../src/adapters/postgres/commit.ts"
import type { EngineRow } from "../../../src/adapters/postgres/KnownEngine.ts"
import type { FailedEnd, Taken } from "../../../src/adapters/postgres/leaseStatements.ts"
import type { PassRow } from "../../../src/adapters/postgres/PassLog.ts"
import type { NewPause } from "../../../src/adapters/postgres/Pauses.ts"
import { Outcome } from "../../../src/adapters/postgres/rehearse.ts"
import type { RecordRow as SentRow } from "../../../src/adapters/postgres/rows.ts"
import type { Act, RecordedAct, RequestKey } from "../../../src/domain/Act.ts"
import type { Backlog } from "../../../src/domain/Backlog.ts"
import { isStuck } from "../../../src/domain/Backoff.ts"
import { isContainerId } from "../../../src/domain/ContainerId.ts"
import { dueSince, isBackedOff, isDue, isExpired, type Moment } from "../../../src/domain/Expiry.ts"
import type { GameState } from "../../../src/domain/GamePage.ts"
import type { PlacedHold } from "../../../src/domain/Hold.ts"
import type { ListedEngine } from "../../../src/domain/ListedEngine.ts"
import type { LoggedOperation } from "../../../src/domain/LoggedOperation.ts"
import type { Pause } from "../../../src/domain/Pause.ts"
import { printable } from "../../../src/domain/printable.ts"
import type { RecordedPass } from "../../../src/domain/RecordedPass.ts"
import type { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import type { Hour } from "../../../src/domain/Stats.ts"
import { type Count, countLimit } from "../../../src/domain/Status.ts"
import type { BegunAct } from "../../../src/ports/Acts.ts"
import type { EngineId } from "../../../src/ports/ContainerEngine.ts"
import type { AuditRow, Lease } from "../../../src/ports/GameLeases.ts"
import type { Holds, Removal } from "../../../src/ports/Holds.ts"
import type { LogCursor, LogPage, LogQuery } from "../../../src/ports/OperationLog.ts"
import type { FoundGame, GamesQuery, Waiting } from "../../../src/ports/Overview.ts"
import type { Cursor, FoundRecords, Page, UnknownEngine, Witnesses } from "../../../src/ports/RuntimeRecords.ts"
import type { ActRow, HoldRow, KnownRow, LogRow, PauseRow, RecordRow, Tables } from "./Tables.ts"

/** What each SQL statement of the PostgreSQL adapter does, in one step. `now` is the database's clock. */

const failureRepeatsAfter = Duration.toMillis("24 hours")

const toMicros = (millis: number) => BigInt(Math.floor(millis)) * 1000n

const isInForce = ({ until }: Pick<HoldRow, "until">, now: number) => until === null || until > now

const holdsOn = (tables: Tables, gameId: string) => [...tables.holds.values()].filter((hold) => hold.gameId === gameId)

/** The hold in force that ends last. */
const holdOn = (tables: Tables, now: number, gameId: string) =>
  holdsOn(tables, gameId)
    .filter((hold) => isInForce(hold, now))
    .sort((a, b) => (a.until === b.until ? compare(a.author, b.author) : (b.until ?? Infinity) - (a.until ?? Infinity)))
    .at(0)

const dateOf = (millis: number | null) => (millis === null ? null : new Date(millis))

export const recordOf = (tables: Tables, now: number, { problem: _, ...row }: RecordRow): RuntimeRecord => {
  const hold = holdOn(tables, now, row.gameId)
  return {
    ...row,
    backoff: tables.backoffs.get(row.gameId) ?? null,
    hold: hold === undefined ? null : { author: hold.author, reason: hold.reason, until: dateOf(hold.until) }
  }
}

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

const pageOf = (tables: Tables, now: number, rows: ReadonlyArray<RecordRow>, { after, limit }: PageOptions): Page => {
  const page = rows
    .filter((row) => after === undefined || compareCursors(row, after) > 0)
    .sort(compareCursors)
    .slice(0, limit)
  const last = page.at(-1)
  return {
    records: page.filter(({ problem }) => problem === undefined).map((row) => recordOf(tables, now, row)),
    undecodable: page.filter(({ problem }) => problem !== undefined).map(describe),
    next: last === undefined || page.length < limit ? undefined : { lastOpAt: last.lastOpAt, gameId: last.gameId }
  }
}

const isStopped = ({ status }: RecordRow) => status === "stopped"

const stopped = (tables: Tables, engineName: string) =>
  [...tables.records.values()].filter((row) => isStopped(row) && row.engine === engineName)

export const listDue = (
  tables: Tables,
  engineName: string,
  now: number,
  { moment, ...page }: PageOptions & { readonly moment: Moment }
): Page =>
  pageOf(
    tables,
    now,
    stopped(tables, engineName).filter((row) => isDue(recordOf(tables, now, row), moment)),
    page
  )

/** A place with an id in bytes is none: each id here is a text. */
export const listStopped = (tables: Tables, engineName: string, now: number, page: PageOptions): Page | undefined =>
  page.after?.gameId.startsWith("\0") ? undefined : pageOf(tables, now, stopped(tables, engineName), page)

export const find = (tables: Tables, now: number, gameIds: ReadonlyArray<string>): FoundRecords => {
  const rows = [...tables.records.values()].filter(({ gameId }) => gameIds.includes(gameId))
  return {
    records: rows.filter(({ problem }) => problem === undefined).map((row) => recordOf(tables, now, row)),
    undecodable: rows.filter(({ problem }) => problem !== undefined).map(describe)
  }
}

export const countStopped = (
  tables: Tables,
  engineName: string,
  { from, until }: { readonly from: number; readonly until: number }
): number =>
  stopped(tables, engineName).filter(
    ({ lastOpAt }) => lastOpAt !== null && lastOpAt >= toMicros(from) && lastOpAt < toMicros(until)
  ).length

const stray = (tables: Tables, engineName: string) =>
  [...tables.records.values()].filter(
    (row) => isStopped(row) && row.engine !== engineName && !tables.engines.has(row.engine)
  )

export const unknownEngines = (tables: Tables, engineName: string): ReadonlyArray<UnknownEngine> => {
  const byName = Map.groupBy(stray(tables, engineName), ({ engine }) => engine)
  return [...byName]
    .map(([name, rows]) => ({ name, stopped: rows.length }))
    .sort((a, b) => b.stopped - a.stopped || compare(a.name, b.name))
    .slice(0, 100)
}

export const backlog = (tables: Tables, engineName: string, now: number, moment: Moment): Backlog => {
  const rows = stopped(tables, engineName).map((row) => recordOf(tables, now, row))
  const expired = rows.filter((record) => isExpired(record, moment))
  const due = expired.filter((record) => isDue(record, moment))
  const stuck = expired
    .filter(({ backoff }) => isStuck(backoff))
    .sort((a, b) => (b.backoff?.attempts ?? 0) - (a.backoff?.attempts ?? 0) || compare(a.gameId, b.gameId))
  const isLeased = ({ gameId }: RuntimeRecord) => (tables.leases.get(gameId)?.expiresAt ?? 0) > now
  const since = (record: RuntimeRecord) =>
    Math.max(dueSince(record, moment) ?? 0, ...holdsOn(tables, record.gameId).map(({ until }) => until ?? 0))
  const oldest = (records: ReadonlyArray<RuntimeRecord>) =>
    // PostgreSQL's times have whole microseconds.
    Math.max(0, ...records.map((record) => Math.round((moment.now - since(record)) * 1000) / 1e6))
  return {
    due: due.length,
    backingOff: expired.filter(
      (record) => isBackedOff(record, moment) && !isStuck(record.backoff) && record.hold === null
    ).length,
    leased: due.filter(isLeased).length,
    held: expired.filter(({ hold }) => hold !== null).length,
    stuck: stuck.length,
    stuckGames: stuck.slice(0, 5).map(({ gameId }) => gameId),
    oldestDueAge: oldest(due.filter((record) => !isLeased(record))),
    oldestLeasedAge: oldest(due.filter(isLeased)),
    noTime: rows.filter(({ lastOpAt }) => lastOpAt === null).length,
    future: rows.filter(({ lastOpAt }) => lastOpAt !== null && lastOpAt > BigInt(now) * 1000n).length
  }
}

export const witnesses = (tables: Tables, engineName: string, { cutoff, now }: Moment, byHand?: string): Witnesses => {
  const accepted = tables.engines.get(engineName)?.acceptedAt
  const isSince = ({ lastOpAt }: RecordRow) =>
    accepted === undefined || (lastOpAt !== null && lastOpAt > toMicros(accepted))
  const live = [...tables.records.values()].filter(
    (row) => row.status === "running" && row.engine === engineName && isSince(row)
  )
  const young = stopped(tables, engineName)
    .filter(isSince)
    .filter(
      ({ lastOpAt, problem }) =>
        lastOpAt !== null && problem === undefined && lastOpAt >= toMicros(cutoff) && lastOpAt <= toMicros(now)
    )
    .sort((a, b) => compareCursors(b, a))
  const isByHand = ({ gameId }: RecordRow) => gameId === byHand
  const due = stopped(tables, engineName).filter(
    (row) => isSince(row) && row.lastOpAt !== null && row.lastOpAt < toMicros(cutoff)
  )
  const named = (rows: ReadonlyArray<RecordRow>) => rows.map(({ containerId }) => containerId).filter(isContainerId)
  const names = named([...young.filter(isByHand), ...due.sort(compareCursors)])
  return {
    others: [live, young.filter((row) => !isByHand(row))].flatMap((rows) => named(rows).slice(0, 5)),
    due: [...names.slice(0, 5), ...names.slice(5).slice(-5)]
  }
}

export const take = (
  tables: Tables,
  now: number,
  { gameIds, owner, ttl }: { readonly gameIds: ReadonlyArray<string>; readonly owner: string; readonly ttl: number }
): ReadonlyArray<Taken> =>
  gameIds.toSorted(compare).flatMap((gameId) => {
    const before = tables.leases.get(gameId)
    // A sequence counts on even where the row is not written.
    const token = tables.nextToken()
    if (before !== undefined && before.expiresAt > now) return []
    tables.setLease(gameId, { owner, token, expiresAt: now + ttl, acquiredAt: now })
    return [
      {
        gameId,
        token,
        acquiredAt: String(toMicros(now)),
        leftBy: before === undefined ? null : before.owner === owner ? "us" : "another"
      }
    ]
  })

export const readRecords = (tables: Tables, now: number, gameIds: ReadonlyArray<string>): ReadonlyArray<SentRow> =>
  [...new Set(gameIds)].flatMap((gameId) => {
    const row = tables.records.get(gameId)
    if (row === undefined) return []
    const { attempts = null, lastError = null, nextAttemptAt = null } = tables.backoffs.get(gameId) ?? {}
    const { containerId, engine, imageRef, lastOpAt, problem, status } = row
    const {
      author: heldBy = null,
      reason: holdReason = null,
      until: heldUntil = null
    } = holdOn(tables, now, gameId) ?? {}
    return [
      {
        ...{ gameId, engine, containerId, imageRef, attempts, lastError, nextAttemptAt, heldBy, holdReason, heldUntil },
        status: problem === undefined ? status : null,
        lastOpAt: lastOpAt === null ? null : String(lastOpAt)
      }
    ]
  })

const leased = (tables: Tables, { acquiredAt, gameId, owner, token }: Lease) => {
  const row = tables.leases.get(gameId)
  const isOurs = row?.owner === owner && row.token === token && toMicros(row.acquiredAt ?? 0) === acquiredAt
  return isOurs ? row : undefined
}

export const release = (tables: Tables, lease: Lease) => {
  if (leased(tables, lease)) tables.setLease(lease.gameId, undefined)
}

export const renew = (tables: Tables, now: number, lease: Lease, ttl: number): ReadonlyArray<Lease> => {
  const row = leased(tables, lease)
  if (row === undefined || row.expiresAt <= now) return []
  tables.setLease(lease.gameId, { ...row, expiresAt: now + ttl })
  return [lease]
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

/** How a commit must find the record. */
interface Expected {
  readonly engineName: string
  readonly containerId: string | null
}

const isExpected = (
  { containerId, engine, status }: Pick<RecordRow, "containerId" | "engine" | "status">,
  expected: Expected
) => status === "stopped" && engine === expected.engineName && containerId === expected.containerId

/** Whether the lease was ours, and the record moved. */
export const commit = (tables: Tables, engineName: string, { containerId, lease, row }: Commit) => {
  const { gameId } = lease
  const record = tables.records.get(gameId)
  const seen = record !== undefined && isExpected(record, { engineName, containerId })
  if (leased(tables, lease) === undefined) return { leased: false, seen, moved: false }
  release(tables, lease)
  if (!seen || tables.swallows) return { leased: true, seen, moved: false }
  tables.setRecord(gameId, { ...record, status: "removed", lastOpAt: toMicros(row.finishedAt) })
  if (tables.backoffs.has(gameId)) tables.setBackoff(gameId, undefined)
  if (!isLogged(tables, gameId, row)) tables.addLog(logRow(lease, "success", row))
  return { leased: true, seen, moved: true }
}

/** Passes over every game whose rows are not just as its commit expects them. */
export const commitMany = (tables: Tables, engineName: string, commits: ReadonlyArray<Commit>) =>
  commits
    .toSorted((a, b) => compare(a.lease.gameId, b.lease.gameId))
    .filter(({ containerId, lease }) => {
      const record = tables.records.get(lease.gameId)
      return (
        leased(tables, lease) !== undefined && record !== undefined && isExpected(record, { engineName, containerId })
      )
    })
    .map((one) => ({ ...one.lease, moved: commit(tables, engineName, one).moved }))

/** The record, if it is still stopped with its container. */
export const unchanged = (
  tables: Tables,
  engineName: string,
  { gameId, containerId }: RuntimeRecord
): ReadonlyArray<RecordRow> => {
  const record = tables.records.get(gameId)
  return record !== undefined && isExpected(record, { engineName, containerId }) ? [record] : []
}

/** What is true of the record after all that recording consists of has been done and taken back. */
export const rehearse = (tables: Tables, engineName: string, record: RuntimeRecord): Outcome => {
  if (unchanged(tables, engineName, record).length === 0) return Outcome.MovedOn()
  return tables.swallows ? Outcome.Swallowed({ what: "the change of runtime_records" }) : Outcome.Works()
}

/** After a commit that moved nothing: whether an earlier sending of it did, and what the record is now. */
export const readBack = (
  tables: Tables,
  engineName: string,
  { containerId, lease: { gameId, owner, token } }: Commit
) => ({
  ours: tables.log.some(
    (row) => row.gameId === gameId && row.outcome === "success" && row.leaseOwner === owner && row.leaseToken === token
  ),
  removed: tables.records.get(gameId)?.status === "removed",
  unchanged: isExpected(tables.records.get(gameId) ?? { containerId: null, engine: "", status: "gone" }, {
    engineName,
    containerId
  })
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

export const settle = (tables: Tables, lease: Lease, { afterCommit = false, backoff, failure, keep }: FailedEnd) => {
  const { gameId } = lease
  const isLeased = leased(tables, lease) !== undefined
  if (isLeased && backoff !== undefined) tables.setBackoff(gameId, backoff)
  if ((isLeased || afterCommit) && isNews(tables, gameId, failure)) {
    tables.addLog(logRow(lease, "failure", failure))
  }
  if (!keep) release(tables, lease)
}

export const recognize = (tables: Tables, engineName: string, present: EngineId): ReadonlyArray<EngineRow> =>
  [...tables.engines].flatMap(([name, { id, braked, retention = null }]) =>
    name === engineName || id === present || present.startsWith(`${id}/`) ? [{ name, id, braked, retention }] : []
  )

export const beginPass = (tables: Tables, engineName: string, now: number, present: EngineId) => {
  const seen = recognize(tables, engineName, present)
  const known = tables.engines.get(engineName)
  if (known?.id === present && !known.braked)
    tables.setKnown(engineName, { ...known, lastPassAt: now, lastSeenAt: now })
  return seen
}

export const markSeen = (tables: Tables, engineName: string, now: number) => {
  const known = tables.engines.get(engineName)
  if (known !== undefined) tables.setKnown(engineName, { ...known, lastSeenAt: now })
}

const hasOtherName = (tables: Tables, engineName: string, id: EngineId) =>
  [...tables.engines].some(([name, known]) => name !== engineName && known.id === id)

export const insert = (
  tables: Tables,
  engineName: string,
  now: number,
  { id, passBegins }: { readonly id: EngineId; readonly passBegins: boolean }
) => {
  if (tables.engines.has(engineName) || hasOtherName(tables, engineName, id)) return
  tables.setKnown(engineName, { id, braked: false, ...(passBegins && { lastPassAt: now }), lastSeenAt: now })
}

export const widen = (tables: Tables, engineName: string, from: EngineId, to: EngineId) => {
  const known = tables.engines.get(engineName)
  if (known?.id === from) tables.setKnown(engineName, { ...known, id: to })
}

export const brake = (tables: Tables, engineName: string, id: EngineId) => {
  const known = tables.engines.get(engineName)
  if (known?.id === id) tables.setKnown(engineName, { ...known, braked: true })
}

export const accept = (tables: Tables, engineName: string, now: number, id: EngineId) => {
  const known = tables.engines.get(engineName)
  if (known === undefined || hasOtherName(tables, engineName, id)) return
  tables.setKnown(engineName, { ...known, id, braked: false, acceptedAt: now })
}

export const setRetention = (tables: Tables, engineName: string, retention: number) => {
  const known = tables.engines.get(engineName)
  if (known === undefined) return []
  tables.setKnown(engineName, { ...known, retention })
  return [{ retention: known.retention ?? null }]
}

const knownAs = (name: string, { acceptedAt, braked, id, lastPassAt, lastSeenAt }: KnownRow) => ({
  name,
  engineId: id,
  braked,
  acceptedAt: acceptedAt === undefined ? null : new Date(acceptedAt),
  lastPassAt: lastPassAt === undefined ? null : new Date(lastPassAt),
  lastSeenAt: lastSeenAt === undefined ? null : new Date(lastSeenAt)
})

const unseen = { engineId: null, braked: false, acceptedAt: null, lastPassAt: null, lastSeenAt: null }

export const listEngines = (
  tables: Tables,
  engineName: string,
  now: number,
  cutoff: number
): ReadonlyArray<ListedEngine> =>
  [...new Set([engineName, ...tables.engines.keys()])].sort(compare).map((name) => {
    const known = tables.engines.get(name)
    const rows = stopped(tables, name)
    return {
      ...(known === undefined ? { name, ...unseen } : knownAs(name, known)),
      due: rows.filter((row) => isDue(recordOf(tables, now, row), { now, cutoff })).length,
      stopped: rows.length
    }
  })

const placed = ({ placedAt, until, ...hold }: HoldRow): PlacedHold => ({
  ...hold,
  placedAt: new Date(placedAt),
  until: dateOf(until)
})

const holdsInForce = (tables: Tables, now: number) =>
  [...tables.holds.values()]
    .filter((hold) => isInForce(hold, now))
    .sort((a, b) => compare(a.gameId, b.gameId) || compare(a.author, b.author))

type HoldsPort = Holds["Service"]

export const placeHold = (
  tables: Tables,
  now: number,
  { author, end, gameId, reason }: Parameters<HoldsPort["place"]>[0]
): ReadonlyArray<PlacedHold> => {
  const until = end === null ? null : end instanceof Date ? end.getTime() : now + Duration.toMillis(end)
  const hold = { gameId, author, reason, placedAt: now, until }
  if (!isInForce(hold, now)) return []
  tables.setHold(hold, hold)
  return [placed(hold)]
}

export const releaseHolds = (
  tables: Tables,
  now: number,
  gameId: string,
  { author, grace, seen }: Parameters<HoldsPort["release"]>[1]
): ReadonlyArray<PlacedHold> => {
  const asked = holdsInForce(tables, now).filter(
    (hold) => hold.gameId === gameId && (author === undefined || hold.author === author)
  )
  const isSeen = (hold: HoldRow) =>
    seen === undefined ||
    seen.some(({ author, placedAt }) => author === hold.author && placedAt.getTime() === Math.floor(hold.placedAt))
  return (asked.every(isSeen) ? asked : []).map((hold) => {
    const after = { ...hold, until: Math.min(hold.until ?? Infinity, now + Duration.toMillis(grace)) }
    tables.setHold(hold, after)
    return placed(after)
  })
}

export const withdrawHold = (tables: Tables, hold: PlacedHold, former: PlacedHold | undefined) => {
  const now = [...tables.holds.values()].find(({ author, gameId }) => gameId === hold.gameId && author === hold.author)
  if (now?.placedAt !== hold.placedAt.getTime()) return
  tables.setHold(
    now,
    former && { ...former, placedAt: former.placedAt.getTime(), until: former.until?.getTime() ?? null }
  )
}

export const removedBy = (tables: Tables, gameId: string): ReadonlyArray<Removal> =>
  tables.log
    .flatMap(({ containerId, finishedAt, opSource, outcome, traceId, ...row }, id) =>
      row.gameId === gameId && outcome === "success"
        ? [{ id: BigInt(id), containerId, opSource, finishedAt: new Date(finishedAt), traceId }]
        : []
    )
    .slice(-1)

export const holdsOf = (tables: Tables, now: number, gameId: string): ReadonlyArray<PlacedHold> =>
  holdsInForce(tables, now)
    .filter((hold) => hold.gameId === gameId)
    .map(placed)

export const listHolds = (
  tables: Tables,
  now: number,
  { after, limit }: Parameters<HoldsPort["list"]>[0]
): ReadonlyArray<PlacedHold> =>
  holdsInForce(tables, now)
    .filter(
      (hold) => after === undefined || (compare(hold.gameId, after.gameId) || compare(hold.author, after.author)) > 0
    )
    .slice(0, limit)
    .map(placed)

export const countHolds = (tables: Tables, now: number) => [{ count: holdsInForce(tables, now).length }]
const asPause = ({ pausedAt, until, ...row }: PauseRow): Pause => ({
  ...row,
  pausedAt: new Date(pausedAt),
  until: until === null ? null : new Date(until)
})

export const currentPause = ({ pause }: Tables, now: number): ReadonlyArray<Pause> =>
  pause === undefined || (pause.until ?? Infinity) <= now ? [] : [asPause(pause)]

export const pause = (tables: Tables, now: number, { author, duration, reason }: NewPause) => {
  const until = duration === undefined ? null : now + Duration.toMillis(duration)
  const [present] = currentPause(tables, now)
  const lasts = present === undefined ? -Infinity : (present.until?.getTime() ?? Infinity)
  if (present !== undefined && present.author !== author && lasts > (until ?? Infinity)) return []
  const row = { author, reason, pausedAt: now, until }
  tables.setPause(row)
  return [asPause(row)]
}

export const resume = (tables: Tables, now: number): ReadonlyArray<Pause> => {
  const ended = currentPause(tables, now)
  if (tables.pause !== undefined) tables.setPause(undefined)
  return ended
}

const endedHoldsAreKeptFor = Duration.toMillis("24 hours")

export const beginPassUnpaused = (tables: Tables, now: number): ReadonlyArray<Pause> => {
  for (const hold of tables.holds.values()) {
    if (hold.until !== null && hold.until < now - endedHoldsAreKeptFor) tables.setHold(hold, undefined)
  }
  return currentPause(tables, now)
}

const isPlanTaken = (tables: Tables, { act, target }: Act) =>
  act === "plan_apply" &&
  [...tables.acts.values()].some((row) => row.act === act && row.target === target && row.result !== "refused")

const isKeyTaken = (tables: Tables, author: string, key: RequestKey | undefined) =>
  key !== undefined && [...tables.acts.values()].some((row) => row.author === author && row.key?.key === key.key)

const addAct = (
  tables: Tables,
  now: number,
  act: Act & Pick<ActRow, "key" | "endedAt" | "result" | "message">
): ReadonlyArray<AddedAct> => {
  if (isKeyTaken(tables, act.author, act.key)) return []
  const id = BigInt(tables.acts.size + 1)
  tables.setAct({ ...act, id, askedAt: now })
  return [{ id, askedAt: String(toMicros(now)) }]
}

export const beginAct = (tables: Tables, now: number, act: Act, key: RequestKey | undefined) =>
  isPlanTaken(tables, act) ? [] : addAct(tables, now, { ...act, key, endedAt: null, result: null, message: null })

export const addEndedAct = (tables: Tables, now: number, act: Act & Pick<ActRow, "key">, end: ActEnd) =>
  addAct(tables, now, { ...act, endedAt: now, ...end })

export const endAct = (tables: Tables, now: number, { askedAt, id }: BegunAct, end: ActEnd) => {
  const row = tables.acts.get(id)
  if (row?.result === null && toMicros(row.askedAt) === askedAt) tables.setAct({ ...row, ...end, endedAt: now })
}

const recordedAct = ({ askedAt, endedAt, key: _, ...row }: ActRow): RecordedAct => ({
  ...row,
  askedAt: new Date(askedAt),
  endedAt: dateOf(endedAt)
})

export const keyedAct = (tables: Tables, author: string, key: string): ReadonlyArray<KeyedAct> =>
  [...tables.acts.values()]
    .filter((row) => row.author === author && row.key?.key === key)
    .map((row) => ({ ...recordedAct(row), requestHash: row.key?.requestHash ?? null }))

export const listActs = (tables: Tables, { before, limit, target }: ActsPage): ReadonlyArray<RecordedAct> =>
  [...tables.acts.values()]
    .filter((row) => (target === undefined || row.target === target) && (before === undefined || row.id < before))
    .toReversed()
    .slice(0, limit)
    .map(recordedAct)

const passesAreKeptFor = Duration.toMillis("90 days")

export const writePass = (
  tables: Tables,
  { engineName, owner }: { readonly engineName: string; readonly owner: string },
  now: number,
  { end, seconds, ...row }: PassRow
) => {
  for (const [id, { updatedAt }] of tables.passes) {
    if (now - updatedAt.getTime() > passesAreKeptFor) tables.setPass(id, undefined)
  }
  const before = tables.passes.get(row.id)
  if (before !== undefined && before.endedAt !== null) return
  tables.setPass(row.id, {
    ...row,
    engine: engineName,
    owner,
    startedAt: before?.startedAt ?? new Date(now - seconds * 1000),
    updatedAt: new Date(now),
    endedAt: end === undefined ? null : new Date(now),
    result: end?.result ?? null,
    reason: end?.reason ?? null,
    message: end?.message ?? null,
    due: row.due ?? before?.due ?? null
  })
}

export const listPasses = (
  tables: Tables,
  limit: number,
  isWanted: (pass: RecordedPass) => boolean = () => true
): ReadonlyArray<RecordedPass> =>
  [...tables.passes.values()]
    .filter(isWanted)
    .sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime())
    .slice(0, limit)

export const findPass = (tables: Tables, id: string): ReadonlyArray<RecordedPass> => {
  const pass = tables.passes.get(id)
  return pass === undefined ? [] : [pass]
}

const hour = Duration.toMillis("1 hour")

export const passHours = (tables: Tables, now: number, hours: number): ReadonlyArray<Hour> => {
  const hourOf = (millis: number) => Math.floor(millis / hour) * hour
  const passes = [...tables.passes.values()]
  return Array.from({ length: hours }, (_, i) => {
    const at = hourOf(now) - (hours - 1 - i) * hour
    const within = passes.filter(({ updatedAt }) => hourOf(updatedAt.getTime()) === at)
    const sum = (count: "removed" | "alreadyAbsent" | "conflict" | "failed") =>
      within.reduce((total, pass) => total + pass[count], 0)
    return {
      at: new Date(at),
      passes: within.length,
      removed: sum("removed"),
      alreadyAbsent: sum("alreadyAbsent"),
      conflict: sum("conflict"),
      failed: sum("failed"),
      lagMax: within.reduce<number | null>(
        (most, { lagMax }) => (lagMax === null ? most : Math.max(lagMax, most ?? lagMax)),
        null
      )
    }
  })
}

export const listOperations = (
  tables: Tables,
  {
    before,
    gameId,
    limit,
    outcome,
    since = -Infinity
  }: LogQuery & { readonly before?: LogCursor | undefined; readonly limit: number }
): LogPage => {
  const rows = tables.log
    .map((row, index) => ({ row, id: BigInt(index + 1), finishedAt: toMicros(row.finishedAt) }))
    .filter(({ row }) => gameId === undefined || row.gameId === gameId)
    .filter(({ row }) => outcome === undefined || row.outcome === outcome)
    .filter(({ row }) => row.finishedAt >= since)
  const order = (a: (typeof rows)[number], b: Omit<(typeof rows)[number], "row">) =>
    (gameId === undefined ? compare(b.finishedAt, a.finishedAt) : 0) || compare(b.id, a.id)
  const page = rows
    .filter((row) => before === undefined || order(row, { id: before.id, finishedAt: before.finishedAt ?? 0n }) > 0)
    .sort(order)
    .slice(0, limit)
  const last = page.at(-1)
  return {
    operations: page.map(({ id, row }): LoggedOperation => {
      const { leaseOwner: _, leaseToken: __, finishedAt, startedAt, ...more } = row
      return { ...more, id, startedAt: new Date(startedAt), finishedAt: new Date(finishedAt) }
    }),
    next: last === undefined || page.length < limit ? undefined : { finishedAt: last.finishedAt, id: last.id }
  }
}

export const findGame = (tables: Tables, now: number, gameId: string): FoundGame => {
  const row = tables.records.get(gameId)
  const lease = tables.leases.get(gameId)
  return {
    record: row === undefined || row.problem !== undefined ? undefined : recordOf(tables, now, row),
    problem: row?.problem === undefined ? undefined : describe(row),
    lease: lease && {
      owner: lease.owner,
      since: new Date(lease.acquiredAt ?? 0),
      until: new Date(Math.min(lease.expiresAt, 8.64e15))
    }
  }
}

const isInState: Record<GameState, (record: RuntimeRecord, moment: Moment) => boolean> = {
  stopped: () => true,
  due: isDue,
  held: ({ hold }) => hold !== null,
  backing_off: (record, moment) => isExpired(record, moment) && isBackedOff(record, moment) && !isStuck(record.backoff),
  stuck: (record, moment) => isExpired(record, moment) && isStuck(record.backoff)
}

const toBytes = (text: string) => Buffer.from(text).toString("hex")

/** `undefined` if these are no text's bytes. */
const fromBytes = (hex: string) => {
  const text = Buffer.from(hex, "hex").toString()
  return toBytes(text) === hex && !text.includes("\0") ? text : undefined
}

/** No row here has an infinite time. */
const timeOf = (time: string | null) => {
  if (time === null || time === "infinity") return null
  return time === "-infinity" ? -(2n ** 80n) : BigInt(time)
}

export const listGames = (tables: Tables, now: number, { after, engine, limit, moment, state }: GamesQuery) => {
  const byTime = state === "due" || state === "stopped"
  const [afterEngine, afterId] = [fromBytes(after?.engine ?? ""), fromBytes(after?.gameId ?? "")]
  if (afterEngine === undefined || afterId === undefined) return undefined
  const place = { engine: engine ?? afterEngine, gameId: afterId, lastOpAt: timeOf(after?.lastOpAt ?? null) }
  const order = (a: typeof place, b: typeof place) =>
    byTime ? compare(a.engine, b.engine) || compareCursors(a, b) : compare(a.gameId, b.gameId)
  const page = [...tables.records.values()]
    .filter((row) => isStopped(row) && (engine === undefined || row.engine === engine))
    .map((row) => recordOf(tables, now, row))
    .filter((record) => isInState[state](record, moment) && (after === undefined || order(record, place) > 0))
    .sort(order)
    .slice(0, limit)
  const last = page.at(-1)
  return {
    games: page.map(({ containerId: _, imageRef: __, ...game }) => game),
    next:
      last === undefined || page.length < limit
        ? undefined
        : {
            ...{ state, engine: toBytes(last.engine), gameId: toBytes(last.gameId) },
            lastOpAt: last.lastOpAt === null ? null : String(last.lastOpAt)
          }
  }
}

const counted = (rows: ReadonlyArray<unknown>): Count => ({
  count: Math.min(rows.length, countLimit),
  more: rows.length > countLimit
})

export const overview = (tables: Tables, engineName: string, now: number, moment: Moment, limit: number) => {
  const rows = stopped(tables, engineName).map((row) => recordOf(tables, now, row))
  const expired = rows.filter((record) => isExpired(record, moment))
  const isLeased = ({ gameId }: RuntimeRecord) => (tables.leases.get(gameId)?.expiresAt ?? 0) > now
  const at = (record: RuntimeRecord) => {
    const { hold } = record
    return Math.max(
      dueSince(record, moment) ?? Infinity,
      hold === null ? -Infinity : (hold.until?.getTime() ?? Infinity)
    )
  }
  return {
    counts: {
      stopped: counted(rows),
      due: counted(expired.filter((record) => isDue(record, moment))),
      backingOff: counted(expired.filter((record) => isBackedOff(record, moment) && !isStuck(record.backoff))),
      held: counted(rows.filter(({ hold }) => hold !== null)),
      leased: counted(expired.filter(isLeased)),
      stuck: counted(expired.filter(({ backoff }) => isStuck(backoff)))
    },
    next: rows
      .sort((a, b) => at(a) - at(b) || compareCursors(a, b))
      .flatMap((record): ReadonlyArray<Waiting> => {
        const { backoff, gameId, hold, lastOpAt } = record
        if (lastOpAt === null || at(record) === Infinity) return []
        const nextAttemptAt = isBackedOff(record, moment) ? (backoff?.nextAttemptAt ?? null) : null
        return [{ gameId, lastOpAt, nextAttemptAt, hold }]
      })
      .slice(0, limit)
  }
}

export const engines = (tables: Tables) =>
  [...tables.engines].sort(([a], [b]) => compare(a, b)).map(([name, known]) => knownAs(name, known))
