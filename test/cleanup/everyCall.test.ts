import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { MemoryEngine } from "../../src/adapters/memory/ContainerEngine.ts"
import { StoreState } from "../adapters/memory/StoreState.ts"
import { whileTimePasses } from "../support/whileTimePasses.ts"
import { containerId, garbage, layerWorld, leaseTtl, runOnce, seed, storeDown, unreachable } from "../support/world.ts"

type Trouble = "no answer" | "garbage" | "hang" | "bug" | "crash"

/** Which call of a pass goes wrong, and for how long: this one alone, or it and all that follow. */
interface Case {
  readonly port: "engine" | "engine's answer" | "database" | "database's answer"
  readonly trouble: Trouble
  readonly lasts: boolean
}

const cases: ReadonlyArray<Case> = [
  { port: "engine", trouble: "no answer", lasts: false },
  { port: "engine", trouble: "no answer", lasts: true },
  { port: "engine", trouble: "garbage", lasts: false },
  { port: "engine", trouble: "hang", lasts: false },
  { port: "engine", trouble: "hang", lasts: true },
  { port: "engine", trouble: "bug", lasts: false },
  { port: "engine", trouble: "crash", lasts: false },
  { port: "database", trouble: "no answer", lasts: false },
  { port: "database", trouble: "no answer", lasts: true },
  { port: "database", trouble: "bug", lasts: false },
  { port: "database", trouble: "crash", lasts: false },
  { port: "database's answer", trouble: "no answer", lasts: false },
  { port: "database's answer", trouble: "no answer", lasts: true },
  { port: "database's answer", trouble: "crash", lasts: false }
]

/** Two games to remove, one that is gone, one that runs although its record says stopped, and one that may run. */
const seedWorld = Effect.all([
  seed("expired-1", 1),
  seed("expired-2", 2),
  seed("gone", 3, { container: null }),
  seed("running", 4, { container: { state: "running" } }),
  seed("live", 5, { record: { status: "running" }, container: { state: "running" } })
])

/** What must hold at any moment; readable sentences about what does not. */
const violations = Effect.gen(function* () {
  const state = yield* StoreState
  const ids = new Set((yield* (yield* MemoryEngine).containers).map(({ id }) => id))
  const found: Array<string> = []
  if (!ids.has(containerId(4)) || !ids.has(containerId(5))) found.push("S1: a running container was removed")
  for (const { gameId, status, containerId } of state.records.values()) {
    const successes = state.log.filter((row) => row.gameId === gameId && row.outcome === "success").length
    const there = [...ids].some((id) => id === containerId)
    if (status === "removed" && there) found.push(`S4: ${gameId} is removed, but its container is there`)
    if (status === "removed" && successes !== 1) found.push(`S5: ${gameId} has ${successes} success rows`)
    if (status !== "removed" && successes > 0) found.push(`S5: ${gameId} has a success row and is ${status}`)
  }
  if (state.records.get("running")?.status !== "stopped") found.push("S6: the record of a running game changed")
  return found
})

/** One pass with trouble at its call `n`, then two healthy ones a lease's life later. `false`: there is no such call. */
const attempt = Effect.fnUntraced(function* ({ port, trouble, lasts }: Case, n: number) {
  yield* seedWorld
  const state = yield* StoreState
  const engine = yield* MemoryEngine
  let calls = 0
  const crashed = yield* Deferred.make<void>()
  const goWrong = <E>(error: E): Effect.Effect<void, E> =>
    Effect.suspend(() => {
      calls++
      if (lasts ? calls < n : calls !== n) return Effect.void
      switch (trouble) {
        case "hang":
          return Effect.never
        case "bug":
          return Effect.die(new Error("bug"))
        case "crash":
          return Effect.andThen(Deferred.succeed(crashed, undefined), Effect.never)
        default:
          return Effect.fail(error)
      }
    })
  if (port === "engine") yield* engine.setIntercept(() => goWrong(trouble === "garbage" ? garbage : unreachable))
  if (port === "database") state.intercept = () => goWrong(storeDown)
  if (port === "database's answer") state.interceptAnswer = () => goWrong(storeDown)

  // A crash never comes back: nothing of the pass runs any more, so it is left where it hangs.
  const pass = yield* Effect.forkDetach(Effect.provideService(runOnce, StoreState, state))
  const exit = yield* whileTimePasses(Effect.raceFirst(Effect.exit(Fiber.join(pass)), Deferred.await(crashed)))
  assert.isFalse(exit !== undefined && Exit.isFailure(exit) && trouble !== "bug", "a pass never fails")
  assert.deepStrictEqual(yield* violations, [], `at call ${n}`)

  yield* engine.setIntercept(() => Effect.void)
  yield* engine.catchUp
  state.intercept = () => Effect.void
  state.interceptAnswer = () => Effect.void
  yield* TestClock.adjust(leaseTtl)
  yield* TestClock.adjust("1 day")
  yield* runOnce
  yield* runOnce
  assert.deepStrictEqual(yield* violations, [], `after recovery from call ${n}`)
  const removed = [...state.records.values()].filter(({ status }) => status === "removed").map(({ gameId }) => gameId)
  assert.deepStrictEqual(removed, ["expired-1", "expired-2", "gone"], `after recovery from call ${n}`)
  assert.deepStrictEqual([...state.leases.keys()], [], `leases after recovery from call ${n}`)
  return calls >= n
})

describe("a pass in trouble at its Nth call, for every N", () => {
  it.effect.each(cases)("event 6: $port, $trouble (and ever after: $lasts)", (trouble) =>
    Effect.gen(function* () {
      let n = 1
      while (
        yield* attempt(trouble, n).pipe(
          Effect.provide(layerWorld({ concurrency: 2, engineTimeout: Duration.seconds(1) })),
          Effect.scoped
        )
      ) {
        n++
      }
      assert.isAbove(n, 8)
    })
  )
})
