/** Unix milliseconds as a `Date`; `null` if a `Date` cannot hold the year. */
export const dateOf = (millis: number): Date | null => {
  const date = new Date(millis)
  return Number.isNaN(date.getTime()) ? null : date
}

/** A time to the millisecond, as text for people; `never` if a `Date` cannot hold the year. */
export const isoTime = (at: Date | number): string => dateOf(Number(at))?.toISOString() ?? "never"

/** A time to the second, as text for people; `null` for none. */
export const timeText = (at: Date | null): string | null => at?.toISOString().replace(/\.\d+/, "") ?? null
