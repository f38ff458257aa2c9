import type { EngineName } from "../../../src/domain/EngineName.ts"
import type { Process } from "../kernel/Process.ts"
import type { Change } from "../model/Tables.ts"
import type { EngineServer } from "../world/EngineServer.ts"
import type { Errand } from "../world/Errand.ts"
import type { Evidence } from "./Evidence.ts"

type KnownChange = Extract<Change, { readonly table: "known" }>

/** So many games may become due at once by a shorter retention. */
const mostNewlyDue = 20

/** What a person's statement has changed of an engine, and when by the universe's time. */
interface Accepted {
  readonly engine: EngineServer
  readonly at: number
}

/** Sees that what a guard refuses stays refused until a person accepts it: S21. */
export class GuardWitness {
  private readonly evidence: Evidence
  /** When each engine's brake was put on, and when a failover last lost something of its row, by the universe's time. */
  private readonly brakedAt = new Map<string, number>()
  private readonly lostAt = new Map<string, number>()
  private readonly accepted = new Map<Errand, Accepted>()

  constructor(evidence: Evidence) {
    this.evidence = evidence
  }

  changed(process: Process, operation: string, { after, before, name }: KnownChange) {
    const { evidence } = this
    const { errand, pass } = evidence.known(process)
    const act = errand?.wish.act
    if (after.braked && before?.braked !== true) this.brakedAt.set(name, evidence.universe.now)
    const isAnother = before !== undefined && before.id !== after.id && operation !== "widenEngine"
    const isReleased = before?.braked === true && !after.braked
    const isAccepted = isAnother || isReleased || before?.acceptedAt !== after.acceptedAt
    if (isAccepted && act !== "engine_accept" && !pass.acceptAbsent) {
      evidence.violated("S21", `${operation} of ${process.name} accepts ${after.id}, which no person asked for`)
    }
    const isShorter = before?.retention !== undefined && (after.retention ?? 0) < before.retention
    if (isShorter && act !== "retention_accept" && !this.mayShorten(process)) {
      evidence.violated("S21", `${process.name} takes a retention that makes ${pass.newlyDue} games due at once`)
    }
    if (errand !== undefined && (act === "engine_accept" || act === "retention_accept")) {
      this.accepted.set(errand, { engine: evidence.engineOf(process), at: evidence.universe.now })
    }
  }

  /** A pass has counted the games that a shorter retention makes due at once. */
  counts(process: Process, games: number) {
    this.evidence.known(process).pass.newlyDue = games
  }

  private mayShorten(process: Process) {
    return (this.evidence.known(process).pass.newlyDue ?? Infinity) <= mostNewlyDue
  }

  /** Whether the brake that is on was on when the pass began. */
  isBraked(name: EngineName, since: number) {
    return this.evidence.tables.engines.get(name)?.braked === true && (this.brakedAt.get(name) ?? 0) < since
  }

  /** A process removes a container, or takes one for absent. */
  touches(process: Process, what: string) {
    const { evidence } = this
    const { errand, pass } = evidence.known(process)
    const { name } = evidence.engineOf(process)
    if (!pass.acceptAbsent && this.isBraked(name, pass.began)) {
      evidence.violated("S21", `${process.name} ${what} while the brake is on`)
    }
    if (errand?.wish.act === "clean" || (this.lostAt.get(name) ?? -Infinity) >= pass.began) return
    const stored = evidence.tables.engines.get(name)?.retention
    if (stored !== undefined && stored > evidence.bounds.retention && !this.mayShorten(process)) {
      evidence.violated("S21", `${process.name} ${what} by a retention that is shorter than ${stored} ms`)
    }
  }

  /** A person was told that the engine, or the retention, is accepted now. */
  acknowledged(errand: Errand) {
    const { evidence } = this
    const accepted = this.accepted.get(errand)
    if (accepted === undefined) return evidence.violated("S21", `${errand.reason}: it is done, and nothing changed`)
    const { at, engine } = accepted
    if ((this.lostAt.get(engine.name) ?? -Infinity) >= at) return
    const known = evidence.tables.engines.get(engine.name)
    if (errand.wish.act === "retention_accept") {
      if (known?.retention === evidence.bounds.retention) return
      return evidence.violated("S21", `${errand.reason}: the retention is still ${known?.retention} ms`)
    }
    if (known?.id !== engine.home.own) evidence.violated("S21", `${errand.reason}: the known engine is ${known?.id}`)
    if (this.isBraked(engine.name, at)) evidence.violated("S21", `${errand.reason}: the brake is still on`)
  }

  lost(changes: ReadonlyArray<Change>) {
    for (const change of changes) {
      if (change.table !== "known") continue
      this.lostAt.set(change.name, this.evidence.universe.now)
      this.brakedAt.set(change.name, this.evidence.universe.now)
    }
  }
}
