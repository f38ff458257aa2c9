import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { describeEngine } from "../support/docker.ts"
import { dump, game, layerEngine, world } from "../support/e2e.ts"
import { describeOwnEngine, startEngine } from "../support/otherEngine.ts"
import { postgresServer } from "../support/postgres.ts"
import { command } from "../support/service.ts"

describeEngine("engine accept", () => {
  describeOwnEngine("with two engines", undefined, () => {
    it.layer(Layer.merge(postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
      it.effect("is what it takes before an empty engine behind the same address is believed", () =>
        Effect.gen(function* () {
          const here = yield* world()
          yield* command(["run"], here.env)
          yield* game(here, "expired", "exited")
          const other = { ...here.env, DOCKER_HOST: `unix://${(yield* startEngine).socketPath}` }
          const tables = Effect.all(
            ["runtime_records", "operation_log", "game_leases", "cleanup_engines"].map((name) => dump(here, name))
          )
          const before = yield* tables

          const refused = yield* command(["run", "--json"], other)
          assert.strictEqual(refused.code, 4)
          assert.include(JSON.parse(refused.stdout), { result: "refused", reason: "engine_changed", listed: 0 })
          assert.isTrue(refused.log.some(({ text }) => /engine accept/.test(String(text))))
          assert.strictEqual((yield* command(["plan"], other)).code, 4)
          assert.deepStrictEqual(yield* tables, before)

          const acceptance = yield* command(["engine", "accept"], other)
          assert.strictEqual(acceptance.code, 0)
          const [, identity = ""] = /^accepted engine (\S+) as default/.exec(acceptance.stdout) ?? []
          assert.match(identity, /:\/./)
          assert.include((yield* command(["engine", "list"], other)).stdout, ` ${identity} `)
          const accepted = yield* command(["run", "--json"], other)
          assert.strictEqual(accepted.code, 0)
          assert.include(JSON.parse(accepted.stdout).outcomes, { already_absent: 1 })
          assert.strictEqual((yield* command(["run"], here.env)).code, 4)
        })
      )
    })
  })
})
