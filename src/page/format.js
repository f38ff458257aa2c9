/** Pure formats. Times are Unix milliseconds; `zone` is the reader's own unless it is given. */

const minute = 60
const hour = 60 * minute
const day = 24 * hour

/**
 * A span in its two largest units: `2 d 3 h`, `4 min 5 s`, `12 s`.
 *
 * @param {number} seconds
 */
export const span = (seconds) => {
  const whole = Math.max(0, Math.round(seconds))
  const parts = /** @type {const} */ ([
    ["d", Math.floor(whole / day)],
    ["h", Math.floor((whole % day) / hour)],
    ["min", Math.floor((whole % hour) / minute)],
    ["s", whole % minute]
  ])
  const first = parts.findIndex(([, count]) => count > 0)
  if (first < 0) return "0 s"
  return parts
    .slice(first, first + 2)
    .filter(([, count]) => count > 0)
    .map(([unit, count]) => `${count} ${unit}`)
    .join(" ")
}

/**
 * How long something took: `180 ms`, `1.4 s`, or as `span`.
 *
 * @param {string | null} from
 * @param {string | null} to
 */
export const took = (from, to) => {
  if (from === null || to === null) return ""
  const millis = Math.max(0, Date.parse(to) - Date.parse(from))
  if (millis < 1000) return `${millis} ms`
  return millis < 10_000 ? `${(millis / 1000).toFixed(1)} s` : span(millis / 1000)
}

/**
 * How far a time is from now: `in 2 h 5 min`, `3 d ago`, `now`.
 *
 * @param {number} at
 * @param {number} now
 */
export const fromNow = (at, now) => {
  const seconds = Math.round((at - now) / 1000)
  if (seconds === 0) return "now"
  return seconds > 0 ? `in ${span(seconds)}` : `${span(-seconds)} ago`
}

/**
 * The same in its largest unit alone, for columns: `in 2 h`, `3 d ago`.
 *
 * @param {number} at
 * @param {number} now
 */
export const about = (at, now) => fromNow(at, now).replace(/^(in )?(\d+ \w+) \d+ \w+/, "$1$2")

/**
 * A time for people: without the year if it is this one.
 *
 * @param {number} at
 * @param {number} now
 * @param {string} [zone]
 */
export const time = (at, now, zone) => {
  const date = new Date(at)
  const thisYear = Math.abs(at - now) < 180 * day * 1000
  return new Intl.DateTimeFormat("en-GB", {
    day: "numeric",
    month: "short",
    ...(thisYear ? {} : { year: "numeric" }),
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZone: zone
  }).format(date)
}

/**
 * @param {number} at
 */
export const utc = (at) =>
  `${new Date(at)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, "")} UTC`

/**
 * A count with thin gaps between thousands: `12 345`.
 *
 * @param {number} value
 */
export const count = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f")

/**
 * A count that may have ended at its limit: `10 000+`.
 *
 * @param {{ readonly count: number, readonly more: boolean }} counted
 */
export const counted = ({ count: value, more }) => `${count(value)}${more ? "+" : ""}`

/**
 * Games a second, in three figures at most.
 *
 * @param {number} rate
 */
export const rate = (rate) => `${rate >= 100 ? count(Math.round(rate)) : rate.toFixed(rate >= 10 ? 1 : 2)} games/s`

/**
 * The start of a long identity: what differs is at its start.
 *
 * @param {string} id
 */
export const short = (id) => (id.length > 20 ? `${id.slice(0, 12)}…` : id)

/**
 * A code for people: `already_absent` is `already absent`.
 *
 * @param {string} code
 */
export const words = (code) => code.replaceAll("_", " ")

/**
 * Where a trace can be looked at. Only the web: a template of another scheme would be run.
 *
 * @param {string | null} template
 * @param {string | null} traceId
 */
export const traceLink = (template, traceId) =>
  template === null || traceId === null || !/^https?:\/\//.test(template)
    ? null
    : template.replaceAll("{trace_id}", encodeURIComponent(traceId))

/**
 * `3 games`, `1 game`.
 *
 * @param {number} value
 * @param {string} noun
 */
export const many = (value, noun) => `${count(value)} ${noun}${value === 1 ? "" : noun.endsWith("s") ? "es" : "s"}`
