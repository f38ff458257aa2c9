import { isNotUndefined } from "effect/Predicate"
import type { Passage } from "../support/Gate.ts"
import { type Failpoint, type Step, stepOf } from "./failpoints.ts"

/** The steps of acts, besides those of a pass, each by what it looks like on the wire. */
const looks = {
  begin: /insert into \S+\.cleanup_acts/,
  place: /insert into \S+\.cleanup_holds/,
  shorten: /update \S+\.cleanup_holds/,
  pause: /insert into \S+\.cleanup_pause/,
  resume: /delete from \S+\.cleanup_pause/,
  accept: /update \S+\.cleanup_engines set identity = \$1, accepted_at/,
  end: /^\s*update \S+\.cleanup_acts/
} as const satisfies Record<string, RegExp>

export type ActStep = keyof typeof looks | Step

const isOwn = (step: ActStep): step is keyof typeof looks => step in looks

export const isAct = (step: ActStep, passage: Passage): boolean =>
  isOwn(step) ? looks[step].test(passage.what) : stepOf(passage) === step

/** The acts that are killed: where their processes come, in this order, and the step that is the act's effect. */
const courses = {
  hold: { steps: ["begin", "place", "acquire", "release", "end"], effect: "place" },
  release: { steps: ["begin", "shorten", "end"], effect: "shorten" },
  clean: { steps: ["begin", "acquire", "remove", "commit", "end"], effect: "remove" },
  pause: { steps: ["begin", "pause", "end"], effect: "pause" },
  resume: { steps: ["begin", "resume", "end"], effect: "resume" },
  "run --plan": { steps: ["begin", "acquire", "remove", "commit", "end"], effect: "remove" },
  "engine accept": { steps: ["begin", "accept", "end"], effect: "accept" },
  "run --accept-absent": { steps: ["begin", "accept", "commit", "end"], effect: "accept" }
} as const satisfies Record<string, { readonly steps: ReadonlyArray<ActStep>; readonly effect: ActStep }>

export type KilledAct = keyof typeof courses
const acts = Object.keys(courses) as ReadonlyArray<KilledAct>

/** A place where the process of an act dies. */
export interface ActFailpoint {
  readonly act: KilledAct
  readonly when: Failpoint["when"]
  readonly step: ActStep
}

export const nameOfAct = ({ act, step, when }: ActFailpoint): string => `${act}: ${when} ${step}`

const failpointsOf = (act: KilledAct): ReadonlyArray<ActFailpoint> =>
  courses[act].steps.flatMap((step) => (["before", "after", "late"] as const).map((when) => ({ act, when, step })))

const longest = Math.max(...acts.map((act) => failpointsOf(act).length))

/** The acts take turns. */
export const actFailpoints: ReadonlyArray<ActFailpoint> = Array.from({ length: longest }, (_, index) =>
  acts.map((act) => failpointsOf(act)[index]).filter(isNotUndefined)
).flat()

/** What the process had certainly done when it died there; `delivered`: also what it had sent has arrived. */
export const doneBy = ({ act, step, when }: ActFailpoint, delivered: boolean) => {
  const steps: ReadonlyArray<ActStep> = courses[act].steps
  const isDone = (other: ActStep) =>
    steps.indexOf(other) < steps.indexOf(step) ||
    (other === step && (when === "after" || (when === "late" && delivered)))
  return { row: isDone("begin"), result: isDone("end"), effect: isDone(courses[act].effect) }
}
