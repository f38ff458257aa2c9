import { assert, it } from "@effect/vitest"
import { Effect, Layer, Random } from "effect"
import { describeEngine } from "../support/docker.ts"
import { layerEngine } from "../support/e2e.ts"
import { postgresServer } from "../support/postgres.ts"
import { type ActFailpoint, nameOfAct } from "./actSteps.ts"
import { actRound } from "./acts.ts"
import { recover } from "./recover.ts"
import { makeWorld, type World } from "./World.ts"

const killed = Effect.fnUntraced(function* (world: World, place: ActFailpoint) {
  const { happened, problems } = yield* actRound(world, place)
  assert.deepStrictEqual({ happened, problems }, { happened: { [nameOfAct(place)]: 1 }, problems: [] })
})

const places = {
  "hold, killed before its effect has left a row, and killed after it the hold": [
    { act: "hold", when: "before", step: "place" },
    { act: "hold", when: "after", step: "place" }
  ],
  "release, killed after its effect, has ended the hold at its time": [
    { act: "release", when: "after", step: "shorten" }
  ],
  "clean, killed after its removal, is finished by whoever asks again or when the time comes": [
    { act: "clean", when: "after", step: "remove" }
  ],
  "pause and resume, killed around their effect: a pause in force stops the next pass until somebody resumes": [
    { act: "pause", when: "before", step: "pause" },
    { act: "pause", when: "after", step: "pause" },
    { act: "resume", when: "after", step: "begin" }
  ],
  "engine accept and run --accept-absent, killed around their effect: the guard refuses until it was released": [
    { act: "engine accept", when: "after", step: "begin" },
    { act: "run --accept-absent", when: "after", step: "accept" }
  ],
  "run --plan, killed once it had begun, is not applied again": [
    { act: "run --plan", when: "after", step: "begin" },
    { act: "run --plan", when: "after", step: "remove" }
  ]
} satisfies Record<string, ReadonlyArray<ActFailpoint>>

describeEngine("an act whose process is killed with -9, over real PostgreSQL and a real engine", () => {
  it.layer(Layer.merge(postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
    for (const [title, failpoints] of Object.entries(places)) {
      it.effect(`event 50: ${title}`, () =>
        Effect.gen(function* () {
          const world = yield* makeWorld(["running"])
          yield* Effect.forEach(failpoints, (place) => killed(world, place), { discard: true })
          assert.deepStrictEqual(yield* recover(world), [])
        }).pipe(Random.withSeed(title))
      )
    }
  })
})
