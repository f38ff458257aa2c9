import { assert, it } from "@effect/vitest"
import { Effect, Layer, Random } from "effect"
import { describeEngine } from "../support/docker.ts"
import { layerEngine } from "../support/e2e.ts"
import type { Gate, Passage } from "../support/Gate.ts"
import { postgresServer } from "../support/postgres.ts"
import { backendRound } from "./backends.ts"
import { failpoints, nameOf, type Step, stepOf } from "./failpoints.ts"
import { killAt } from "./kills.ts"
import { raceRound } from "./races.ts"
import { recover } from "./recover.ts"
import { failpointRound } from "./rounds.ts"
import { violations } from "./violations.ts"
import { add, allRemoved, expireLeases, makeWorld, startReplica, type World } from "./World.ts"

/** One game after another, so that the second one is where a process dies. */
const oneByOne = { RTMANAGER_CLEANUP_CONCURRENCY: "1" }

const threeGames = Effect.gen(function* () {
  const world = yield* makeWorld([])
  // The oldest comes first.
  const games = yield* Effect.forEach(["created", "created", "created"] as const, (kind) => add(world, [kind]))
  return { world, second: games[1]?.[0]?.gameId ?? "" }
})

const killedAt = (world: World, when: "before" | "after", step: Step) =>
  killAt(world, { failpoint: { when, step }, occurrence: 2 }, { env: oneByOne })

const messages = (world: World, gameId: string) =>
  Effect.map(world.parts.store.log(gameId), (rows) => rows.map(({ message }) => message))

const ownerIn = ({ parameters }: Passage) => parameters.find((value) => /^[0-9a-f-]{36}$/.test(value)) ?? ""

const containersLeft = ({ parts }: World) =>
  Effect.map(parts.engine.left, (containers) => containers.map(({ gameId }) => gameId).sort())

describeEngine("the service, killed with -9 over real PostgreSQL and a real engine", () => {
  it.layer(Layer.merge(postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
    it.effect("event 1: a kill after the delete, before the commit, ends as already_absent with one row", () =>
      Effect.gen(function* () {
        const { world, second } = yield* threeGames
        assert.isTrue(yield* killedAt(world, "after", "remove"))
        assert.deepStrictEqual(yield* containersLeft(world), ["created-2"])
        assert.deepStrictEqual(yield* messages(world, second), [])
        assert.deepStrictEqual(yield* violations(world, { recovered: false }), [])

        assert.deepStrictEqual(yield* recover(world), [])
        assert.deepStrictEqual(yield* messages(world, second), ["the container was already absent"])
        assert.deepStrictEqual(yield* messages(world, "created-2"), ["the container was removed"])
      })
    )

    it.effect("event 1: a kill after the commit, before its answer, leaves nothing to do for this game", () =>
      Effect.gen(function* () {
        const { world, second } = yield* threeGames
        assert.isTrue(yield* killedAt(world, "after", "commit"))
        assert.deepStrictEqual(yield* messages(world, second), ["the container was removed"])
        assert.deepStrictEqual(yield* recover(world), [])
        assert.deepStrictEqual(yield* messages(world, second), ["the container was removed"])
      })
    )

    it.effect.each([
      ["before", "sends it again"],
      ["after", "reads its outcome back"]
    ] as const)("event 3: a connection lost %s the commit is carried out: %s, and there is no second row", ([side]) =>
      Effect.gen(function* () {
        const { world } = yield* threeGames
        let cuts = 0
        const replica = yield* startReplica(world, ["run"], {
          gate: (passage) => (passage.side === side && stepOf(passage) === "commit" && ++cuts === 1 ? "cut" : "pass")
        })
        assert.strictEqual((yield* replica.process.ended).code, 0)
        assert.isAtLeast(cuts, 1)
        assert.deepStrictEqual(yield* violations(world, { recovered: true }), [])
      })
    )

    it.effect("event 6: kills at eight places, chosen by a seed, break no rule, then or after recovery", () =>
      Effect.gen(function* () {
        const world = yield* makeWorld()
        const places = yield* Random.shuffle(failpoints)
        for (const place of places.slice(0, 8)) {
          const { happened, problems } = yield* failpointRound(world, place)
          assert.deepStrictEqual({ happened, problems }, { happened: { [nameOf(place)]: 1 }, problems: [] })
        }
        assert.deepStrictEqual(yield* recover(world), [])
      }).pipe(Random.withSeed("eight places"))
    )

    it.effect(
      "event 7: of two replicas on one backlog one is killed in mid-removal, and the other finishes it all",
      () =>
        Effect.gen(function* () {
          const world = yield* makeWorld([])
          yield* add(world, new Array(10).fill("created"))
          const leased = Promise.withResolvers<string>()
          const kill = { failpoint: { when: "after", step: "remove" }, occurrence: 1 } as const
          const others: Gate = (passage) => {
            if (stepOf(passage) === "acquire" && passage.side === "after") leased.resolve(ownerIn(passage))
            return "pass"
          }
          const other = yield* startReplica(world, ["serve"], {
            gate: (passage) =>
              stepOf(passage) === "acquire" && passage.side === "before" ? leased.promise.then(() => "pass") : "pass"
          })
          assert.isTrue(yield* killAt(world, kill, { env: oneByOne, others }))
          yield* expireLeases(world, yield* Effect.promise(() => leased.promise))
          yield* allRemoved(world)
          yield* other.process.signal("SIGTERM")
          yield* other.quiet
          assert.deepStrictEqual(yield* violations(world, { recovered: true }), [])
        })
    )

    it.effect("event 9: a container that is started while its delete is on the way is either removed or runs", () =>
      Effect.gen(function* () {
        const world = yield* makeWorld([])
        const { happened, problems } = yield* raceRound(world, 16)
        assert.deepStrictEqual(problems, [])
        assert.strictEqual((happened["race: removed"] ?? 0) + (happened["race: kept running"] ?? 0), 16)
      }).pipe(Random.withSeed("sixteen starts"))
    )

    it.effect("event 17: a pass whose database sessions are killed again and again converges without double rows", () =>
      Effect.gen(function* () {
        const world = yield* makeWorld([])
        const { happened, problems } = yield* backendRound(world)
        assert.deepStrictEqual(problems, [])
        assert.isAbove(happened["backend killed"] ?? 0, 0)
      }).pipe(Random.withSeed("backends"))
    )
  })
})
