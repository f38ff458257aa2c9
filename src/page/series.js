/** @import { Hour } from "./types.ts" */

const hour = 3600

/**
 * One value for each of the last `length` hours, oldest first: an hour in which nothing happened has zeros, and no lag.
 *
 * @param {ReadonlyArray<Hour>} hours
 * @param {number} now
 * @param {number} length
 */
export const hourly = (hours, now, length) => {
  const last = Math.floor(now / 1000 / hour) * hour
  const byStart = new Map(hours.map((one) => [Math.floor(Date.parse(one.at) / 1000 / hour) * hour, one]))
  const starts = Array.from({ length }, (_, index) => last - (length - 1 - index) * hour)
  return {
    starts,
    removed: starts.map((start) => byStart.get(start)?.removed ?? 0),
    failed: starts.map((start) => byStart.get(start)?.failed ?? 0),
    lag: starts.map((start) => byStart.get(start)?.lag_max_seconds ?? null)
  }
}

/**
 * The sums of each day and its longest lag, newest first, by the reader's calendar or that of `zone`.
 *
 * @param {ReadonlyArray<Hour>} hours
 * @param {string} [zone]
 */
export const daily = (hours, zone) => {
  const format = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: zone })
  const days = Object.entries(Object.groupBy(hours, ({ at }) => format.format(new Date(at))))
  return days.reverse().map(([day, ofDay = []]) => ({
    day,
    passes: sum(ofDay, "passes"),
    removed: sum(ofDay, "removed"),
    absent: sum(ofDay, "already_absent"),
    failed: sum(ofDay, "failed"),
    lag: longestLag(ofDay)
  }))
}

/**
 * @param {ReadonlyArray<Hour>} hours
 * @param {"passes" | "removed" | "already_absent" | "failed"} what
 */
export const sum = (hours, what) => hours.reduce((total, one) => total + one[what], 0)

/**
 * In seconds; `null` if nothing was removed because it was due.
 *
 * @param {ReadonlyArray<Hour>} hours
 */
export const longestLag = (hours) => {
  const lags = hours.flatMap(({ lag_max_seconds }) => lag_max_seconds ?? [])
  return lags.length === 0 ? null : Math.max(...lags)
}
