import { Duration, Result } from "effect"
import { parseGoDuration } from "../config/GoDuration.ts"
import { printable } from "../domain/printable.ts"

const rfc3339 =
  /^(\d{4})-(\d{2})-(\d{2})T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/i

/** `Date` would take 30 February for 2 March. */
const parseTime = (text: string): Date | undefined => {
  const [, year, month, day] = rfc3339.exec(text) ?? []
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)))
  return date.getUTCMonth() + 1 === Number(month) && date.getUTCDate() === Number(day) ? new Date(text) : undefined
}

const fromNow = /^(?:(\d{1,6})d)?(.*)$/

const parseFromNow = (text: string): Duration.Duration | undefined => {
  const [, days, rest = ""] = fromNow.exec(text) ?? []
  const more = rest === "" && days !== undefined ? Duration.zero : parseGoDuration(rest)
  return more && Duration.sum(Duration.days(Number(days ?? 0)), more)
}

const longest = Duration.days(36_525)

/**
 * Reads a time by RFC 3339, such as `2027-01-31T12:00:00Z`, or how long from now, such as `90s`, `36h`, `30d` or `1d12h`. It lies
 * after `now` (Unix milliseconds) and within a century; else a sentence says what is wrong.
 */
export const parseUntil = (text: string, now: number): Result.Result<Date | Duration.Duration, string> => {
  const end = parseTime(text) ?? parseFromNow(text)
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
