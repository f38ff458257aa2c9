import { Effect, Ref } from "effect"
import { Selection } from "../cleanup/pass/Selection.ts"
import type { ActResult, Asked } from "../domain/Act.ts"
import type { CleanedGame } from "../domain/CleanedGame.ts"
import type { AttemptEnd, GameEnd } from "../domain/NotDone.ts"
import { rules } from "../domain/Outcome.ts"
import { isRefusal } from "../domain/PassRefused.ts"
import { isAway, type PassReport } from "../domain/PassReport.ts"
import { printable } from "../domain/printable.ts"
import { ActRefused } from "./act.ts"
import { passOf, performUnlessDry, toldOf } from "./passOf.ts"

/** What an act says of the game's attempt: a rule that keeps the container is a refusal. */
const resultOf = ({ errorCode, outcome }: AttemptEnd, { reason }: PassReport): ActResult => {
  if (errorCode === null && outcome !== "interrupted") return "done"
  // A guard of the pass ended the attempt before anything was done.
  if (errorCode === null) return isRefusal(reason) && !isAway({ reason }) ? "refused" : "failed"
  const rule = rules[errorCode]
  if (outcome === "replay_no_op") return "done"
  return outcome === "conflict" || ("trouble" in rule && rule.trouble === "Mismatch") ? "refused" : "failed"
}

/** The game's end, and the report of its pass, which says whether the pass ended early. */
export interface Cleaned {
  readonly game: CleanedGame
  readonly report: PassReport
}

/**
 * Cleans one game now, whatever its age and its backoff; every other guard of a pass and of a game stands. Fails with `ActRefused` if
 * the game has no record that can be used, or if the pass could not begin. A dry run touches nothing and leaves no act.
 */
export const clean = ({ author, reason, ...game }: Asked & Omit<Parameters<typeof Selection.Game>[0], "author">) =>
  performUnlessDry(
    { act: "clean", target: game.gameId, author, reason },
    Effect.gen(function* () {
      const told = yield* Ref.make<GameEnd | undefined>(undefined)
      const report = yield* passOf({
        selection: Selection.Game({ ...game, author }),
        onGame: (end) => Ref.set(told, end)
      })
      const end = yield* Ref.get(told)
      if (end === undefined || "why" in end) {
        return yield* new ActRefused({ message: end?.message ?? `nothing was told of game ${printable(game.gameId)}` })
      }
      const { errorCode, message, outcome } = end
      const cleaned = { gameId: game.gameId, dryRun: report.dryRun, outcome, errorCode, message }
      return {
        value: { game: cleaned, report } satisfies Cleaned,
        message: toldOf(report, `${outcome}: ${message}`),
        result: resultOf(end, report)
      }
    })
  )
