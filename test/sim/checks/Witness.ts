import type { Process } from "../kernel/Process.ts"
import type { Change, LogRow } from "../model/Tables.ts"
import type { DatabaseListener, DatabaseRequest } from "../world/DatabaseServer.ts"
import type { Errand } from "../world/Errand.ts"
import { ActWitness } from "./ActWitness.ts"
import { DatabaseWitness } from "./DatabaseWitness.ts"
import { EngineWitness } from "./EngineWitness.ts"
import type { Evidence } from "./Evidence.ts"
import { GuardWitness } from "./GuardWitness.ts"
import { HoldWitness } from "./HoldWitness.ts"
import { LeaseWitness } from "./LeaseWitness.ts"
import { PassWitness } from "./PassWitness.ts"
import { PauseWitness } from "./PauseWitness.ts"

/** Sees everything that happens, and holds it against what must hold. It is told; it never touches anything. */
export class Witness implements DatabaseListener {
  readonly evidence: Evidence
  readonly engine: EngineWitness
  readonly leases: LeaseWitness
  readonly database: DatabaseWitness
  readonly passes: PassWitness
  readonly holds: HoldWitness
  readonly pauses: PauseWitness
  readonly acts: ActWitness
  readonly guards: GuardWitness
  /** Containers whose rows went with a server. */
  private readonly lostRows = new Set<string>()

  constructor(evidence: Evidence) {
    this.evidence = evidence
    this.holds = new HoldWitness(evidence)
    this.pauses = new PauseWitness(evidence)
    this.acts = new ActWitness(evidence)
    this.guards = new GuardWitness(evidence)
    this.engine = new EngineWitness(evidence, this)
    this.leases = new LeaseWitness(evidence)
    this.database = new DatabaseWitness(evidence, this.acts, this.guards)
    this.passes = new PassWitness(evidence)
  }

  applied(request: DatabaseRequest, changes: ReadonlyArray<Change>, now: number) {
    if (changes.length === 0) return
    const { from, operation } = request
    this.database.applied(request, changes, now)
    const { errand } = this.evidence.known(from)
    for (const change of changes) {
      this.acts.changed(from, operation, change)
      if (change.table === "holds") this.holds.changed(operation, change, errand, now)
      if (change.table === "pause") this.pauses.changed(operation, errand)
    }
  }

  clockMoved(from: number, to: number) {
    this.evidence.clockJumped(to > from)
    for (const { promises } of [this.holds, this.pauses]) {
      promises.clockSaid(from)
      promises.clockSaid(to)
    }
  }

  begins(process: Process, errand: Errand) {
    this.evidence.known(process).errand = errand
  }

  /** A person was told that the act has done what it was asked for. */
  acknowledged(errand: Errand) {
    const { wish } = errand
    if (wish.act === "hold") this.holds.acknowledged(errand, wish.gameId)
    if (wish.act === "pause") this.pauses.acknowledged(errand)
    if (wish.act === "engine_accept" || wish.act === "retention_accept") this.guards.acknowledged(errand)
  }

  /** Commits that are gone with the server that had them. */
  lost(changes: ReadonlyArray<Change>) {
    this.holds.lost(changes)
    this.pauses.lost(changes)
    this.acts.lost(changes)
    this.guards.lost(changes)
    for (const change of changes) {
      if (change.table === "leases" && change.after !== undefined) this.evidence.leaseLost(change.after)
      if (change.table === "log" && change.row.containerId !== null) this.lostRows.add(change.row.containerId)
    }
  }

  /** At the end: every container that we removed has its row, or who removed it could not write one. */
  atEnd() {
    this.acts.atEnd()
    const { tables, unwritten } = this.evidence
    for (const [containerId, { attempt, late }] of this.engine.removals) {
      const { gameId, process } = attempt
      const rows = tables.log.filter((row) => row.gameId === gameId && row.containerId === containerId)
      if (rows.filter(({ outcome }) => outcome === "success").length > 1) {
        this.evidence.violated("S5", `more than one success row of ${gameId} and ${containerId}`)
      }
      const record = tables.records.get(gameId)
      const isStillToCome = record?.status === "stopped" && record.containerId === containerId
      const couldNot =
        late || !attempt.over || process.state === "dead" || unwritten.has(attempt) || this.lostRows.has(containerId)
      if (!rows.some(isRecorded) && !isStillToCome && !couldNot) {
        this.evidence.violated("S5", `the container ${containerId} of ${gameId} was removed, but no row says so`)
      }
    }
  }
}

/** Rows that say that we removed a container, or may have. */
const isRecorded = ({ outcome, errorCode }: LogRow) =>
  outcome === "success" || errorCode === "removed_not_committed" || errorCode === "outcome_unknown"
