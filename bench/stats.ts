/** Linear between the two nearest values, as in most statistics programs (type 7). NaN where there are none. */
export const quantile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const low = sorted[Math.floor(at)] ?? Number.NaN
  const high = sorted[Math.ceil(at)] ?? Number.NaN
  return low + (high - low) * (at - Math.floor(at))
}

export const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)

export interface Spread {
  readonly median: number
  readonly q1: number
  readonly q3: number
}

/** Median and interquartile range. */
export const spread = (values: ReadonlyArray<number>): Spread => ({
  median: median(values),
  q1: quantile(values, 0.25),
  q3: quantile(values, 0.75)
})

/** The ratio in each round, then their spread: what slows a whole round down does not count. */
export const ratio = (ours: ReadonlyArray<number>, theirs: ReadonlyArray<number>): Spread =>
  spread(ours.map((rate, round) => rate / (theirs[round] ?? Number.NaN)))
