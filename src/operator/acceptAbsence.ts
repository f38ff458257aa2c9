import { Effect } from "effect"
import { CleanupPass, type RunOptions } from "../cleanup/pass/CleanupPass.ts"
import type { Asked } from "../domain/Act.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { perform } from "./act.ts"
import { passDone } from "./passOf.ts"

/**
 * Releases the brake, and makes one pass that takes the engine's word for containers that are gone: their records become
 * removed. Gives the pass's report, also if the pass was refused or failed; the act's row says which.
 */
export const acceptAbsence = Effect.fnUntraced(function* ({
  author,
  onProgress = () => Effect.void,
  reason
}: Asked & Pick<RunOptions, "onProgress">) {
  const pass = yield* CleanupPass
  const { name } = yield* KnownEngine
  return yield* perform(
    { act: "absence_accept", target: name, author, reason },
    Effect.map(pass.runOnce({ trigger: "manual", acceptAbsent: true, onProgress }), passDone)
  )
})
