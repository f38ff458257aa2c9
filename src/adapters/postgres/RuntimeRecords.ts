import { Effect, Layer, Ref } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { stuckAfter } from "../../domain/Backoff.ts"
import { isContainerId } from "../../domain/ContainerId.ts"
import type { EngineName } from "../../domain/EngineName.ts"
import type { Moment } from "../../domain/Expiry.ts"
import { type Cursor, RuntimeRecords } from "../../ports/RuntimeRecords.ts"
import { CannotRecord, StoreError, Unavailable, UnsafeSession } from "../../ports/StoreError.ts"
import { Database } from "./Database.ts"
import { idOf, keyColumns, makeListing } from "./listing.ts"
import { recordedVersion, requireVersion } from "./migrations.ts"
import { hiddenTables } from "./rowSecurity.ts"
import {
  engineColumn,
  inForce,
  lastOpAt,
  microsOf,
  type RecordRow,
  recordColumns,
  recordEngine,
  recordTables,
  sendable,
  timestamp
} from "./rows.ts"
import { question } from "./run.ts"
import { judge, type Session, sessionColumns } from "./session.ts"
import { unknownEngines } from "./unknownEngines.ts"

const toMicros = (millis: number) => BigInt(Math.floor(millis)) * 1000n

interface BacklogRow extends Record<"due" | "leased" | "held" | "backingOff" | "stuck" | "noTime" | "future", bigint> {
  readonly oldest: string | null
  readonly oldestLeased: string | null
  readonly stuckGames: ReadonlyArray<string>
}

/** Seconds from a time in microseconds until now. */
const ageOf = (micros: string | null | undefined, { now }: Moment) =>
  typeof micros === "string" ? Number(toMicros(now) - BigInt(micros)) / 1e6 : 0

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
  const list = makeListing(database.run, sql)
  const engine = sql.literal(engineColumn)
  const ours = sql`${sql.literal(recordEngine)} = ${engineName}`
  const stopped = sql`r.status = 'stopped' and ${ours}`

  /**
   * Stopped, with a finite time, after the cursor. This is a range of the partial index with only one lower bound,
   * because an index scan begins at the first bound that it is given. A row without a game id is no game's record.
   */
  const timed = (cursor?: Cursor) => sql`${stopped} and r.last_op_at < 'infinity' and r.game_id is not null
    and ${cursor === undefined ? sql`r.last_op_at > '-infinity'` : after(cursor)}`

  const after = (cursor: Cursor) =>
    cursor.lastOpAt === null
      ? sql`false`
      : sql`(r.last_op_at, r.game_id) > (${timestamp(sql, cursor.lastOpAt)}, ${idOf(sql, cursor)})`

  const expired = ({ cutoff }: Moment, cursor?: Cursor) =>
    sql`${timed(cursor)} and r.last_op_at < ${timestamp(sql, toMicros(cutoff))}`
  const ready = ({ now }: Moment) =>
    sql`(b.next_attempt_at is null or b.next_attempt_at <= ${timestamp(sql, toMicros(now))})`
  const free = sql`h.game_id is null`

  /** When an expired record that nobody holds any more could first be tried: `dueSince` in SQL, or the end of the last hold. */
  const since = ({ cutoff, now }: Moment) =>
    sql`greatest(r.last_op_at + ${now - cutoff}::float8 * interval '1 millisecond', b.next_attempt_at, h.ended)`

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
      const page = <Row extends object>(wanted: Fragment, columns: Fragment) => sql<Row>`
        select ${wanted} from (
          (select ${columns}, r.last_op_at as "time", r.game_id as id from ${tables}
            where ${timed(cursor)} order by r.last_op_at, r.game_id limit ${limit})
          union all
          (select ${columns}, null, r.game_id from ${tables}
            where ${stopped} and (r.last_op_at is null or not isfinite(r.last_op_at))
              and r.game_id is not null ${afterUntimed(cursor)} order by r.game_id limit ${limit})
        ) as stopped order by "time" nulls last, id limit ${limit}`
      return list("listStopped", {
        page: page(sql`*`, columns),
        keys: page(sql`key, name, "lastOpAt"`, keys),
        among: (condition, more) => sql<RecordRow & { readonly key: string }>`
          select ${columns}, ${more} from ${tables} where ${stopped} and ${condition}`,
        limit
      })
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
      database
        .run(
          "backlog",
          question,
          // Each count reads a range of the partial index, or one of our small tables.
          sql<BacklogRow>`
            with holds as (
              select game_id, bool_or(${sql.literal(inForce("h"))}) as held, max(until) as ended
              from ${schema}.cleanup_holds as h group by game_id
            ), due as (
              select count(*) as count, count(l.game_id) as leased,
                min(${since(moment)}) filter (where l.game_id is null) as oldest,
                min(${since(moment)}) filter (where l.game_id is not null) as "oldestLeased"
              from ${schema}.runtime_records as r left join ${schema}.cleanup_backoff as b on b.game_id = r.game_id
                left join ${schema}.game_leases as l
                  on l.game_id = r.game_id and l.expires_at > (select clock_timestamp() offset 0)
                left join holds as h on h.game_id = r.game_id
              where ${expired(moment)} and ${ready(moment)} and h.held is not true
            ), failing as (
              select r.game_id, b.attempts, b.attempts >= ${stuckAfter} as stuck, not ${ready(moment)} and h.held is not true as waiting
              from ${schema}.cleanup_backoff as b left join holds as h on h.game_id = b.game_id
                cross join lateral (select * from ${schema}.runtime_records where game_id = b.game_id offset 0) as r
              where ${expired(moment)}
            )
            select due.count as due, due.leased as leased, ${sql.literal(microsOf("due.oldest"))} as oldest,
              ${sql.literal(microsOf('due."oldestLeased"'))} as "oldestLeased",
              (select count(*) from holds
                cross join lateral (select * from ${schema}.runtime_records where game_id = holds.game_id offset 0) as r
                where held and ${expired(moment)}) as held,
              (select count(*) from failing where waiting and not stuck) as "backingOff",
              (select count(*) from failing where stuck) as stuck,
              array(select ${sql.literal(sendable("game_id"))} from failing where stuck order by attempts desc, game_id limit 5) as "stuckGames",
              (select count(*) from ${schema}.runtime_records as r where ${stopped} and r.last_op_at is null)
                + (select count(*) from ${schema}.runtime_records as r where ${stopped} and r.last_op_at = '-infinity')
                + (select count(*) from ${schema}.runtime_records as r where ${stopped} and r.last_op_at = 'infinity') as "noTime",
              (select count(*) from ${schema}.runtime_records as r
                where ${timed()} and r.last_op_at > (select clock_timestamp() offset 0)) as future
            from due`
        )
        .pipe(
          Effect.map(([row]) => ({
            due: Number(row?.due),
            leased: Number(row?.leased),
            held: Number(row?.held),
            backingOff: Number(row?.backingOff),
            stuck: Number(row?.stuck),
            stuckGames: row?.stuckGames ?? [],
            oldestDueAge: ageOf(row?.oldest, moment),
            oldestLeasedAge: ageOf(row?.oldestLeased, moment),
            noTime: Number(row?.noTime),
            future: Number(row?.future)
          }))
        ),

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

    witnesses: ({ cutoff, now }) =>
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
            (select r.status, r.current_container_id from ${schema}.runtime_records as r
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
