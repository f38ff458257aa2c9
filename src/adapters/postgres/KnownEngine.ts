import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { EngineId } from "../../ports/ContainerEngine.ts"
import { type Known, KnownEngine } from "../../ports/KnownEngine.ts"
import { Database } from "./Database.ts"

const make = Effect.gen(function* () {
  const database = yield* Database
  const sql = yield* SqlClient
  const schema = sql.literal(database.quotedSchema)

  const read = database
    .run(
      "readEngine",
      "disconnected",
      sql<Known>`select id, braked_at is not null as braked from ${schema}.cleanup_engine order by accepted_at desc limit 1`
    )
    .pipe(Effect.map(([row]) => row))

  // The table's unique index allows one row: whoever comes second finds the first's.
  // No person has accepted it yet, so all records speak for or against it.
  const insert = (id: EngineId) =>
    sql`insert into ${schema}.cleanup_engine (id, accepted_at) values (${id}, '-infinity')`

  return KnownEngine.of({
    read,
    remember: Effect.fnUntraced(function* (id) {
      yield* database.run("rememberEngine", "unanswered", sql`${insert(id)} on conflict do nothing`)
      return (yield* read) ?? { id, braked: false }
    }),
    widen: Effect.fnUntraced(function* (from, to) {
      yield* database.run(
        "widenEngine",
        "unanswered",
        sql`update ${schema}.cleanup_engine set id = ${to} where id = ${from}`
      )
      return (yield* read) ?? { id: to, braked: false }
    }),
    brake: (id) =>
      Effect.asVoid(
        database.run(
          "brakeEngine",
          "unanswered",
          sql`update ${schema}.cleanup_engine set braked_at = clock_timestamp() where id = ${id} and braked_at is null`
        )
      ),
    accept: Effect.fnUntraced(function* (id) {
      yield* database.run("acceptEngine", "unanswered", sql`${insert(id)} on conflict do nothing`)
      yield* database.run(
        "acceptEngine",
        "unanswered",
        sql`update ${schema}.cleanup_engine set id = ${id}, accepted_at = clock_timestamp(), braked_at = null`
      )
    })
  })
})

export const layer = Layer.effect(KnownEngine, make)
