const minutes: Readonly<Record<string, number>> = { m: 1, h: 60, d: 1440, w: 10_080 }

/**
 * Rules with every time in them a sixtieth as long, so that an alert's ten minutes can be waited for: those with a unit, and
 * the seconds of the shortest patience.
 */
export const scaled = (rules: string): string =>
  rules
    .replaceAll(/\b(\d+)([mhdw])\b/g, (_, count, unit) => `${Number(count) * (minutes[unit] ?? 0)}s`)
    .replaceAll(/, 900\)/g, ", 15)")

/** Prometheus' own times to go with them: looking, and forgetting what is not sent any more. */
export const scaledPeriods = [["15s", "1s"]] as const
export const scaledFlags = ["--query.lookback-delta=5s"]
