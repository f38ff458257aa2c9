import { Duration, Effect } from "effect"
import type { Moment } from "../../domain/Expiry.ts"
import { PassRefused } from "../../domain/PassRefused.ts"
import { isShortened, judgeRetention } from "../../domain/retention.ts"
import type { Known, KnownEngine } from "../../ports/KnownEngine.ts"
import type { RuntimeRecords } from "../../ports/RuntimeRecords.ts"

/**
 * A typing error in a setting must not empty the shelf: gives the refusal of a retention that is shorter than the last one and
 * makes many games due at once. `keeps`: any other retention is stored as the last one.
 */
export const retentionRefusal = Effect.fnUntraced(function* (
  known: KnownEngine["Service"],
  records: RuntimeRecords["Service"],
  {
    expected,
    moment,
    retention,
    keeps
  }: {
    readonly expected: Known
    readonly moment: Moment
    readonly retention: Duration.Duration
    readonly keeps: boolean
  }
) {
  const { retention: stored } = expected
  const newlyDue =
    stored !== undefined && isShortened(stored, retention)
      ? yield* records.countStopped({ from: moment.now - Duration.toMillis(stored), until: moment.cutoff })
      : 0
  const verdict = judgeRetention(stored, retention, newlyDue)
  if (verdict === "store" && keeps) yield* known.setRetention(retention)
  return stored !== undefined && verdict === "refuse"
    ? PassRefused.retentionShortened({ stored, present: retention, newlyDue })
    : undefined
})
