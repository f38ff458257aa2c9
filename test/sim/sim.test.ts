import { assert, describe, it } from "@effect/vitest"
import { run } from "./History.ts"
import { Tally } from "./Tally.ts"

describe("the cleaning in simulated histories", () => {
  it("keeps every invariant in 600 of them, with faults and acts of every kind", () => {
    const tally = new Tally()
    for (let seed = 1; seed <= 600; seed++) tally.add(run({ seed }))
    const [first] = tally.violated
    assert.deepStrictEqual(first?.violations ?? [], [], `seed ${first?.seed}\n${first?.trace.join("\n")}`)
    assert.deepStrictEqual(tally.missing, [])
    assert.isAbove(tally.faultsPerHistory, 5)
    assert.isAbove(tally.removals, 600)
    for (const act of [
      "hold",
      "release",
      "pause",
      "resume",
      "clean",
      "plan_apply",
      "engine_accept",
      "retention_accept"
    ]) {
      assert.isAbove(tally.acts.get(`${act} done`) ?? 0, 10, act)
    }
  })

  it("replays a history exactly from its seed", () => {
    for (const seed of [3, 11, 42]) {
      const { trace } = run({ seed, kept: Infinity })
      assert.isAbove(trace.length, 20)
      assert.deepStrictEqual(run({ seed, kept: Infinity }).trace, trace)
    }
  })
})
