import { Duration, Effect } from "effect"
import * as CleanupPlan from "../cleanup/pass/CleanupPlan.ts"
import type { OpenedPass } from "../cleanup/pass/openPass.ts"
import { retentionOf } from "../domain/Expiry.ts"
import type { PlanBasis } from "../domain/PlanFile.ts"
import type { Cursor } from "../ports/RuntimeRecords.ts"
import { CursorRefused } from "./games.ts"

/** The basis of a plan that is made now. */
export const basisOf = ({ engineId, engineName, moment }: Omit<OpenedPass, "wouldRefuse">): PlanBasis => ({
  madeAt: new Date(moment.now),
  engine: engineName,
  engineId,
  cutoff: new Date(moment.cutoff),
  retention: Duration.format(retentionOf(moment))
})

/** So few containers are looked at at once, so that a pass beside it goes on as fast as before. */
const concurrency = 2

/**
 * One page of a plan: of `limit` stopped games what a pass that began now would do, and on the last page an entry for each engine that
 * no service cleans. Each page goes by its own moment. Changes nothing. What it costs is bounded by `limit`. Its looks have no spans,
 * because these could crowd out the traces of passes. Fails with `CursorRefused` if no page has given the place.
 */
export const planPage = Effect.fnUntraced(function* ({
  after,
  limit,
  ...options
}: Omit<CleanupPlan.PlanOptions, "concurrency" | "pageSize"> & {
  readonly after: Cursor | undefined
  readonly limit: number
}) {
  const { opened, page } = yield* CleanupPlan.plan({ ...options, concurrency, pageSize: limit })
  const found = yield* page(after)
  if (found === undefined) return yield* new CursorRefused()
  const { games, next } = found
  const { wouldRefuse } = opened
  return {
    ...basisOf(opened),
    wouldRefuse: wouldRefuse === undefined ? null : { reason: wouldRefuse.reason, message: wouldRefuse.message },
    games,
    next: next ?? null
  }
}, Effect.withTracerEnabled(false))
