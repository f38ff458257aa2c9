import type { Act, ActResult, RequestKey } from "../../../src/domain/Act.ts"
import type { Backoff } from "../../../src/domain/Backoff.ts"
import type { RecordedPass } from "../../../src/domain/RecordedPass.ts"
import type { EngineId } from "../../../src/ports/ContainerEngine.ts"
import type { AuditRow } from "../../../src/ports/GameLeases.ts"

/** A row of `runtime_records`. */
export interface RecordRow {
  readonly gameId: string
  readonly engine: string
  readonly status: string
  readonly containerId: string | null
  readonly imageRef: string | null
  /** Whole microseconds since 1970; `null` where the column is NULL or infinite. */
  readonly lastOpAt: bigint | null
  /** What is wrong with a row that does not decode. */
  readonly problem?: string
}

/** A row of `game_leases`; `expiresAt` is Unix milliseconds by the database's clock. */
export interface LeaseRow {
  readonly owner: string
  readonly token: bigint
  readonly expiresAt: number
  /** Unix milliseconds too; absent: it does not matter. */
  readonly acquiredAt?: number
}

/** A row of `operation_log`. */
export interface LogRow extends AuditRow {
  readonly gameId: string
  readonly outcome: "success" | "failure"
  readonly leaseOwner: string
  readonly leaseToken: bigint
}

/** A row of `cleanup_engines`. */
export interface KnownRow {
  readonly id: EngineId
  readonly braked: boolean
  /** When a pass over it last began, Unix milliseconds; absent: never. */
  readonly lastPassAt?: number
  /** When a service of its name was last there, Unix milliseconds; absent: never. */
  readonly lastSeenAt?: number
  /** When a person last accepted it, Unix milliseconds; absent: never. */
  readonly acceptedAt?: number
  /** Milliseconds; absent: none is stored. */
  readonly retention?: number
}

/** A row of `cleanup_holds`; times are Unix milliseconds by the database's clock. */
export interface HoldRow {
  readonly gameId: string
  readonly author: string
  readonly reason: string
  readonly placedAt: number
  /** `null`: until it is released. */
  readonly until: number | null
}

/** A row of `cleanup_acts`; times are Unix milliseconds. */
export interface ActRow extends Act {
  readonly id: bigint
  readonly askedAt: number
  readonly endedAt: number | null
  readonly result: ActResult | null
  readonly message: string | null
  readonly key: RequestKey | undefined
}

/** The row of `cleanup_pause`; times are Unix milliseconds. */
export interface PauseRow {
  readonly author: string
  readonly reason: string
  readonly pausedAt: number
  readonly until: number | null
}

interface Rows {
  readonly records: RecordRow
  readonly leases: LeaseRow
  readonly backoffs: Backoff
}

/** What one statement did to one row; `undefined` where there is none. */
export type Change =
  | { [Table in keyof Rows]: RowChange<Table, Rows[Table]> }[keyof Rows]
  | { readonly table: "log"; readonly row: LogRow }
  | {
      readonly table: "known"
      readonly name: string
      readonly before: KnownRow | undefined
      readonly after: KnownRow
    }
  | {
      readonly table: "holds"
      readonly key: string
      readonly before: HoldRow | undefined
      readonly after: HoldRow | undefined
    }
  | { readonly table: "acts"; readonly id: bigint; readonly before: ActRow | undefined }
  | { readonly table: "pause"; readonly before: PauseRow | undefined }
  | {
      readonly table: "passes"
      readonly id: string
      readonly before: RecordedPass | undefined
      readonly after: RecordedPass | undefined
    }
  | { readonly table: "token" }

interface RowChange<Table, Row> {
  readonly table: Table
  readonly gameId: string
  readonly before: Row | undefined
  readonly after: Row | undefined
}

/** The database's tables, which remember what each statement changed, so that the last commits can be lost. */
export class Tables {
  readonly records = new Map<string, RecordRow>()
  readonly leases = new Map<string, LeaseRow>()
  readonly backoffs = new Map<string, Backoff>()
  /** By game and author. */
  readonly holds = new Map<string, HoldRow>()
  readonly log: Array<LogRow> = []
  /** By the engine's name. */
  readonly engines = new Map<string, KnownRow>()
  readonly acts = new Map<bigint, ActRow>()
  pause: PauseRow | undefined
  readonly passes = new Map<string, RecordedPass>()
  /** A trigger lets no record move, without a word. */
  swallows = false
  /** The sequence that lease tokens come from. */
  lastToken = 0n
  private changes: Array<Change> = []
  private readonly history: Array<ReadonlyArray<Change>> = []

  setRecord(gameId: string, after: RecordRow | undefined) {
    this.changes.push({ table: "records", gameId, before: this.records.get(gameId), after })
    put(this.records, gameId, after)
  }

  setLease(gameId: string, after: LeaseRow | undefined) {
    this.changes.push({ table: "leases", gameId, before: this.leases.get(gameId), after })
    put(this.leases, gameId, after)
  }

  setBackoff(gameId: string, after: Backoff | undefined) {
    this.changes.push({ table: "backoffs", gameId, before: this.backoffs.get(gameId), after })
    put(this.backoffs, gameId, after)
  }

  setHold({ author, gameId }: Pick<HoldRow, "gameId" | "author">, after: HoldRow | undefined) {
    const key = JSON.stringify([gameId, author])
    this.changes.push({ table: "holds", key, before: this.holds.get(key), after })
    put(this.holds, key, after)
  }

  addLog(row: LogRow) {
    this.changes.push({ table: "log", row })
    this.log.push(row)
  }

  setKnown(name: string, after: KnownRow) {
    this.changes.push({ table: "known", name, before: this.engines.get(name), after })
    this.engines.set(name, after)
  }

  setAct(after: ActRow) {
    this.changes.push({ table: "acts", id: after.id, before: this.acts.get(after.id) })
    this.acts.set(after.id, after)
  }

  setPause(after: PauseRow | undefined) {
    this.changes.push({ table: "pause", before: this.pause })
    this.pause = after
  }

  setPass(id: string, after: RecordedPass | undefined) {
    this.changes.push({ table: "passes", id, before: this.passes.get(id), after })
    put(this.passes, id, after)
  }

  nextToken(): bigint {
    this.changes.push({ table: "token" })
    return ++this.lastToken
  }

  /** Ends a statement: what it changed. */
  commit(): ReadonlyArray<Change> {
    const { changes } = this
    if (changes.length === 0) return changes
    this.changes = []
    this.history.push(changes)
    return changes
  }

  /** What was committed until now cannot be lost. */
  keepFromHere() {
    this.history.length = 0
  }

  /** Undoes the last commits, as a standby that did not have them yet; returns what is lost. */
  lose(commits: number): ReadonlyArray<Change> {
    const lost = this.history.splice(-commits).flat()
    for (const change of lost.toReversed()) this.undo(change)
    return lost
  }

  private undo(change: Change) {
    switch (change.table) {
      case "records":
        return put(this.records, change.gameId, change.before)
      case "leases":
        return put(this.leases, change.gameId, change.before)
      case "backoffs":
        return put(this.backoffs, change.gameId, change.before)
      case "holds":
        return put(this.holds, change.key, change.before)
      case "log":
        return void this.log.pop()
      case "known":
        return put(this.engines, change.name, change.before)
      case "acts":
        return put(this.acts, change.id, change.before)
      case "pause":
        this.pause = change.before
        return
      case "passes":
        return put(this.passes, change.id, change.before)
      case "token":
        this.lastToken--
        return
    }
  }
}

const put = <Key, Row>(rows: Map<Key, Row>, key: Key, row: Row | undefined) => {
  if (row === undefined) rows.delete(key)
  else rows.set(key, row)
}
