import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { describeEngine } from "../support/docker.ts"
import { dump, game, layerEngine, type World, world } from "../support/e2e.ts"
import { postgresServer } from "../support/postgres.ts"
import { command } from "../support/service.ts"

const games = ["a", "b", "c", "d", "e"]

/** Ways in which a database that looks well does not record, each by statements of its owner. */
const ways = [
  ["a closed set of states", ["alter table runtime_records add check (status in ('starting', 'running', 'stopped'))"]],
  [
    "a trigger that lets no record move",
    [
      "create function keep() returns trigger language plpgsql as 'begin return null; end'",
      "create trigger keep before update on runtime_records for each row execute function keep()"
    ]
  ],
  [
    "a trigger that raises at the end of the transaction",
    [
      "create function raise() returns trigger language plpgsql as 'begin raise exception ''no''; end'",
      `create constraint trigger late after insert on operation_log deferrable initially deferred
         for each row execute function raise()`
    ]
  ]
] as const

const execute = ({ sql }: World, statements: ReadonlyArray<string>) =>
  Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })

describeEngine("run, over a real database that does not record and a real engine", () => {
  it.layer(Layer.merge(postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
    it.effect.each(ways)("event 26: removes nothing, now and again, nor in a plan or a dry run: %s", ([, statements]) =>
      Effect.gen(function* () {
        const here = yield* world()
        yield* Effect.forEach(games, (gameId) => game(here, gameId, "exited"))
        yield* execute(here, statements)
        const tables = Effect.all([dump(here, "runtime_records"), dump(here, "operation_log")])
        const before = yield* tables
        for (const env of [here.env, here.env, { ...here.env, RTMANAGER_CLEANUP_MODE: "dry_run" }]) {
          const { code, stdout } = yield* command(["run", "--json"], env)
          assert.strictEqual(code, 4)
          const report = { result: "refused", reason: "cannot_record", listed: 5, not_attempted: 5 }
          assert.deepInclude(JSON.parse(stdout), report)
        }
        assert.strictEqual((yield* command(["plan"], here.env)).code, 4)
        assert.lengthOf(yield* here.engine.left, 5)
        assert.deepStrictEqual(yield* tables, before)
        assert.isEmpty(yield* dump(here, "game_leases"))
      })
    )

    it.effect(
      "event 26: loses one container at most to a trigger that refuses some games, and removes all others",
      () =>
        Effect.gen(function* () {
          const here = yield* world()
          const ids = yield* Effect.forEach([..."abcdefgh"], (gameId, i) =>
            Effect.map(game(here, gameId, "exited", { daysAgo: 60 - i }), (id) => [gameId, id] as const)
          )
          yield* execute(here, [
            "create function refuse() returns trigger language plpgsql as 'begin raise exception ''no''; end'",
            `create trigger refuse before update on runtime_records for each row
             when (new.game_id in ('c', 'e', 'g')) execute function refuse()`
          ])
          const env = { ...here.env, RTMANAGER_CLEANUP_CONCURRENCY: "1" }
          const codes = yield* Effect.replicateEffect(
            Effect.map(command(["run", "--json"], env), ({ code }) => code),
            3
          )
          // The third finds only games that would not be recorded.
          assert.deepStrictEqual(codes, [4, 1, 4])
          const left = (yield* here.engine.left).map(({ id }) => id)
          assert.deepStrictEqual(
            ids.flatMap(([gameId, id]) => (left.includes(id) ? [gameId] : [])),
            ["e", "g"]
          )
          const records = yield* dump(here, "runtime_records")
          assert.lengthOf(
            records.filter((row) => row.includes("removed")),
            5
          )
        })
    )
  })
})
