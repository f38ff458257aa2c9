import { assert, describe, it } from "@effect/vitest"
import { type Breach, breaches } from "./breaches.ts"
import { run } from "./History.ts"
import type { Plan } from "./world/Plan.ts"

/** A plan in which it has to show. */
const planFor =
  ({ engines = 1, faults = [], games, plan }: Breach) =>
  (drawn: Plan): Plan => ({
    ...drawn,
    engines,
    replicas: Math.max(engines, drawn.replicas),
    games: games ?? drawn.games,
    faults: new Set(faults),
    perCall: 0.05,
    incidents: 12,
    interval: 180_000,
    wishes: 0,
    ...plan
  })

const seeds = Array.from({ length: 60 }, (_, index) => index + 1)

describe("the simulation sees", () => {
  for (const breach of breaches) {
    const { what, invariant, sabotage } = breach
    it(`${what}: ${invariant}`, () => {
      const isSeen = seeds.some((seed) =>
        run({ seed, sabotage, toTheEnd: true, plan: planFor(breach) }).violations.some(
          (violation) => violation.invariant === invariant
        )
      )
      assert.isTrue(isSeen)
    })
  }

  it("nothing in these histories when nothing is broken", () => {
    for (const breach of breaches) {
      for (const seed of seeds.slice(0, 3)) {
        const { violations, trace } = run({ seed, plan: planFor(breach) })
        assert.deepStrictEqual(violations, [], `seed ${seed}\n${trace.join("\n")}`)
      }
    }
  })
})
