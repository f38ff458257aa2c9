import type { Change, LogRow } from "../model/Tables.ts"
import { DatabaseWitness } from "./DatabaseWitness.ts"
import { EngineWitness } from "./EngineWitness.ts"
import type { Evidence } from "./Evidence.ts"
import { LeaseWitness } from "./LeaseWitness.ts"
import { PassWitness } from "./PassWitness.ts"

/** Sees everything that happens, and holds it against what must hold. It is told; it never touches anything. */
export class Witness {
  readonly evidence: Evidence
  readonly engine: EngineWitness
  readonly leases: LeaseWitness
  readonly database: DatabaseWitness
  readonly passes: PassWitness
  /** Containers whose rows went with a server. */
  private readonly lostRows = new Set<string>()

  constructor(evidence: Evidence) {
    this.evidence = evidence
    this.engine = new EngineWitness(evidence)
    this.leases = new LeaseWitness(evidence)
    this.database = new DatabaseWitness(evidence)
    this.passes = new PassWitness(evidence)
  }

  /** Commits that are gone with the server that had them. */
  lost(changes: ReadonlyArray<Change>) {
    for (const change of changes) {
      if (change.table === "log" && change.row.containerId !== null) this.lostRows.add(change.row.containerId)
    }
  }

  /** At the end: every container that we removed has its row, or who removed it could not write one. */
  atEnd() {
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
