import { Effect, Layer, Result } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { lagSeconds } from "../../domain/Expiry.ts"
import { type Cursor, type Page, RuntimeRecords } from "../../ports/RuntimeRecords.ts"
import { Database } from "./Database.ts"
import { recordedVersion, requireVersion } from "./migrations.ts"
import { decodeRecord, microsOf, type RecordRow, recordColumns, timestamp } from "./rows.ts"

const toMicros = (millis: number) => BigInt(Math.floor(millis)) * 1000n

/** A row that does not decode still moves the cursor, else it would end the listing. */
const toPage = (rows: ReadonlyArray<RecordRow>, limit: number): Page => {
  const decoded = rows.map(decodeRecord)
  const last = rows.at(-1)
  return {
    records: decoded.filter(Result.isSuccess).map((row) => row.success),
    undecodable: decoded.filter(Result.isFailure).map((row) => row.failure),
    next:
      last === undefined || rows.length < limit
        ? undefined
        : { lastOpAt: last.lastOpAt === null ? null : BigInt(last.lastOpAt), gameId: last.gameId }
  }
}

const make = Effect.gen(function* () {
  const database = yield* Database
  const sql = yield* SqlClient
  const columns = sql.literal(recordColumns)

  /** Stopped, with a finite time: a range of the partial index. A row without a game's id is no game's record. */
  const timed = sql`status = 'stopped' and last_op_at > '-infinity' and last_op_at < 'infinity' and game_id is not null`

  const after = (cursor: Cursor | undefined) =>
    cursor === undefined
      ? sql``
      : cursor.lastOpAt === null
        ? sql`and false`
        : sql`and (last_op_at, game_id) > (${timestamp(sql, cursor.lastOpAt)}, ${cursor.gameId})`

  const afterUntimed = (cursor: Cursor | undefined) =>
    cursor === undefined || cursor.lastOpAt !== null ? sql`` : sql`and game_id > ${cursor.gameId}`

  return RuntimeRecords.of({
    clock: Effect.gen(function* () {
      const [row] = yield* database.run(
        "clock",
        "disconnected",
        sql<{ millis: bigint; version: number | null }>`
          select floor(extract(epoch from clock_timestamp()) * 1000)::bigint as millis,
            ${sql.literal(recordedVersion)} as version`
      )
      yield* requireVersion("clock", row?.version ?? null)
      return Number(row?.millis)
    }),

    listDue: ({ cutoff, after: cursor, limit }) =>
      database
        .run(
          "listDue",
          "disconnected",
          sql<RecordRow>`
            select ${columns} from runtime_records
            where ${timed} and last_op_at < ${timestamp(sql, toMicros(cutoff))} ${after(cursor)}
            order by last_op_at, game_id limit ${limit}`
        )
        .pipe(Effect.map((rows) => toPage(rows, limit))),

    listStopped: ({ after: cursor, limit }) =>
      database
        .run(
          "listStopped",
          "disconnected",
          sql<RecordRow>`
            select ${columns} from (
              (select *, last_op_at as time from runtime_records
                where ${timed} ${after(cursor)} order by last_op_at, game_id limit ${limit})
              union all
              (select *, null from runtime_records
                where status = 'stopped' and (last_op_at is null or not isfinite(last_op_at)) and game_id is not null
                  ${afterUntimed(cursor)} order by game_id limit ${limit})
            ) as stopped order by time nulls last, game_id limit ${limit}`
        )
        .pipe(Effect.map((rows) => toPage(rows, limit))),

    backlog: (cutoff) =>
      database
        .run(
          "backlog",
          "disconnected",
          // Each count is a range of the partial index. The clock's own row makes it a constant for that.
          sql<{ due: bigint; oldest: string | null; noTime: bigint; future: bigint }>`
            select
              (select count(*) from runtime_records where ${timed} and last_op_at < cutoff) as due,
              (select ${sql.literal(microsOf("min(last_op_at)"))} from runtime_records
                where ${timed} and last_op_at < cutoff) as oldest,
              (select count(*) from runtime_records where status = 'stopped' and last_op_at is null)
                + (select count(*) from runtime_records where status = 'stopped' and last_op_at = '-infinity')
                + (select count(*) from runtime_records where status = 'stopped' and last_op_at = 'infinity') as "noTime",
              (select count(*) from runtime_records where ${timed} and last_op_at > now) as future
            from (select ${timestamp(sql, toMicros(cutoff))} as cutoff, clock_timestamp() as now offset 0) as times`
        )
        .pipe(
          Effect.map(([row]) => ({
            due: Number(row?.due),
            oldestDueAge: typeof row?.oldest === "string" ? lagSeconds(BigInt(row.oldest), cutoff) : 0,
            noTime: Number(row?.noTime),
            future: Number(row?.future)
          }))
        )
  })
})

/** The records over the partial index: what a listing costs depends on the rows it returns. */
export const layer = Layer.effect(RuntimeRecords, make)
