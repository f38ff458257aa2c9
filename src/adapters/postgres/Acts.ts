import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { RecordedAct } from "../../domain/Act.ts"
import { Acts } from "../../ports/Acts.ts"
import { Database } from "./Database.ts"
import { question } from "./run.ts"

const make = Effect.gen(function* () {
  const { quotedSchema, run } = yield* Database
  const sql = yield* SqlClient
  const table = sql.literal(`${quotedSchema}.cleanup_acts`)

  return Acts.of({
    begin: ({ act, author, reason, target }) =>
      Effect.gen(function* () {
        const asked = sql`${act}::text, ${target}::text, ${author}::text, ${reason}::text, clock_timestamp()`
        // An answer that was lost may leave a row without a result, never an act without a row.
        const [row] = yield* run(
          "beginAct",
          "rolled_back",
          sql<{ id: bigint }>`insert into ${table} (act, target, author, reason, asked_at) values (${asked})
            on conflict do nothing returning id`
        )
        if (row !== undefined) return row.id
        yield* run(
          "beginAct",
          "rolled_back",
          sql`insert into ${table} (act, target, author, reason, asked_at, ended_at, result, message)
            values (${asked}, clock_timestamp(), 'refused', 'the plan was applied before, or is being applied')`
        )
        return undefined
      }),
    end: (id, { message, result }) =>
      Effect.asVoid(
        run(
          "endAct",
          "unanswered",
          sql`update ${table} set result = ${result}, message = ${message}, ended_at = clock_timestamp()
            where id = ${id} and result is null`
        )
      ),
    list: ({ before, limit, target }) =>
      run(
        "listActs",
        question,
        sql<RecordedAct>`
          select id, act, target, author, reason, asked_at as "askedAt", ended_at as "endedAt", result, message from ${table}
          where ${target === undefined ? sql`true` : sql`target = ${target}`} and ${before === undefined ? sql`true` : sql`id < ${before}`}
          order by id desc limit ${limit}`
      )
  })
})

/** Only adds rows, and sets a result once. */
export const layer = Layer.effect(Acts, make)
