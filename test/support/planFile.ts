import { Effect, Stream } from "effect"
import { type PlanOptions, plan } from "../../src/cleanup/pass/CleanupPlan.ts"
import { headOf, rowsOf } from "../../src/cli/planFile.ts"
import type { PlanFile } from "../../src/domain/PlanFile.ts"
import { basisOf } from "../../src/operator/plan.ts"

/** What `plan --out` would write now, kept in mind. */
export const planFile = Effect.fnUntraced(function* (options: PlanOptions) {
  const { games, opened } = yield* plan(options)
  return { ...headOf(basisOf(opened)), games: rowsOf(yield* Stream.runCollect(games)) } satisfies PlanFile
})
