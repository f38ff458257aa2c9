import type { Process } from "../kernel/Process.ts"
import type { Change, RecordRow } from "../model/Tables.ts"
import type { Errand, Wish } from "../world/Errand.ts"
import type { Attempt, Evidence } from "./Evidence.ts"

type ActChange = Extract<Change, { readonly table: "acts" }>

type Application = Extract<Wish, { readonly act: "plan_apply" }>

const rowOf = ({ plan }: Application, gameId: string) => plan.games.find((row) => row.gameId === gameId)

/** The operations that an act consists of. */
const effects = new Set([
  "placeHold",
  "withdrawHold",
  "releaseHolds",
  "pause",
  "resume",
  "acquire",
  "commit",
  "settle",
  "acceptEngine",
  "setRetention"
])

/** What a change is about; `undefined` if it is about no game. */
const gameOf = (change: Change) => {
  if (change.table === "log") return change.row.gameId
  return change.table === "records" || change.table === "leases" || change.table === "backoffs"
    ? change.gameId
    : undefined
}

/** Sees that acts have their rows, and touch nothing but what they are for: S16, S17, S19 and S20. */
export class ActWitness {
  private readonly evidence: Evidence
  /** Errands whose row was written. */
  private readonly written = new Set<Errand>()
  /** Errands whose result was sent. */
  private readonly ending = new Set<Errand>()
  private readonly lostRows = new Set<string>()

  constructor(evidence: Evidence) {
    this.evidence = evidence
  }

  /** A statement leaves. */
  sends(process: Process, operation: string) {
    const { errand } = this.evidence.known(process)
    if (errand === undefined) return
    if (operation === "endAct") this.ending.add(errand)
    else if (this.ending.has(errand) && effects.has(operation)) {
      this.evidence.violated("S19", `${process.name} sends ${operation} after the result of its act`)
    }
  }

  changed(process: Process, operation: string, change: Change) {
    const { errand } = this.evidence.known(process)
    if (change.table === "token") return
    if (change.table === "acts") return this.rowChanged(process, errand, change)
    if (errand === undefined) return
    this.hasRow(process, errand, operation)
    const gameId = gameOf(change)
    if (gameId === undefined) return
    this.isFor(process, errand, gameId, `${operation} changes ${change.table} of`)
    this.isOnce(process, errand)
  }

  private rowChanged(process: Process, errand: Errand | undefined, { before, id }: ActChange) {
    const { evidence } = this
    const row = evidence.tables.acts.get(id)
    if (row === undefined) return
    if (row.reason !== errand?.reason) {
      return evidence.violated("S19", `${process.name} writes the act ${id} of ${row.author}: ${row.reason}`)
    }
    if (before !== undefined) {
      if (before.result !== null) evidence.violated("S19", `the act ${id} had the result ${before.result} already`)
      return
    }
    if (this.written.has(errand)) evidence.violated("S19", `${process.name} writes a second row: ${id}`)
    const { key } = errand
    for (const other of this.written) {
      if (key === undefined || other.key?.key !== key.key || this.lostRows.has(other.reason)) continue
      evidence.violated("S20", `${process.name} begins what another has begun with ${key.key}: ${other.reason}`)
    }
    this.written.add(errand)
  }

  private hasRow(process: Process, errand: Errand, what: string) {
    if (errand.wish.act === "plan") this.evidence.violated("S16", `${process.name}, which only makes a plan: ${what}`)
    else if (!this.written.has(errand)) this.evidence.violated("S19", `${process.name} has no row of its act: ${what}`)
  }

  /** Whether this errand may touch the game. */
  private isFor(process: Process, { wish }: Errand, gameId: string, what: string) {
    if (wish.act === "clean" && wish.gameId !== gameId) {
      this.evidence.violated("S17", `${process.name} is to clean ${wish.gameId}: ${what} ${gameId}`)
    }
    if (wish.act === "plan_apply" && rowOf(wish, gameId) === undefined) {
      this.evidence.violated("S16", `${process.name} applies a plan without that game: ${what} ${gameId}`)
    }
  }

  /** A removal leaves. */
  removes({ gameId, process, record }: Attempt) {
    const { errand } = this.evidence.known(process)
    if (errand === undefined) return
    this.hasRow(process, errand, `a removal of ${gameId}`)
    this.isFor(process, errand, gameId, "a removal of")
    if (errand.wish.act !== "plan_apply") return
    this.isAsShown(process, errand.wish, gameId, record)
    if (rowOf(errand.wish, gameId)?.action === "mark_removed") {
      this.evidence.violated("S16", `${process.name} removes the container of ${gameId}, which was shown as gone`)
    }
  }

  /** The record of an attempt has moved. */
  moved({ gameId, process, record }: Attempt) {
    const { errand } = this.evidence.known(process)
    if (errand?.wish.act === "plan_apply") this.isAsShown(process, errand.wish, gameId, record)
  }

  private isAsShown(
    process: Process,
    wish: Application,
    gameId: string,
    record: Pick<RecordRow, "containerId" | "lastOpAt"> | undefined
  ) {
    const row = rowOf(wish, gameId)
    if (row === undefined || (row.containerId === record?.containerId && row.lastOpAt === record.lastOpAt)) return
    this.evidence.violated("S16", `${process.name} touches ${gameId}, which changed since the plan was made`)
  }

  /** Whether nobody else applies the same plan, or has. */
  private isOnce(process: Process, { reason, wish }: Errand) {
    if (wish.act !== "plan_apply" || this.lostRows.has(reason)) return
    const others = [...this.written].filter(
      (other) => other.reason !== reason && other.wish.act === "plan_apply" && other.wish.plan.id === wish.plan.id
    )
    for (const row of this.evidence.tables.acts.values()) {
      if (row.result === "refused" || !others.some((other) => other.reason === row.reason)) continue
      this.evidence.violated("S16", `${process.name} applies ${wish.plan.id}, and so does the act ${row.id}`)
    }
  }

  lost(changes: ReadonlyArray<Change>) {
    const { acts } = this.evidence.tables
    for (const change of changes) {
      if (change.table !== "acts") continue
      for (const { reason } of this.written) {
        if (![...acts.values()].some((row) => row.reason === reason)) this.lostRows.add(reason)
      }
    }
  }

  /** At the end: whoever's row was written has it, and one alone; one that was killed before its end has no result. */
  atEnd() {
    const rows = [...this.evidence.tables.acts.values()]
    for (const { ended, reason, wish } of this.written) {
      const own = rows.filter((row) => row.reason === reason)
      if (own.length > 1 || (own.length === 0 && !this.lostRows.has(reason))) {
        this.evidence.violated("S19", `${own.length} rows of ${reason}, a ${wish.act} that ended at ${ended}`)
      }
    }
  }
}
