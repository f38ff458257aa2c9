import { Duration, Effect } from "effect"
import type { CleanupPass } from "../../../src/cleanup/pass/CleanupPass.ts"
import type { CurrentSettings } from "../../../src/config/CurrentSettings.ts"
import type { Asked, RequestKey } from "../../../src/domain/Act.ts"
import type { PlanFile } from "../../../src/domain/PlanFile.ts"
import { acceptEngine } from "../../../src/operator/acceptEngine.ts"
import { acceptRetention } from "../../../src/operator/acceptRetention.ts"
import type { ActError } from "../../../src/operator/act.ts"
import { type Applied, applyPlan } from "../../../src/operator/applyPlan.ts"
import { type Cleaned, clean } from "../../../src/operator/clean.ts"
import { type HoldRequest, hold } from "../../../src/operator/hold.ts"
import { pause } from "../../../src/operator/pause.ts"
import { type ReleaseRequest, release } from "../../../src/operator/release.ts"
import { resume } from "../../../src/operator/resume.ts"
import { planFile } from "../../support/planFile.ts"
import type { Plan } from "./Plan.ts"
import type { Ports } from "./Replica.ts"

/** What a person starts a process for. Making a plan is no act: it changes nothing. */
export type Wish =
  | ({ readonly act: "hold" } & Pick<HoldRequest, "gameId" | "end">)
  | ({ readonly act: "release" } & Pick<ReleaseRequest, "gameId" | "now" | "all">)
  | { readonly act: "pause"; readonly duration: Duration.Duration | undefined }
  | { readonly act: "resume" }
  | { readonly act: "clean"; readonly gameId: string }
  | { readonly act: "engine_accept" | "retention_accept" }
  | { readonly act: "plan"; readonly id: string }
  | { readonly act: "plan_apply"; readonly plan: PlanFile }

/** One wish of one person, from the start of its process to its end. No two have the same reason. */
export interface Errand extends Asked {
  readonly wish: Wish
  /** Of the request, if it is one over HTTP: some come again. */
  readonly key: RequestKey | undefined
  /** By the universe's time. */
  readonly began: number
  /** When its process was gone; what it had sent by then can still arrive. */
  ended: number | undefined
}

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
    case "engine_accept":
      return Effect.as(acceptEngine(asked), undefined)
    case "retention_accept":
      return Effect.as(acceptRetention({ ...asked, retention: Duration.millis(plan.retention) }), undefined)
    case "plan":
      return Effect.map(
        planFile({
          ...plan,
          retention: Duration.millis(plan.retention),
          maxClockSkew: Duration.millis(plan.maxClockSkew)
        }),
        (made) => ({ ...made, id: wish.id })
      )
    case "plan_apply":
      return Effect.map(applyPlan({ ...asked, ...wish, opSource: "admin_cli" }), ({ notDone, report }: Applied) => {
        if (report.outcomes.removed > 0) told("removed")
        if (notDone.some(({ why }) => why === "changed")) told("rows_changed")
        return undefined
      })
  }
}
