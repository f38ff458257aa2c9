import { Duration } from "effect"
import type { Process } from "../kernel/Process.ts"
import type { Change } from "../model/Tables.ts"
import type { Errand } from "../world/Errand.ts"
import type { Evidence } from "./Evidence.ts"
import { Promises } from "./Promises.ts"

/** How long after the answer that cleaning is paused a removal may still begin. */
const delay = Duration.toMillis("2 seconds")

const key = "pause"

/** Sees whether cleaning is paused: S18. */
export class PauseWitness {
  readonly promises = new Promises()
  private readonly evidence: Evidence

  constructor(evidence: Evidence) {
    this.evidence = evidence
  }

  changed(operation: string, errand: Errand | undefined) {
    const { pause } = this.evidence.tables
    if (errand === undefined) {
      return this.evidence.violated("S18", `${operation}, which no person asked for, changed the pause`)
    }
    if (pause === undefined) this.promises.ended(key, errand, -Infinity)
    else this.promises.placed(key, errand, pause.until)
  }

  acknowledged(errand: Errand) {
    this.promises.acknowledged(key, errand, this.evidence.universe.now)
  }

  lost(changes: ReadonlyArray<Change>) {
    if (changes.some(({ table }) => table === "pause")) this.promises.lost(key, this.evidence.tables.pause)
  }

  /** A removal leaves. */
  removes(process: Process) {
    const { evidence } = this
    const since = this.promises.inForceSince(key, evidence.databaseClock())
    if (since === undefined || evidence.universe.now <= since + delay) return
    evidence.violated("S18", `${process.name} removes, and cleaning is paused since ${since}`)
  }
}
