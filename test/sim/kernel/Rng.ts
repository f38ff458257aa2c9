/** The one source of chance of a history: the same seed draws the same numbers. */
export interface Rng {
  /** In [0, 1). */
  readonly next: () => number
  /** A whole number, both ends included. */
  readonly int: (min: number, max: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <A>(items: ReadonlyArray<A>) => A
  /** Each item with a chance of one half, in the given order. */
  readonly half: <A>(items: ReadonlyArray<A>) => ReadonlyArray<A>
}

/** sfc32, warmed up from the seed: neighbouring seeds draw unrelated numbers. */
export const make = (seed: number): Rng => {
  let [a, b, c, counter] = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0, 0x9e3779b9, 1]
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return (sum >>> 0) / 2 ** 32
  }
  for (let round = 0; round < 16; round++) next()
  const int = (min: number, max: number) => min + Math.floor(next() * (max - min + 1))
  const chance = (probability: number) => next() < probability
  const pick = <A>(items: ReadonlyArray<A>): A => {
    const item = items[int(0, items.length - 1)]
    if (item === undefined) throw new Error("nothing to pick from")
    return item
  }
  return { next, int, chance, pick, half: (items) => items.filter(() => chance(0.5)) }
}
