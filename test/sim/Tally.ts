import type { HistoryResult } from "./History.ts"
import { type FaultKind, faultKinds } from "./world/Faults.ts"
import { type ActEnd, actEnds } from "./world/People.ts"

/** What many histories came to. */
export class Tally {
  readonly faults = new Map<FaultKind, number>(faultKinds.map((kind) => [kind, 0]))
  readonly acts = new Map<string, number>(actEnds.map((end) => [end, 0]))
  readonly endings = new Map<string, number>()
  readonly violated: Array<HistoryResult> = []
  histories = 0
  removals = 0

  add(history: HistoryResult) {
    this.histories++
    this.removals += history.removals
    for (const [kind, count] of history.faults) this.faults.set(kind, (this.faults.get(kind) ?? 0) + count)
    for (const [end, count] of history.acts) this.acts.set(end, (this.acts.get(end) ?? 0) + count)
    for (const [end, count] of history.endings) this.endings.set(end, (this.endings.get(end) ?? 0) + count)
    if (history.violations.length > 0) this.violated.push(history)
  }

  get faultsPerHistory() {
    return [...this.faults.values()].reduce((sum, count) => sum + count, 0) / Math.max(1, this.histories)
  }

  /** Kinds of faults that never took effect. */
  get missing(): ReadonlyArray<FaultKind> {
    return faultKinds.filter((kind) => this.faults.get(kind) === 0)
  }

  /** What no act came to. */
  get missingActs(): ReadonlyArray<ActEnd> {
    return actEnds.filter((end) => this.acts.get(end) === 0)
  }
}
