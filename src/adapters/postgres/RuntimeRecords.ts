import { Effect, Layer, Ref, Result } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { isContainerId } from "../../domain/ContainerId.ts"
import type { EngineName } from "../../domain/EngineName.ts"
import { type Cursor, RuntimeRecords } from "../../ports/RuntimeRecords.ts"
import { CannotRecord, StoreError, Unavailable, UnsafeSession } from "../../ports/StoreError.ts"
import { backlog } from "./backlog.ts"
import { conditions, toMicros } from "./conditions.ts"
import { Database } from "./Database.ts"
import { idOf, keyColumns, type Listing, makeListing } from "./listing.ts"
import { recordedVersion, requireVersion } from "./migrations.ts"
import { hiddenTables } from "./rowSecurity.ts"
import { engineColumn, lastOpAt, type RecordRow, recordColumns, recordTables, timestamp } from "./rows.ts"
import { question } from "./run.ts"
import { judge, type Session, sessionColumns } from "./session.ts"
import { storeError } from "./storeError.ts"
import { unknownEngines } from "./unknownEngines.ts"

/** A standby answers reads like any server, and would then fail game by game. */
const readOnly = new StoreError({
  operation: "clock",
  reason: new Unavailable({ cause: new Error("the database is read-only") })
})

/** An empty backlog could be a hidden backlog. */
const hidden = (tables: string, role: string) =>
  new StoreError({
    operation: "clock",
    reason: new CannotRecord({
      detail: `row level security hides rows of ${tables} from role ${role}; give it a policy "using (true)", or BYPASSRLS`
    })
  })

const refused = (detail: string) => new StoreError({ operation: "clock", reason: new UnsafeSession({ detail }) })

/** The times that are none: each is a range of the partial index. */
const untimedRanges = ["is null", "= 'infinity'", "= '-infinity'"]

interface Options {
  /** Only its records are listed and counted. */
  readonly engineName: EngineName
}

const make = Effect.fnUntraced(function* ({ engineName }: Options) {
  const database = yield* Database
  const sql = yield* SqlClient
  const schema = sql.literal(database.quotedSchema)
  const columns = sql.literal(recordColumns)
  const warned = yield* Ref.make(false)
  const tables = sql.literal(recordTables(database.quotedSchema))
  const keys = sql.literal(`${keyColumns}, ${lastOpAt}`)
  const ask = makeListing(database.run, sql)
  const list = (operation: string, listing: Listing) =>
    Effect.flatMap(ask(operation, listing), (page) => Effect.fromResult(Result.mapError(page, storeError(operation))))
  const engine = sql.literal(engineColumn)
  const { expired, free, ready, stopped, timed } = conditions(sql, engineName)

  const afterUntimed = (cursor: Cursor | undefined) =>
    cursor === undefined || cursor.lastOpAt !== null ? sql`` : sql`and r.game_id > ${idOf(sql, cursor)}`

  /** The percentage of the table's pages that makes about two thousand pages. */
  const sampled = sql`least(100, 2000 * 100.0 * current_setting('block_size')::int
    / greatest(pg_relation_size(${`${database.quotedSchema}.runtime_records`}::text::regclass), 1))`

  /** When a person last accepted the engine. */
  const accepted = sql`coalesce((select accepted_at from ${schema}.cleanup_engines where name = ${engineName}), '-infinity')`

  return RuntimeRecords.of({
    clock: Effect.gen(function* () {
      const [row] = yield* database.run(
        "clock",
        question,
        sql<
          Session & { millis: bigint; version: number | null; readOnly: boolean; hidden: string | null; role: string }
        >`
          select floor(extract(epoch from clock_timestamp()) * 1000)::bigint as millis,
            ${sql.literal(recordedVersion(database.quotedSchema))} as version, current_setting('transaction_read_only') = 'on' as "readOnly",
            ${sql.literal(hiddenTables(database.schema))} as hidden, current_user as role, ${sql.literal(sessionColumns)}`
      )
      if (row === undefined) return yield* Effect.die("a select without a table has one row")
      const { slow, unsafe } = judge(row, database.timeout)
      if (unsafe !== undefined) return yield* refused(unsafe)
      if (row.readOnly) return yield* readOnly
      if (row.hidden !== null) return yield* hidden(row.hidden, row.role)
      yield* requireVersion("clock", row.version)
      if (slow !== undefined && !(yield* Ref.getAndSet(warned, true))) {
        yield* Effect.annotateLogs(Effect.logWarning("database.session_slow"), { message: slow })
      }
      return Number(row.millis)
    }),

    listDue: ({ moment, after: cursor, limit }) => {
      const due = <Row extends object>(columns: Fragment) => sql<Row>`
        select ${columns} from ${tables} where ${expired(moment, cursor)} and ${ready(moment)} and ${free}
        order by r.last_op_at, r.game_id limit ${limit}`
      return list("listDue", {
        page: due(columns),
        keys: due(keys),
        among: (condition, more) => sql<RecordRow & { readonly key: string }>`
          select ${columns}, ${more} from ${tables} where ${expired(moment)} and ${ready(moment)} and ${free} and ${condition}`,
        limit
      })
    },

    listStopped: ({ after: cursor, limit }) => {
      const untimed = (range: string, columns: Fragment) => sql`union all
          (select ${columns}, null, r.game_id from ${tables}
            where ${stopped} and r.last_op_at ${sql.literal(range)} and r.game_id is not null ${afterUntimed(cursor)}
            order by r.last_op_at, r.game_id limit ${limit})`
      const page = <Row extends object>(wanted: Fragment, columns: Fragment) => sql<Row>`
        select ${wanted} from (
          (select ${columns}, r.last_op_at as "time", r.game_id as id from ${tables}
            where ${timed(cursor)} order by r.last_op_at, r.game_id limit ${limit})
          ${sql.join("", false)(untimedRanges.map((range) => untimed(range, columns)))}
        ) as stopped order by "time" nulls last, id limit ${limit}`
      const listing: Listing = {
        page: page(sql`*`, columns),
        keys: page(sql`key, name, "lastOpAt"`, keys),
        among: (condition, more) => sql<RecordRow & { readonly key: string }>`
          select ${columns}, ${more} from ${tables} where ${stopped} and ${condition}`,
        limit
      }
      return cursor === undefined
        ? list("listStopped", listing)
        : Effect.map(ask("listStopped", listing), Result.getOrUndefined)
    },

    find: (gameIds) => {
      // No text in PostgreSQL holds these.
      const ids = gameIds.filter((id) => id.isWellFormed() && !id.includes("\0"))
      const named = sql`r.game_id = any (array(select json_array_elements_text(${JSON.stringify(ids)}::json)))`
      return list("find", {
        page: sql<RecordRow>`select ${columns} from ${tables} where ${named}`,
        keys: sql`select ${keys} from ${tables} where ${named}`,
        among: (condition, more) => sql<RecordRow & { readonly key: string }>`
          select ${columns}, ${more} from ${tables} where ${condition}`,
        limit: Infinity
      })
    },

    backlog: (moment) =>
      database.run("backlog", question, backlog(sql, { engineName, quotedSchema: database.quotedSchema }, moment)),

    countStopped: ({ from, until }) =>
      database
        .run(
          "countStopped",
          question,
          sql<{ count: number }>`select count(*)::float8 as count from ${schema}.runtime_records as r
            where ${stopped} and r.game_id is not null and r.last_op_at >= ${timestamp(sql, toMicros(from))}
              and r.last_op_at < ${timestamp(sql, toMicros(until))}`
        )
        .pipe(Effect.map(([row]) => row?.count ?? 0)),

    unknownEngines: database.run(
      "unknownEngines",
      question,
      unknownEngines(sql, { engineName, quotedSchema: database.quotedSchema })
    ),

    witnesses: ({ cutoff, now }, byHand) =>
      database
        .run(
          "witnesses",
          question,
          // No index finds running games, so a large table is sampled.
          sql<{ status: string; containerId: string }>`
            (select s.status, s.current_container_id as "containerId"
              from (select * from ${schema}.runtime_records tablesample system (${sampled}) limit 200000) as s
              where s.status = 'running' and ${engine} = ${engineName} and s.last_op_at > ${accepted} limit 100)
            union all
            (select case when r.game_id = ${byHand ?? null} then 'due' else r.status end, r.current_container_id
              from ${schema}.runtime_records as r
              where ${stopped} and r.last_op_at >= ${timestamp(sql, toMicros(cutoff))}
                and r.last_op_at <= ${timestamp(sql, toMicros(now))} and r.last_op_at > ${accepted}
              order by r.last_op_at desc, r.game_id desc limit 100)
            union all
            (select 'due', r.current_container_id from ${schema}.runtime_records as r
              where ${stopped} and r.last_op_at > ${accepted}
                and ${timestamp(sql, toMicros(cutoff))} > r.last_op_at
              order by r.last_op_at, r.game_id limit 100)`
        )
        .pipe(
          Effect.map((rows) => {
            const of = (status: string) =>
              rows.flatMap((row) => (row.status === status && isContainerId(row.containerId) ? [row.containerId] : []))
            const due = of("due")
            return {
              others: [...of("running").slice(0, 5), ...of("stopped").slice(0, 5)],
              due: [...due.slice(0, 5), ...due.slice(5).slice(-5)]
            }
          })
        )
  })
})

/** The records over the partial index: a listing's cost depends on the rows that it returns. */
export const layer = (options: Options) => Layer.effect(RuntimeRecords, make(options))
