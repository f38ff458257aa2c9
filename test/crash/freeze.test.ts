import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { describeEngine } from "../support/docker.ts"
import { layerEngine } from "../support/e2e.ts"
import type { Gate } from "../support/Gate.ts"
import { postgresServer } from "../support/postgres.ts"
import { stepOf } from "./failpoints.ts"
import { recordRows } from "./games.ts"
import { violations } from "./violations.ts"
import { add, allRemoved, makeWorld, type Replica, short, startReplica } from "./World.ts"

describeEngine("a replica that is stopped with SIGSTOP for longer than its leases", () => {
  it.layer(Layer.merge(postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
    it.effect("event 5: sends no delete when it wakes up, and its stale commit changes nothing", () =>
      Effect.gen(function* () {
        const world = yield* makeWorld([])
        const [looking, committing] = yield* add(world, ["created", "created"])
        const before = yield* recordRows(world.parts)
        const inspection = (id = "none") => `GET /containers/${id}/json`

        // Frozen when one game's inspection is answered, and the other's container removed and its commit on the way.
        const frozen = Promise.withResolvers<"pass">()
        const takenOver = Promise.withResolvers<"pass">()
        const carriedOut = Promise.withResolvers<Effect.Success<ReturnType<typeof recordRows>>>()
        const places = new Set<string>()
        const freezeAt = (place: string) => {
          if (places.has(place) || places.add(place).size < 2) return
          process.kill(first.process.pid, "SIGSTOP")
          frozen.resolve("pass")
        }
        const sentAfterwards: Array<string> = []
        const freezing: Gate = (passage) => {
          const { side, what } = passage
          if (places.size === 2 && side === "before") sentAfterwards.push(what)
          if (stepOf(passage) === "commit" && side === "before") {
            freezeAt("commit")
            return takenOver.promise
          }
          if (stepOf(passage) === "commit") {
            const look = Effect.runPromise(recordRows(world.parts))
            carriedOut.resolve(look)
            return look.then(() => "pass")
          }
          if (what !== inspection(looking?.containerId) || side === "before") return "pass"
          freezeAt("inspect")
          return frozen.promise
        }
        const first: Replica = yield* startReplica(world, ["run"], { gate: freezing, env: short })
        yield* Effect.promise(() => frozen.promise)

        // The commit arrives when the second replica holds the lease: its fence alone keeps the record as it is.
        const second = yield* startReplica(world, ["serve"], {
          env: short,
          gate: ({ side, what }) => {
            if (what !== inspection(committing?.containerId) || side === "after") return "pass"
            takenOver.resolve("pass")
            return carriedOut.promise.then(() => "pass")
          }
        })
        const afterStaleCommit = yield* Effect.promise(() => carriedOut.promise)
        const ofGame = (rows: typeof before) => rows.filter(({ gameId }) => gameId === committing?.gameId)
        assert.deepStrictEqual(ofGame(afterStaleCommit), ofGame(before))
        yield* allRemoved(world)
        yield* second.process.signal("SIGTERM")
        yield* second.quiet
        const removed = yield* recordRows(world.parts)

        yield* first.process.signal("SIGCONT")
        yield* first.quiet
        assert.deepStrictEqual(
          sentAfterwards.filter((what) => what.startsWith("DELETE")),
          []
        )
        assert.deepStrictEqual(yield* recordRows(world.parts), removed)
        const rows = yield* world.parts.store.log(committing?.gameId ?? "")
        assert.deepStrictEqual(
          rows.map(({ outcome, errorCode }) => errorCode ?? outcome),
          ["success", "removed_not_committed"]
        )
        world.excused.add("removed_not_committed")
        assert.deepStrictEqual(yield* violations(world, { recovered: true }), [])
      })
    )
  })
})
