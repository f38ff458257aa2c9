import { assert, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import * as UnresolvedRemovals from "../../../src/cleanup/game/UnresolvedRemovals.ts"

const ttl = Duration.minutes(1)

it.effect("knows each game until its lease has expired, or its container is known to be gone", () =>
  Effect.gen(function* () {
    const unresolved = yield* UnresolvedRemovals.make(ttl)
    yield* unresolved.add("a")
    yield* unresolved.add("b")
    yield* unresolved.delete("b")
    yield* TestClock.adjust("30 seconds")
    yield* unresolved.add("c")
    assert.deepStrictEqual(yield* unresolved.list, ["a", "c"])
    yield* TestClock.adjust("30 seconds")
    assert.deepStrictEqual(yield* unresolved.list, ["c"])
  })
)

it.effect("counts from the last attempt on a game", () =>
  Effect.gen(function* () {
    const unresolved = yield* UnresolvedRemovals.make(ttl)
    yield* unresolved.add("a")
    yield* TestClock.adjust("30 seconds")
    yield* unresolved.add("a")
    yield* TestClock.adjust("59 seconds")
    assert.deepStrictEqual(yield* unresolved.list, ["a"])
  })
)

it.effect("loses no game of many that are added at once", () =>
  Effect.gen(function* () {
    const unresolved = yield* UnresolvedRemovals.make(ttl)
    const games = Array.from({ length: 600 }, (_, i) => `game-${i}`)
    yield* Effect.forEach(games, unresolved.add, { concurrency: "unbounded" })
    assert.sameMembers([...(yield* unresolved.list)], games)
  })
)
