import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import * as Brake from "../../src/cleanup/Brake.ts"

/** How many games are looked for before the brake refuses; all of them, if it never does. */
const passed = Effect.fnUntraced(function* (absences: ReadonlyArray<boolean>, brake: Brake.Brake = Brake.make()) {
  for (const [index, absent] of absences.entries()) {
    if (Result.isFailure(yield* Effect.result(brake.looked(absent)))) return index
  }
  return absences.length
})

const games = (present: number, absent: number) => [
  ...Array.from({ length: present }, () => false),
  ...Array.from({ length: absent }, () => true)
]

describe("the brake", () => {
  it.effect.each([
    ["19 games, all absent", games(0, 19), 19],
    ["the 20th game, all absent", games(0, 20), 19],
    ["20 games, half of them absent", games(10, 10), 20],
    ["the 11th absence among 21 games", games(10, 11), 20],
    ["a backlog that is absent after many that were not", games(100, 200), 200]
  ] as const)("counts %s", ([, absences, expected]) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* passed(absences), expected)
    })
  )

  it.effect("refuses every further game once it has refused one, also one that is there", () =>
    Effect.gen(function* () {
      const brake = Brake.make()
      yield* passed(games(0, 20), brake)
      const error = yield* Effect.flip(brake.looked(false))
      assert.strictEqual(error.reason, "absent_brake")
      assert.match(error.message, /20 of the 20 containers .* run --accept-absent/)
      assert.strictEqual(yield* passed(games(100, 0), brake), 0)
    })
  )

  it.effect("never refuses when released", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* passed(games(0, 100), Brake.released), 100)
    })
  )

  it.effect.prop(
    "refuses as soon as 20 were looked for and over half of those were absent, and not before",
    [Schema.Array(Schema.Boolean).check(Schema.isMaxLength(80))],
    ([absences]) =>
      Effect.gen(function* () {
        const first = absences.findIndex(
          (_, index) => index >= 19 && absences.slice(0, index + 1).filter(Boolean).length * 2 > index + 1
        )
        assert.strictEqual(yield* passed(absences), first === -1 ? absences.length : first)
      })
  )
})
