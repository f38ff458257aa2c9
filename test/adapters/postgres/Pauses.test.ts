import { assert, it } from "@effect/vitest"
import { Effect, Layer, Result } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { Author } from "../../../src/domain/Act.ts"
import { Pauses } from "../../../src/ports/Pauses.ts"
import { layerStores, postgresServer } from "../../support/postgres.ts"

const layer = Layer.provide(layerStores(), postgresServer())

it.layer(layer, { excludeTestServices: true })("Pauses in PostgreSQL", (it) => {
  it.effect("deletes at the beginning of a pass the holds that ended over 24 hours ago, and no others", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`insert into cleanup_holds (game_id, author, reason, placed_at, until) values
        ('ended', 'anna', 'a test', now() - interval '3 days', now() - interval '25 hours'),
        ('ended-lately', 'anna', 'a test', now() - interval '3 days', now() - interval '23 hours'),
        ('held', 'anna', 'a test', now() - interval '3 days', now() + interval '1 hour'),
        ('held-for-good', 'anna', 'a test', now() - interval '3 days', null)`
      yield* (yield* Pauses).beginPass
      assert.deepStrictEqual(yield* sql`select game_id as game from cleanup_holds order by 1`, [
        { game: "ended-lately" },
        { game: "held" },
        { game: "held-for-good" }
      ])
    })
  )

  it.effect("says that nothing is paused if the database swallows the pause", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { current, pause } = yield* Pauses
      yield* sql`create function swallow() returns trigger language plpgsql as 'begin return null; end'`
      yield* sql`create trigger swallow before insert on cleanup_pause for each row execute function swallow()`
      const author = Author.make("anna")
      const paused = yield* Effect.result(pause({ author, reason: "a test", duration: undefined }))
      assert(Result.isFailure(paused))
      assert.strictEqual(paused.failure.reason._tag, "CannotRecord")
      assert.isUndefined(yield* current)
    })
  )
})
