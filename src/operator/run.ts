import { Effect } from "effect"
import type { RunOptions } from "../cleanup/pass/CleanupPass.ts"
import { Selection } from "../cleanup/pass/Selection.ts"
import type { Asked } from "../domain/Act.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { passDone, passOf, performUnlessDry } from "./passOf.ts"

/**
 * One pass over everything that is due, now, as an act. Gives its report. Fails with `ActRefused` if the pass ended before it had begun
 * with any game. A dry run touches nothing and leaves no act.
 */
export const runPass = Effect.fnUntraced(function* ({
  author,
  onProgress,
  reason
}: Asked & Pick<RunOptions, "onProgress">) {
  const { name } = yield* KnownEngine
  return yield* performUnlessDry(
    { act: "run", target: name, author, reason },
    Effect.map(passOf({ selection: Selection.Due(), ...(onProgress !== undefined && { onProgress }) }), passDone)
  )
})
