import type { Process } from "../kernel/Process.ts"
import { epoch, type Universe } from "../kernel/Universe.ts"
import type { Statement } from "../model/stores.ts"
import { type Change, Tables } from "../model/Tables.ts"
import type { Faults } from "./Faults.ts"

export type Failure = "rolled_back" | "disconnected" | "timed_out" | "refused" | "cannot_record"

export interface DatabaseRequest {
  readonly from: Process
  readonly operation: string
  readonly statement: Statement<unknown>
  /** On its way for so long that nobody waits any more. */
  late: boolean
}

export type DatabaseAnswer =
  | { readonly kind: "ok"; readonly value: unknown }
  | { readonly kind: "failed"; readonly why: Failure }

export interface DatabaseListener {
  /** A statement of ours was carried out. `now` is the database's clock. */
  readonly applied: (request: DatabaseRequest, changes: ReadonlyArray<Change>, now: number) => void
  /** Its clock was set: Unix milliseconds. */
  readonly clockMoved: (from: number, to: number) => void
}

/** The database behind its address, and everything that can go wrong with it. */
export class DatabaseServer {
  readonly tables = new Tables()
  /** Milliseconds that the database's clock is ahead. */
  clockOffset = 0
  private readonly universe: Universe
  private readonly faults: Faults
  private readonly listener: DatabaseListener
  private downUntil = 0
  private frozenUntil = 0
  private readOnlyUntil = 0
  private recordingFails = { until: 0, operations: new Set<string>(), swallows: false, took: () => {} }
  /** Grows whenever all connections are cut. */
  private generation = 0
  private highestToken = 0n
  private tookDown = () => {}
  private tookFrozen = () => {}
  private tookReadOnly = () => {}
  private tookClock = () => {}

  constructor(universe: Universe, faults: Faults, listener: DatabaseListener) {
    this.universe = universe
    this.faults = faults
    this.listener = listener
  }

  /** Unix milliseconds by the database's clock. */
  get clock() {
    return epoch + this.universe.now + this.clockOffset
  }

  get writable() {
    return this.universe.now >= Math.max(this.downUntil, this.frozenUntil, this.readOnlyUntil)
  }

  get currentGeneration() {
    return this.generation
  }

  /** `generation`: that of the connection on which the request was sent. */
  receive(request: DatabaseRequest, generation: number, answer: (answer: DatabaseAnswer) => void) {
    const { now } = this.universe
    const { writes } = request.statement
    if (generation !== this.generation) return answer({ kind: "failed", why: "disconnected" })
    if (now < this.downUntil) {
      this.tookDown()
      return answer({ kind: "failed", why: "disconnected" })
    }
    if (now < this.frozenUntil) {
      this.tookFrozen()
      this.universe.after(this.frozenUntil - now, () => this.receive(request, generation, answer))
      return
    }
    if (writes && now < this.readOnlyUntil) {
      this.tookReadOnly()
      return answer({ kind: "failed", why: "refused" })
    }
    if (writes && this.faults.strikes("statement_rolled_back")) {
      this.faults.took("statement_rolled_back")
      return answer({ kind: "failed", why: "rolled_back" })
    }
    const fails = this.recordingFails
    if (writes && now < fails.until && fails.operations.has(request.operation)) {
      fails.took()
      if (!fails.swallows) return answer({ kind: "failed", why: "cannot_record" })
    }
    this.tables.swallows = now < fails.until && fails.swallows
    const value = request.statement.apply(this.tables, this.clock)
    if (this.clockOffset !== 0 && request.operation === "clock") this.tookClock()
    const changes = this.tables.commit()
    if (request.late) this.faults.took("statement_late")
    if (this.tables.lastToken <= this.highestToken && changes.some(({ table }) => table === "token")) {
      this.faults.took("token_repeated")
    }
    if (this.tables.lastToken > this.highestToken) this.highestToken = this.tables.lastToken
    this.listener.applied(request, changes, this.clock)
    answer({ kind: "ok", value })
  }

  goDown(duration: number) {
    this.downUntil = this.universe.now + duration
    this.generation++
    this.tookDown = this.faults.once("database_down")
  }

  freeze(duration: number) {
    this.frozenUntil = this.universe.now + duration
    this.tookFrozen = this.faults.once("database_frozen")
  }

  readOnly(duration: number) {
    this.readOnlyUntil = this.universe.now + duration
    this.tookReadOnly = this.faults.once("database_read_only")
  }

  /** Refuses these statements, or carries them out without an effect. */
  failRecording(duration: number, operations: ReadonlyArray<string>, took: () => void, swallows = false) {
    this.recordingFails = { until: this.universe.now + duration, operations: new Set(operations), swallows, took }
  }

  jump(offset: number) {
    this.setClock(offset)
    this.tookClock = this.faults.once("database_clock_jumped")
  }

  /** Continues as a standby that did not have the last commits. */
  failOver(commits: number, downtime: number): ReadonlyArray<Change> {
    const lost = this.tables.lose(commits)
    this.downUntil = this.universe.now + downtime
    this.generation++
    this.tookDown = () => {}
    return lost
  }

  /** Whatever was wrong with it is over. */
  heal() {
    this.downUntil = 0
    this.readOnlyUntil = 0
    this.recordingFails = { ...this.recordingFails, until: 0 }
    this.setClock(0)
    // What waits for its thaw is still carried out then.
    this.frozenUntil = Math.min(this.frozenUntil, this.universe.now)
  }

  private setClock(offset: number) {
    const before = this.clock
    this.clockOffset = offset
    this.listener.clockMoved(before, this.clock)
  }
}
