import { Duration } from "effect"
import type { Change } from "../model/Tables.ts"
import type { Errand } from "../world/Errand.ts"
import type { Attempt, Evidence } from "./Evidence.ts"
import { Promises } from "./Promises.ts"

type HoldChange = Extract<Change, { readonly table: "holds" }>

/** As long are holds kept that have ended. */
const kept = Duration.toMillis("24 hours")

const keyOf = (gameId: string, author: string) => JSON.stringify([gameId, author])

/** Sees what people hold: S15. */
export class HoldWitness {
  readonly promises = new Promises()
  private readonly evidence: Evidence

  constructor(evidence: Evidence) {
    this.evidence = evidence
  }

  /** `now`: the database's clock. */
  changed(operation: string, { after, before, key }: HoldChange, errand: Errand | undefined, now: number) {
    if (errand === undefined) {
      if (after === undefined && before !== undefined && (before.until ?? Infinity) < now - kept) return
      return this.evidence.violated("S15", `${operation}, which no person asked for, changed the hold ${key}`)
    }
    if (operation === "placeHold" && after !== undefined) this.promises.placed(key, errand, after.until)
    if (operation === "releaseHolds") this.promises.ended(key, errand, after?.until ?? now)
    if (operation === "withdrawHold") this.promises.withdrawn(key, errand)
  }

  acknowledged(errand: Errand, gameId: string) {
    this.promises.acknowledged(keyOf(gameId, errand.author), errand, this.evidence.universe.now)
  }

  lost(changes: ReadonlyArray<Change>) {
    for (const change of changes) {
      if (change.table === "holds") this.promises.lost(change.key, this.evidence.tables.holds.get(change.key))
    }
  }

  /** A removal of this attempt leaves. */
  removes(attempt: Attempt) {
    const { evidence, promises } = this
    const { gameId, process } = attempt
    if (evidence.isCutShort(attempt)) return
    for (const key of promises.keys) {
      if (JSON.parse(key)[0] !== gameId) continue
      const since = promises.inForceSince(key, evidence.databaseClock())
      if (since !== undefined) evidence.violated("S15", `${process.name} removes ${gameId}, which is held: ${key}`)
    }
  }
}
