import { assert, describe, it } from "@effect/vitest"
import {
  type EngineLevel,
  entered,
  initial,
  left,
  type Sample,
  sampled,
  underWay
} from "../../../src/cleanup/engine/engineLevel.ts"

const quick = 10

/** A whole window of calls at this level, each with the same latency in milliseconds. */
const window = (level: EngineLevel, millis: number, changes?: Partial<Sample>): EngineLevel =>
  Array.from({ length: Math.max(8, 2 * level.atOnce) }).reduce<EngineLevel>(
    (now) => sampled(now, { kind: "inspect", epoch: level.epoch, millis, failed: false, ...changes }),
    level
  )

/** The level with as many games at the engine as it allows, so that it is used up. */
const full = (level: EngineLevel): EngineLevel => {
  const games = level.atOnce - level.atEngine
  return games > 0 ? Array.from({ length: games }).reduce<EngineLevel>(entered, level) : level
}

/** The level after so many windows at full use, whose calls take as long as `millis` says of the games at the engine. */
const windows = (count: number, level: EngineLevel, millis: (atOnce: number) => number = () => quick): EngineLevel =>
  Array.from({ length: count }).reduce<EngineLevel>((now) => window(full(now), millis(now.atOnce)), level)

const failure = ({ epoch }: EngineLevel): Sample => ({ kind: "remove", epoch, millis: quick, failed: true })

const at16 = windows(2, initial(16))
const busy = full(at16)
const tenTimesAsSlow = () => quick * 10
const slowed = windows(10, windows(3, initial(32)), tenTimesAsSlow)

describe("the level of games at the engine", () => {
  it.each([
    ["begins at 4", initial(64), 4],
    ["begins at the ceiling if that is lower", initial(2), 2],
    ["doubles after a window at full speed", windows(1, initial(64)), 8],
    ["doubles again", windows(2, initial(64)), 16],
    ["ends at the ceiling", windows(3, initial(20)), 20],
    ["stays if it was not used up", window(initial(64), quick), 4],
    ["still doubles if it was not used up before", windows(1, window(initial(64), quick)), 8],
    ["stays while six to eight games queue", window(busy, (quick * 16) / 9), 16],
    ["shrinks by one while more than eight do", window(busy, quick * 3), 15],
    ["shrinks no further once six to eight do", windows(20, at16, () => quick * 5.9), 9],
    ["loses a quarter once calls take over 6 times as long", window(busy, quick * 6 + 1), 12],
    ["loses a quarter by a failure in the window", window(sampled(busy, failure(busy)), quick), 12],
    ["loses no more than that by many failures of one moment", window(busy, quick, { failed: true }), 12],
    [
      "loses it by one that began before it changed",
      window(sampled(busy, { ...failure(busy), epoch: busy.epoch - 1 }), quick),
      12
    ],
    ["never falls below 2, so that others pass a call that hangs", slowed, 2],
    ["stays at a ceiling of 1, whatever fails", window(full(initial(1)), quick, { failed: true }), 1],
    ["comes back when the engine is as fast as before", windows(30, slowed), 32],
    ["rises again if the engine stays slow, until six to eight games queue", windows(200, slowed, tenTimesAsSlow), 8],
    ["ignores calls that began before it changed", window(busy, quick * 100, { epoch: busy.epoch - 1 }), 16]
  ] as const)("%s", (_, level, expected) => {
    assert.strictEqual(level.atOnce, expected)
  })

  it("settles where six to eight games queue if each one more makes all slower, and does not creep up", () => {
    const slowing = (atOnce: number) => 2 * atOnce
    const settled = windows(20, initial(64), slowing)
    assert.deepStrictEqual([settled.atOnce, windows(1000, settled, slowing).atOnce], [12, 12])
  })

  it("takes no measure of speed from a call that failed", () => {
    assert.deepStrictEqual(sampled(busy, { ...failure(busy), millis: 1 }).remove, busy.remove)
  })

  it("grows by one after it has shrunk once", () => {
    const shrunk = window(busy, quick * 3)
    assert.strictEqual(windows(1, shrunk).atOnce, 16)
    assert.strictEqual(windows(1, { ...shrunk, ceiling: 64, atOnce: 20 }).atOnce, 21)
  })

  it("forgets the fastest time slowly, and only at its lowest levels", () => {
    assert.isAbove(window(initial(64), quick).inspect.fastest, quick)
    assert.strictEqual(window(busy, quick).inspect.fastest, busy.inspect.fastest)
  })

  it.each([
    ["with a ceiling of 1", initial(1), 1],
    ["at first", initial(64), 20],
    ["at a high level", windows(4, initial(64)), 80],
    ["while a game takes 5 seconds", window(initial(4), 5000), 12],
    ["after calls that failed after 15 seconds", window(initial(4), 15_000, { failed: true }), 5]
  ] as const)("lets other games be under way beside those at the engine: %s", (_, level, expected) => {
    assert.strictEqual(underWay(level), expected)
  })

  it("counts the games that come and go", () => {
    const level = left(entered(entered(initial(4))))
    assert.deepStrictEqual([level.atEngine, level.mostAtEngine], [1, 2])
  })
})
