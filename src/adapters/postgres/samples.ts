import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { RuntimeRecord } from "../../domain/RuntimeRecord.ts"
import { Database } from "./Database.ts"
import { timestamp } from "./rows.ts"

/** Writes and reads the demo's games; the service itself never creates a record. */
export const sampleRecords = Effect.gen(function* () {
  const database = yield* Database
  const sql = yield* SqlClient
  const schema = sql.literal(database.quotedSchema)
  return {
    put: ({ gameId, status, containerId, imageRef, lastOpAt }: RuntimeRecord) =>
      database.run(
        "put sample",
        "rolled_back",
        sql`insert into ${schema}.runtime_records (game_id, status, current_container_id, current_image_ref, last_op_at)
            values (${gameId}, ${status}, ${containerId}, ${imageRef}, ${timestamp(sql, lastOpAt ?? 0n)})`
      ),
    look: Effect.fnUntraced(function* (gameId: string) {
      const [record] = yield* database.run(
        "look at sample",
        "disconnected",
        sql<{ status: string }>`select status from ${schema}.runtime_records where game_id = ${gameId}`
      )
      const [reason] = yield* database.run(
        "look at sample",
        "disconnected",
        sql<{ errorCode: string | null; message: string }>`
          select error_code as "errorCode", coalesce(error_message, outcome) as message
          from ${schema}.operation_log where game_id = ${gameId} order by id desc limit 1`
      )
      return { status: record?.status ?? "gone", reason }
    })
  }
})
