import { Duration, Schema } from "effect"
import { Flag } from "effect/cli"
import { parseGoDuration } from "../config/GoDuration.ts"

const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i

const durationOf = (text: string): Duration.Duration | undefined => {
  const [, days] = /^(\d{1,6})d$/.exec(text) ?? []
  return days === undefined ? parseGoDuration(text) : Duration.days(Number(days))
}

/** An RFC 3339 time, or so long before `now`: `90s`, `36h`, `30d`. Unix milliseconds; `undefined` for any other text. */
export const parseSince = (text: string, now: number): number | undefined => {
  const at = rfc3339.test(text) ? Date.parse(text) : now - Duration.toMillis(durationOf(text) ?? Duration.infinity)
  return Number.isFinite(at) ? at : undefined
}

/** `--since`, as text that `parseSince` reads. */
export const since = Flag.String("since").pipe(
  Flag.withSchema(
    Schema.String.check(
      Schema.makeFilter(
        (text) => parseSince(text, 0) !== undefined || "expected a time like 2026-01-31T12:00:00Z, or 90s, 36h or 30d"
      )
    )
  ),
  Flag.withDescription("Only what ended since then: a time in RFC 3339, or 90s, 36h, 30d before now"),
  Flag.optional
)
