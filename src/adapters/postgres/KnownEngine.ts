import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { EngineId } from "../../ports/ContainerEngine.ts"
import { KnownEngine } from "../../ports/KnownEngine.ts"
import { Database } from "./Database.ts"

const make = Effect.gen(function* () {
  const database = yield* Database
  const sql = yield* SqlClient

  const read = database
    .run(
      "readEngine",
      "disconnected",
      sql<{ id: EngineId }>`select id from cleanup_engine order by accepted_at desc limit 1`
    )
    .pipe(Effect.map(([row]) => row?.id))

  // The table's unique index allows one row: whoever comes second finds the first's.
  const insert = (id: EngineId) => sql`insert into cleanup_engine (id, accepted_at) values (${id}, clock_timestamp())`

  return KnownEngine.of({
    read,
    remember: Effect.fnUntraced(function* (id) {
      yield* database.run("rememberEngine", "unanswered", sql`${insert(id)} on conflict do nothing`)
      return (yield* read) ?? id
    }),
    accept: (id) =>
      Effect.asVoid(
        database.run(
          "acceptEngine",
          "unanswered",
          sql`${insert(id)} on conflict ((true)) do update set id = excluded.id, accepted_at = excluded.accepted_at`
        )
      )
  })
})

export const layer = Layer.effect(KnownEngine, make)
