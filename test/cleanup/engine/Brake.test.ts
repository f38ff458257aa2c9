import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Ref, Result, Schema } from "effect"
import * as Brake from "../../../src/cleanup/engine/Brake.ts"
import type { Testimony } from "../../../src/cleanup/engine/testimony.ts"
import { PassRefused } from "../../../src/domain/PassRefused.ts"
import { StoreError, Unavailable } from "../../../src/ports/StoreError.ts"

const seen: Testimony = { _tag: "seen" }

const make = (said: Testimony = seen) => Brake.make(Effect.succeed(said))

/** How many games are looked for before the brake refuses; all of them, if it never does. */
const passed = Effect.fnUntraced(function* (found: ReadonlyArray<Brake.Sighting>, given?: Brake.Brake) {
  const brake = given ?? (yield* make())
  for (const [index, one] of found.entries()) {
    if (Result.isFailure(yield* Effect.result(brake.count(one)))) return index
  }
  return found.length
})

const games = (there: number, absent: number): ReadonlyArray<Brake.Sighting> => [
  ...Array.from({ length: there }, () => "there" as const),
  ...Array.from({ length: absent }, () => "absent" as const)
]

describe("the brake", () => {
  it.effect.each([
    ["19 games, all absent", games(0, 19), 19],
    ["the 20th game, all absent", games(0, 20), 19],
    ["20 games, half of them absent", games(10, 10), 20],
    ["the 11th absence among 21 games", games(10, 11), 20],
    ["a backlog that is absent after many that were not", games(100, 200), 200],
    ["no absence that a lease explains", Array.from({ length: 40 }, () => "explained" as const), 40]
  ] as const)("counts %s", ([, found, expected]) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* passed(found), expected)
    })
  )

  it.effect("refuses every further game once it has refused one, also one that is there", () =>
    Effect.gen(function* () {
      const brake = yield* make()
      yield* passed(games(0, 20), brake)
      const error = yield* Effect.flip(brake.count("there"))
      assert(error._tag === "PassRefused")
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

  it.effect.each([
    ["none of the others is there", { _tag: "none", asked: 3 }, games(5, 1), 5, /none of 3 others/],
    ["nothing at all is there", { _tag: "noneDue", asked: 3 }, games(0, 1), 0, /nor is any of 3 due games/],
    ["nothing is left after one that was there", { _tag: "noneDue", asked: 3 }, games(1, 5), 6, undefined],
    [
      "nothing is there, and a lease explains why",
      { _tag: "noneDue", asked: 3 },
      ["explained", "absent"],
      1,
      /nor is any of 3 due games/
    ],
    ["another one is there", seen, games(0, 5), 5, undefined]
  ] as ReadonlyArray<readonly [string, Testimony, ReadonlyArray<Brake.Sighting>, number, RegExp | undefined]>)(
    "event 28: refuses the first absence, or does not, where %s",
    ([, said, found, expected, message]) =>
      Effect.gen(function* () {
        const brake = yield* make(said)
        assert.strictEqual(yield* passed(found, brake), expected)
        assert.strictEqual(yield* brake.refused, message !== undefined)
        if (message === undefined) return
        const error = yield* Effect.flip(brake.count("there"))
        assert(error._tag === "PassRefused")
        assert.match(error.message, message)
      })
  )

  it.effect("event 28: asks once, at the first absence, and every absence waits for the answer", () =>
    Effect.gen(function* () {
      const asked = yield* Ref.make(0)
      const answer = yield* Deferred.make<Testimony>()
      const brake = yield* Brake.make(
        Effect.andThen(
          Ref.update(asked, (count) => count + 1),
          Deferred.await(answer)
        )
      )
      yield* passed(["there", "explained"], brake)
      assert.strictEqual(yield* Ref.get(asked), 0)
      const absences = yield* Effect.forEach([1, 2, 3], () =>
        Effect.forkChild(Effect.result(brake.count("absent")), { startImmediately: true })
      )
      yield* brake.count("there")
      assert.isTrue(absences.every((absence) => absence.pollUnsafe() === undefined))
      yield* Deferred.succeed(answer, { _tag: "none", asked: 1 })
      const results = yield* Effect.forEach(absences, Fiber.join)
      assert.isTrue(results.every(Result.isFailure))
      assert.strictEqual(yield* Ref.get(asked), 1)
    })
  )

  it.effect("event 28: lets no absence pass while the question is unanswered, and blames nobody for that", () =>
    Effect.gen(function* () {
      const lost = new StoreError({ operation: "witnesses", reason: new Unavailable({ cause: new Error("cut") }) })
      const brake = yield* Brake.make(Effect.fail(lost))
      assert.strictEqual(yield* Effect.flip(brake.count("absent")), lost)
      assert.strictEqual(yield* Effect.flip(brake.count("absent")), lost)
      yield* brake.count("there")
      assert.isFalse(yield* brake.refused)
    })
  )

  it.effect("event 28: asks again for the next absence where who asked was interrupted", () =>
    Effect.gen(function* () {
      const hang = yield* Ref.make(true)
      const brake = yield* Brake.make(
        Effect.flatMap(Ref.get(hang), (hangs) => (hangs ? Effect.never : Effect.succeed({ _tag: "none", asked: 1 })))
      )
      const first = yield* Effect.forkChild(brake.count("absent"), { startImmediately: true })
      yield* Fiber.interrupt(first)
      yield* Ref.set(hang, false)
      assert.instanceOf(yield* Effect.flip(brake.count("absent")), PassRefused)
    })
  )

  it.effect.prop(
    "refuses as soon as 20 were looked for and over half of those were absent, and not before",
    [Schema.Array(Schema.Literals(["there", "absent", "explained"])).check(Schema.isMaxLength(80))],
    ([found]) =>
      Effect.gen(function* () {
        const absences = (index: number) => found.slice(0, index + 1).filter((one) => one === "absent").length
        const first = found.findIndex((_, index) => index >= 19 && absences(index) * 2 > index + 1)
        assert.strictEqual(yield* passed(found), first === -1 ? found.length : first)
      })
  )
})
