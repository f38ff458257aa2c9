import { Duration, Effect, Stream } from "effect"
import type { CleanupPass } from "../../../src/cleanup/pass/CleanupPass.ts"
import * as CleanupPlan from "../../../src/cleanup/pass/CleanupPlan.ts"
import type { CurrentSettings } from "../../../src/config/CurrentSettings.ts"
import type { Asked } from "../../../src/domain/Act.ts"
import { isContainerId } from "../../../src/domain/ContainerId.ts"
import type { PlanFile, PlanRow } from "../../../src/domain/PlanFile.ts"
import type { ActError } from "../../../src/operator/act.ts"
import { type Applied, applyPlan } from "../../../src/operator/applyPlan.ts"
import { type Cleaned, clean } from "../../../src/operator/clean.ts"
import { type HoldRequest, hold } from "../../../src/operator/hold.ts"
import { pause } from "../../../src/operator/pause.ts"
import { type ReleaseRequest, release } from "../../../src/operator/release.ts"
import { resume } from "../../../src/operator/resume.ts"
import type { Plan } from "./Plan.ts"
import type { Ports } from "./Replica.ts"

/** What a person starts a process for. Making a plan is no act: it changes nothing. */
export type Wish =
  | ({ readonly act: "hold" } & Pick<HoldRequest, "gameId" | "end">)
  | ({ readonly act: "release" } & Pick<ReleaseRequest, "gameId" | "now" | "all">)
  | { readonly act: "pause"; readonly duration: Duration.Duration | undefined }
  | { readonly act: "resume" }
  | { readonly act: "clean"; readonly gameId: string }
  | { readonly act: "plan"; readonly id: string }
  | { readonly act: "plan_apply"; readonly plan: PlanFile }

/** One wish of one person, from the start of its process to its end. No two have the same reason. */
export interface Errand extends Asked {
  readonly wish: Wish
  /** By the universe's time. */
  readonly began: number
  /** When its process was gone; what it had sent by then can still arrive. */
  ended: number | undefined
}

const rowOf = ({ action, containerId, gameId, lastOpAt, rule }: CleanupPlan.Planned): ReadonlyArray<PlanRow> =>
  action === "keep" || gameId === null || lastOpAt === null || (containerId !== null && !isContainerId(containerId))
    ? []
    : [{ gameId, containerId, lastOpAt, action, rule: rule ?? "" }]

/** Like `plan --out`, where the file is kept in mind. */
const makePlan = Effect.fnUntraced(function* (id: string, options: CleanupPlan.PlanOptions) {
  const { games, opened } = yield* CleanupPlan.plan(options)
  const { engineId, engineName, moment } = opened
  const planned = yield* Stream.runCollect(games)
  return {
    ...{ id, version: 1, engine: engineName, engineId, retention: "" },
    madeAt: new Date(moment.now),
    cutoff: new Date(moment.cutoff),
    games: planned.flatMap(rowOf)
  } satisfies PlanFile
})

/** What is worth counting besides that an act was done. */
export type Told = (what: "waited" | "removed" | "rows_changed") => void

/** The command for it, which gives the plan that was made, if it was for that. */
export const carryOut = (
  { author, reason, wish }: Errand,
  { leaseTtl, ...plan }: Plan,
  told: Told
): Effect.Effect<PlanFile | undefined, ActError, Ports | CleanupPass | CurrentSettings> => {
  const asked = { author, reason }
  switch (wish.act) {
    case "hold":
      return Effect.as(
        hold({ ...asked, ...wish, leaseTtl: Duration.millis(leaseTtl), onWait: Effect.sync(() => told("waited")) }),
        undefined
      )
    case "release":
      return Effect.as(release({ ...asked, ...wish }), undefined)
    case "pause":
      return Effect.as(pause({ ...asked, ...wish }), undefined)
    case "resume":
      return Effect.as(resume(asked), undefined)
    case "clean":
      return Effect.map(clean({ ...asked, ...wish, opSource: "admin_cli" }), ({ game }: Cleaned) => {
        if (game.outcome === "removed") told("removed")
        return undefined
      })
    case "plan":
      return makePlan(wish.id, {
        ...plan,
        retention: Duration.millis(plan.retention),
        maxClockSkew: Duration.millis(plan.maxClockSkew)
      })
    case "plan_apply":
      return Effect.map(applyPlan({ ...asked, ...wish }), ({ notDone, report }: Applied) => {
        if (report.outcomes.removed > 0) told("removed")
        if (notDone.some(({ why }) => why === "changed")) told("rows_changed")
        return undefined
      })
  }
}
