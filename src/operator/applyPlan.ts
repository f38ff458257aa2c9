import { Duration, Effect, HashMap, Option, Ref } from "effect"
import { expectedEngine } from "../cleanup/engine/expectedEngine.ts"
import type { RunOptions } from "../cleanup/pass/CleanupPass.ts"
import { believableClocks } from "../cleanup/pass/openPass.ts"
import { planOf } from "../cleanup/pass/Selection.ts"
import { CurrentSettings } from "../config/CurrentSettings.ts"
import type { Asked } from "../domain/Act.ts"
import type { EngineId } from "../domain/EngineId.ts"
import type { EngineName } from "../domain/EngineName.ts"
import { type NotDone, notDoneOf } from "../domain/NotDone.ts"
import type { OpSource } from "../domain/Outcome.ts"
import type { PassReport } from "../domain/PassReport.ts"
import type { PlanFile } from "../domain/PlanFile.ts"
import { printableEnds } from "../domain/printable.ts"
import { ContainerEngine } from "../ports/ContainerEngine.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import { earlyEnd } from "../ports/StoreError.ts"
import { ActRefused } from "./act.ts"
import { passOf, performUnlessDry, toldOf } from "./passOf.ts"

/** What was shown longer ago is not what a person has in mind any more. */
const oldest = Duration.hours(24)

/** An engine's identity as it may stand in an act's row. */
const identity = printableEnds(256)

/** Why a plan does not apply here and now; `undefined` if it does. `now` is the database's clock. */
export const whyRefused = (
  { engine, engineId, madeAt }: PlanFile,
  here: {
    readonly engineName: EngineName
    readonly engineId: EngineId
    readonly now: number
    readonly maxClockSkew: Duration.Duration
  }
): string | undefined => {
  if (engine !== here.engineName) return `the plan is of engine ${engine}, and this service cleans ${here.engineName}`
  if (engineId !== here.engineId) {
    return `the plan was made over another engine, ${identity(engineId)}; the one that answers is ${identity(here.engineId)}`
  }
  const age = here.now - madeAt.getTime()
  if (age > Duration.toMillis(oldest)) {
    return `the plan was made at ${madeAt.toISOString()}, over ${Duration.format(oldest)} ago: make a new one`
  }
  return -age > Duration.toMillis(here.maxClockSkew)
    ? `the plan was made at ${madeAt.toISOString()}, which the database's clock has yet to reach`
    : undefined
}

/** Fails, with nothing changed, if the plan does not apply here and now, or if that cannot be told. */
const check = Effect.fnUntraced(function* (plan: PlanFile) {
  const { maxClockSkew } = yield* CurrentSettings
  const known = yield* KnownEngine
  const { database: now } = yield* believableClocks(yield* RuntimeRecords, maxClockSkew)
  const { id: engineId } = yield* expectedEngine(yield* ContainerEngine, known, { touch: false })
  const why = whyRefused(plan, { engineName: known.name, engineId, now, maxClockSkew })
  if (why !== undefined) return yield* new ActRefused({ message: why })
})

/** What became of a plan: the report of its pass, and every game of it that was not done, in the plan's order. */
export interface Applied {
  readonly report: PassReport
  readonly notDone: ReadonlyArray<NotDone>
}

const notReached = (gameId: string): NotDone => ({
  gameId,
  why: "not_attempted",
  message: "the pass ended, or had attempted as many games as it may, before its turn"
})

/**
 * Cleans those games of the plan that are due by the present rules and still as shown, and nothing else. Fails with `ActRefused`, so
 * that the plan can be applied later, if it is another engine's, was made over 24 hours ago or in the future, or if the pass could not
 * begin; and if it was applied before. A dry run touches nothing and leaves no act.
 */
export const applyPlan = ({
  author,
  onProgress,
  opSource,
  plan,
  reason
}: Asked & Pick<RunOptions, "onProgress"> & { readonly opSource: OpSource; readonly plan: PlanFile }) =>
  performUnlessDry(
    { act: "plan_apply", target: plan.id, author, reason },
    Effect.gen(function* () {
      yield* Effect.mapError(check(plan), (error) =>
        error._tag === "ActRefused" ? error : new ActRefused(earlyEnd(error))
      )
      const ends = yield* Ref.make(HashMap.empty<string, NotDone | undefined>())
      const report = yield* passOf({
        selection: planOf(plan.games, { author, opSource }),
        onGame: (end) => Ref.update(ends, HashMap.set(end.gameId, notDoneOf(end))),
        ...(onProgress !== undefined && { onProgress })
      })
      const ended = yield* Ref.get(ends)
      const notDone = plan.games.flatMap(({ gameId }) => {
        const end = HashMap.get(ended, gameId)
        const one = Option.isSome(end) ? end.value : notReached(gameId)
        return one === undefined ? [] : [one]
      })
      const done = plan.games.length - notDone.length
      return {
        value: { report, notDone } satisfies Applied,
        message: toldOf(report, `${done} of ${plan.games.length} games done`),
        result: report.reason === null ? "done" : "failed"
      } as const
    })
  )
