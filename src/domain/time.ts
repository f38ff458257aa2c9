/** Unix milliseconds as a `Date`; `null` if a `Date` cannot hold the year. */
export const dateOf = (millis: number): Date | null => {
  const date = new Date(millis)
  return Number.isNaN(date.getTime()) ? null : date
}

/** A time to the millisecond, as text for people; `never` if a `Date` cannot hold the year. */
export const isoTime = (at: Date | number): string => dateOf(Number(at))?.toISOString() ?? "never"

/** A time to the second, as text for people; `null` for none. */
export const timeText = (at: Date | null): string | null => at?.toISOString().replace(/\.\d+/, "") ?? null

const rfc3339 =
  /^(\d{4})-(\d{2})-(\d{2})T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/i

/** Reads a time by RFC 3339, such as `2027-01-31T12:00:00Z`. `Date` alone would take 30 February for 2 March. */
export const parseTime = (text: string): Date | undefined => {
  const [, year, month, day] = rfc3339.exec(text) ?? []
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)))
  return date.getUTCMonth() + 1 === Number(month) && date.getUTCDate() === Number(day) ? new Date(text) : undefined
}
