import type { Passage } from "../support/Gate.ts"

/** The steps of a pass and of one game, each by what it looks like on the wire; the first that matches counts. */
const looks = {
  rehearse: /^rehearsal: /,
  commit: /update \S+\.runtime_records/,
  settle: /insert into \S+\.operation_log/,
  acquire: /insert into \S+\.game_leases/,
  renew: /^\s*update \S+\.game_leases/,
  release: /^\s*delete from \S+\.game_leases/,
  reread: /from \S+\.runtime_records.*\bwhere r\.game_id = any/s,
  "next page": /last_op_at, (\w+\.)?game_id\) >/,
  list: /from \S+\.runtime_records.*order by (\w+\.)?last_op_at/s,
  search: /^GET \/containers\/json/,
  inspect: /^GET \/containers\/[0-9a-f]{64}\/json/,
  identity: /^GET \/info/,
  remove: /^DELETE /
} as const satisfies Record<string, RegExp>

export type Step = keyof typeof looks
const steps = Object.keys(looks) as ReadonlyArray<Step>

export const stepOf = ({ what }: Passage): Step | undefined => steps.find((step) => looks[step].test(what))

/**
 * Names the steps of one process. Who the engine is counts as a step only where it is asked before absence is believed,
 * which is after the first lease; what every pass asks before that is no step of a game.
 */
export const namer = () => {
  let leased = false
  return (passage: Passage): Step | undefined => {
    const step = stepOf(passage)
    if (step === "acquire") leased = true
    return step === "identity" && !leased ? undefined : step
  }
}

/**
 * A place where a process dies. `before`: what it sent has arrived nowhere. `after`: it was carried out, and the answer
 * does not arrive. `late`: it arrives and is carried out only while another process is already cleaning up.
 */
export interface Failpoint {
  readonly when: "before" | "after" | "late"
  readonly step: Step
}

export const nameOf = ({ when, step }: Failpoint): string => `${when} ${step}`

/** What only reads has no effect, late or not. */
const writing: ReadonlyArray<Step> = ["rehearse", "acquire", "renew", "remove", "commit", "settle", "release"]

export const failpoints: ReadonlyArray<Failpoint> = [
  ...steps.flatMap((step) => [{ when: "before", step } as const, { when: "after", step } as const]),
  ...writing.map((step) => ({ when: "late", step }) as const)
]
