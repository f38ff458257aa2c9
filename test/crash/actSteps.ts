import type { Passage } from "../support/Gate.ts"

/** The steps of acts, besides those of a pass, each by what it looks like on the wire. */
const looks = {
  begin: /insert into \S+\.cleanup_acts/,
  place: /insert into \S+\.cleanup_holds/,
  shorten: /update \S+\.cleanup_holds/,
  pause: /insert into \S+\.cleanup_pause/,
  resume: /delete from \S+\.cleanup_pause/,
  accept: /update \S+\.cleanup_engines set identity/,
  end: /^\s*update \S+\.cleanup_acts/
} as const satisfies Record<string, RegExp>

export type ActStep = keyof typeof looks

export const isAct = (step: ActStep, { what }: Passage): boolean => looks[step].test(what)
