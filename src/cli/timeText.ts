/** A time for people, to the second; `null` for none. */
export const timeText = (at: Date | null): string | null => at?.toISOString().replace(/\.\d+/, "") ?? null
