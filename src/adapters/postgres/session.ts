import { Duration } from "effect"

/** Settings that affect only the speed of our statements. Every statement uses an index. */
const planning = {
  // Without statistics, for example after a restore or a large import, the planner would read or sort the whole
  // backlog.
  enable_seqscan: "off",
  enable_bitmapscan: "off",
  enable_sort: "off",
  // Switched-off plan steps cost so much that the planner would compile a statement that takes a millisecond.
  jit: "off"
} as const

/** The settings that each session starts with; `timeout` bounds a statement. */
export const settingsFor = (timeout: Duration.Duration) => {
  const millis = Math.ceil(Duration.toMillis(timeout))
  return {
    statement_timeout: String(millis),
    // Shorter than the statement's timeout, so that the error shows which one expired.
    lock_timeout: String(Math.ceil(millis * 0.8)),
    idle_in_transaction_session_timeout: String(millis),
    default_transaction_isolation: "read committed",
    TimeZone: "UTC",
    ...planning
  }
}

type Settings = ReturnType<typeof settingsFor>

/** A session's real settings, in the server's spelling, and the role that it was started for. */
export type Session = Record<keyof Settings | "role", string>

/** The columns of a `Session`. */
export const sessionColumns = [
  ...Object.keys(settingsFor(Duration.zero)).map((name) => `current_setting('${name}') as "${name}"`),
  "session_user::text as role"
].join(", ")

const units: Record<string, number> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds, as the server spells them: `0`, `1500ms`, `5s`, `1min`. */
const millisOf = (text: string): number => {
  const [, count, unit = "ms"] = /^(\d+)([a-z]+)?$/.exec(text) ?? []
  return Number(count) * (units[unit] ?? Number.NaN)
}

const isUtc = (zone: string) => /^(etc\/)?(utc|uct|gmt|universal|zulu)$/i.test(zone)

/** Whether the setting is at least as strict as requested. A timeout can be shorter, but not switched off. */
const isAsAsked = (name: keyof Settings, actual: string, asked: string): boolean => {
  if (name === "TimeZone") return isUtc(actual)
  if (!name.endsWith("_timeout")) return actual === asked
  return millisOf(actual) > 0 && millisOf(actual) <= Number(asked)
}

const mend = `a pooler may have dropped them: give them to the role itself, as docs/pgbouncer.md shows`

/**
 * The session's settings that are not as requested, as a sentence that names each one and the statement that corrects
 * it: `unsafe` if a pass must not rely on the session, `slow` if they only cost time.
 */
export const judge = (session: Session, timeout: Duration.Duration) => {
  const asked = settingsFor(timeout)
  const names = Object.keys(asked) as ReadonlyArray<keyof Settings>
  const differing = names.filter((name) => !isAsAsked(name, session[name], asked[name]))
  const sentence = (lacking: ReadonlyArray<keyof Settings>) => {
    if (lacking.length === 0) return undefined
    const found = lacking.map((name) => `${name} is ${session[name]}`).join(", ")
    const lines = lacking.map((name) => `alter role "${session.role}" set ${name} = '${asked[name]}';`).join(" ")
    return `the session lacks settings that it was started with: ${found}; ${mend}: ${lines}`
  }
  return {
    unsafe: sentence(differing.filter((name) => !(name in planning))),
    slow: sentence(differing.filter((name) => name in planning))
  }
}
