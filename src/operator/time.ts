import { Duration, Effect, Result, Schema, SchemaGetter, SchemaIssue } from "effect"
import { formatGoDuration, parseGoDuration } from "../config/GoDuration.ts"
import { printable } from "../domain/printable.ts"
import { parseTime } from "../domain/time.ts"

const days = /^(?:(\d{1,6})d)?(.*)$/

const parseDuration = (text: string): Duration.Duration | undefined => {
  const [, count, rest = ""] = days.exec(text) ?? []
  const more = rest === "" && count !== undefined ? Duration.zero : parseGoDuration(rest)
  return more && Duration.sum(Duration.days(Number(count ?? 0)), more)
}

/** How long, as people write it: `90s`, `36h`, `30d` or `1d12h`. */
export const PersonsDuration = Schema.String.pipe(
  Schema.decodeTo(Schema.Duration, {
    decode: SchemaGetter.transformEffect((text) => {
      const duration = parseDuration(text)
      return duration === undefined ? Effect.fail(new SchemaIssue.InvalidValue()) : Effect.succeed(duration)
    }),
    encode: SchemaGetter.transform(formatGoDuration)
  })
)

/** A time by RFC 3339, such as `2027-01-31T12:00:00Z`, or how long it is from now or ago; `undefined` for any other text. */
const parse = (text: string): Date | Duration.Duration | undefined => parseTime(text) ?? parseDuration(text)

/** What `parseSince` reads, for people. */
export const sinceForms = "a time like 2026-01-31T12:00:00Z, or 90s, 36h or 30d"

/** The time, or the one so long before `now`: Unix milliseconds. `undefined` if the text is neither. */
export const parseSince = (text: string, now: number): number | undefined => {
  const start = parse(text)
  return start instanceof Date ? start.getTime() : start && now - Duration.toMillis(start)
}

const longest = Duration.days(36_525)

/**
 * A time, or how long it is from now. It lies after `now` (Unix milliseconds) and within a century; else a sentence says
 * what is wrong.
 */
export const parseUntil = (text: string, now: number): Result.Result<Date | Duration.Duration, string> => {
  const end = parse(text)
  if (end === undefined) {
    return Result.fail(
      `neither a time such as 2027-01-31T12:00:00Z nor how long from now, such as 90s, 36h or 30d: ${printable(text)}`
    )
  }
  const left = end instanceof Date ? end.getTime() - now : Duration.toMillis(end)
  if (left <= 0) return Result.fail(`in the past: ${printable(text)}`)
  return left > Duration.toMillis(longest)
    ? Result.fail(`more than 100 years away: ${printable(text)}`)
    : Result.succeed(end)
}
