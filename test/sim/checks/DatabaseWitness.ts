import { type ContainerId, isContainerId } from "../../../src/domain/ContainerId.ts"
import { isOldFormOf } from "../../../src/domain/EngineId.ts"
import type { Process } from "../kernel/Process.ts"
import { gameOf } from "../model/stores.ts"
import type { Change, RecordRow } from "../model/Tables.ts"
import type { DatabaseRequest } from "../world/DatabaseServer.ts"
import type { EngineServer } from "../world/EngineServer.ts"
import type { ActWitness } from "./ActWitness.ts"
import { type Attempt, type Evidence, mayGo, type Pass } from "./Evidence.ts"
import type { GuardWitness } from "./GuardWitness.ts"

/** So many containers must have been looked for before their absence says something about the engine. */
const fewest = 20

/** So many due games must name a container before an engine without any of them is taken for another one. */
const fewestDue = 2

interface RecordChange {
  readonly gameId: string
  readonly before: RecordRow | undefined
  readonly after: RecordRow | undefined
}

/** Sees every statement that our processes have carried out: S3 to S7, S12, `unresolved` and `brake`. */
export class DatabaseWitness {
  private readonly evidence: Evidence
  private readonly acts: ActWitness
  private readonly guards: GuardWitness

  constructor(evidence: Evidence, acts: ActWitness, guards: GuardWitness) {
    this.evidence = evidence
    this.acts = acts
    this.guards = guards
  }

  applied({ from, operation, statement }: DatabaseRequest, changes: ReadonlyArray<Change>, now: number) {
    const { evidence } = this
    evidence.universe.note("database", from.name, operation, gameOf(statement) ?? "", changes.length, "changes")
    for (const change of changes) {
      switch (change.table) {
        case "records":
          this.recordChanged(from, operation, change, changes)
          break
        case "leases": {
          const { before, after, gameId } = change
          if (before !== undefined && before.owner !== from.name && before.expiresAt > now) {
            evidence.violated("S12", `${from.name} changed the lease of ${before.owner} on ${gameId} by ${operation}`)
          }
          if (after === undefined && before?.owner === from.name) this.released(from, gameId, operation)
          break
        }
        case "log":
          if (change.row.outcome === "success" && !changes.some(({ table }) => table === "records")) {
            evidence.violated("S5", `a success row of ${change.row.gameId}, but no record moved`)
          }
          break
        case "known":
          if (change.name !== evidence.engineOf(from).name) {
            evidence.violated("S14", `${from.name} changed what is known of ${change.name} by ${operation}`)
          }
          this.guards.changed(from, operation, change)
          if (operation === "brakeEngine") this.braked(from)
          if (operation === "widenEngine") this.widened(change)
      }
    }
  }

  private recordChanged(
    from: Process,
    operation: string,
    { gameId, before, after }: RecordChange,
    changes: ReadonlyArray<Change>
  ) {
    const { evidence } = this
    const expected = before && { ...before, status: "removed", lastOpAt: after?.lastOpAt ?? null }
    if (operation !== "commit" || before?.status !== "stopped" || !isSameRow(after, expected)) {
      return evidence.violated("S6", `${operation} of ${from.name} changed the record of ${gameId}`)
    }
    const engine = evidence.engineOf(from)
    if (before.engine !== engine.name) {
      evidence.violated("S14", `${from.name}, which cleans ${engine.name}, moved a record of ${before.engine}`)
    }
    const fence = changes.find((change) => change.table === "leases" && change.gameId === gameId)
    if (fence?.table !== "leases" || fence.before?.owner !== from.name) {
      return evidence.violated("S7", `${from.name} committed ${gameId} without its lease`)
    }
    const attempt = evidence.known(from).attempts.get(gameId)
    this.moved(engine, before, attempt?.since ?? evidence.universe.now - evidence.bounds.leaseTtl)
    if (attempt?.lease.token === fence.before.token) this.movedBy(attempt)
  }

  /** The one game that a person cleans is no witness against the engine. */
  private braked(from: Process) {
    const { errand, pass } = this.evidence.known(from)
    if (errand?.wish.act !== "clean" || pass.witnesses === undefined) return
    const { gameId } = errand.wish
    const [one, ...others] = [...pass.witnesses.others, ...pass.witnesses.due]
    const naming = [...this.evidence.tables.records.values()].filter(({ containerId }) => containerId === one)
    if (others.length === 0 && naming.every((record) => record.gameId === gameId)) {
      this.evidence.violated("brake", `${from.name} has braked the engine for the absence of ${gameId} alone`)
    }
  }

  private widened({ before, after }: Extract<Change, { readonly table: "known" }>) {
    if (before?.braked === after.braked && isOldFormOf(before.id, after.id)) return
    this.evidence.violated("brake", `the known engine ${before?.id} became ${after.id}, braked: ${after.braked}`)
  }

  /**
   * An engine that hides a container behind another identity is not the known one any more: the container is there. What
   * it hides behind its own is for the witnesses.
   */
  private isThere(engine: EngineServer, containerId: ContainerId, since: number) {
    const { home } = engine
    const exists = home.inspect(containerId) !== undefined || home.isHidden(containerId)
    return exists && !engine.wasOutOfSight(containerId, since)
  }

  private moved(engine: EngineServer, { containerId, gameId }: RecordRow, since: number) {
    const { evidence } = this
    if (isContainerId(containerId) && this.isThere(engine, containerId, since)) {
      evidence.violated("S4", `the record of ${gameId} is removed, but its container ${containerId} is there`)
    }
    const rows = evidence.tables.log.filter(
      (row) => row.outcome === "success" && row.gameId === gameId && row.containerId === containerId
    )
    if (containerId !== null && rows.length !== 1) evidence.violated("S5", `${rows.length} success rows of ${gameId}`)
  }

  private movedBy(attempt: Attempt) {
    const { evidence } = this
    const { gameId, deletes, process, since } = attempt
    const engine = evidence.engineOf(process)
    attempt.moved = true
    this.acts.moved(attempt)
    if (!mayGo(attempt)) {
      evidence.violated(
        attempt.byHand ? "S17" : "S3",
        `the record of ${gameId} moved, but was not stopped and due at the re-read`
      )
    }
    if (deletes.length > 0) return
    const other = engine.home
      .byLabel(gameId)
      .find((id) => evidence.bounds.isOlder(id, since) && !engine.wasOutOfSight(id, since))
    if (other !== undefined) {
      evidence.violated("S4", `the record of ${gameId} is removed, but ${other} carries its label`)
    }
    this.absenceBelieved(attempt)
  }

  private absenceBelieved({ process, gameId, leftBehind }: Attempt) {
    const { evidence } = this
    const known = evidence.known(process)
    if (known.pass.acceptAbsent) return
    if (this.guards.isBraked(evidence.engineOf(process).name, known.pass.began)) {
      evidence.violated("brake", `${process.name} moved the record of ${gameId} while the brake is on`)
    }
    this.guards.touches(process, `moved the record of ${gameId}`)
    if (!leftBehind) {
      known.absent++
      this.witnessed(process.name, gameId, known.pass)
    }
    if (known.absent >= fewest && known.absent * 2 > known.begun) {
      evidence.violated("brake", `${process.name} has taken ${known.absent} of ${known.begun} containers for absent`)
    }
  }

  private witnessed(name: string, gameId: string, { anyThere, shown, witnesses }: Pass) {
    const { evidence } = this
    if (witnesses === undefined) return evidence.violated("witnesses", `${name} asked nobody about ${gameId}`)
    const { due, others } = witnesses
    if (others.length > 0 && shown.size === 0) {
      evidence.violated("witnesses", `${name} moved the record of ${gameId}, but saw none of ${others.length} others`)
    }
    if (others.length === 0 && due.length >= fewestDue && !anyThere) {
      evidence.violated("witnesses", `${name} moved the record of ${gameId}, but saw nothing at all on the engine`)
    }
  }

  private released(from: Process, gameId: string, operation: string) {
    if (operation === "commit") return
    const { evidence } = this
    const inDoubt = evidence
      .known(from)
      .attempts.get(gameId)
      ?.deletes.some(
        ({ pending, id }) => pending && isContainerId(id) && evidence.engineOf(from).home.inspect(id) !== undefined
      )
    if (inDoubt) {
      evidence.violated("unresolved", `${from.name} released ${gameId}, whose removal may still be carried out`)
    }
  }
}

const isSameRow = (a: RecordRow | undefined, b: RecordRow | undefined) =>
  a?.gameId === b?.gameId &&
  a?.engine === b?.engine &&
  a?.status === b?.status &&
  a?.containerId === b?.containerId &&
  a?.imageRef === b?.imageRef &&
  a?.lastOpAt === b?.lastOpAt &&
  a?.problem === b?.problem
