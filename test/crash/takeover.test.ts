import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { describeEngine } from "../support/docker.ts"
import { layerEngine } from "../support/e2e.ts"
import { postgresServer } from "../support/postgres.ts"
import { killAt } from "./kills.ts"
import { violations } from "./violations.ts"
import { add, allRemoved, makeWorld, short, startReplica } from "./World.ts"

describeEngine("a replica that dies with leases held", () => {
  it.layer(Layer.merge(postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
    it.effect("event 2: another replica takes over within the lease's 16 seconds and one pass, and not before", () =>
      Effect.gen(function* () {
        const world = yield* makeWorld([])
        yield* add(world, ["created", "created", "absent"])
        const kill = { failpoint: { when: "before", step: "remove" }, occurrence: 1 } as const
        assert.isTrue(yield* killAt(world, kill, { env: short }))
        const { sql } = world.parts
        const held = yield* sql<{ gameId: string; at: number }>`
          select game_id as "gameId", extract(epoch from acquired_at)::float8 as at from game_leases`
        assert.isAtLeast(held.length, 1)

        const other = yield* startReplica(world, ["serve"], { gate: () => "pass", env: short })
        yield* allRemoved(world)
        yield* other.process.signal("SIGTERM")
        yield* other.quiet
        assert.deepStrictEqual(yield* violations(world, { recovered: true }), [])
        for (const { gameId, at } of held) {
          const [removed] = yield* sql<{ at: number }>`
            select extract(epoch from removed_at)::float8 as at from runtime_records where game_id = ${gameId}`
          assert.isAtLeast((removed?.at ?? 0) - at, 16, gameId)
          // A pass starts a second after the last has ended; the rest is for a busy machine.
          assert.isBelow((removed?.at ?? 0) - at, 60, gameId)
        }
      })
    )
  })
})
