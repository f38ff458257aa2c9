import { Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { EngineName } from "../../domain/EngineName.ts"
import type { PassReport } from "../../domain/PassReport.ts"
import type { RecordedPass } from "../../domain/RecordedPass.ts"
import type { Hour } from "../../domain/Stats.ts"
import { PassLog } from "../../ports/PassLog.ts"
import { Database } from "./Database.ts"
import { question, type Run } from "./run.ts"
import { inWords } from "./words.ts"

/** What is written of a pass, besides its times. */
export interface PassRow
  extends Pick<
    RecordedPass,
    "id" | "trigger" | "due" | "listed" | "removed" | "alreadyAbsent" | "conflict" | "failed" | "lagMax"
  > {
  /** Since the pass began. */
  readonly seconds: number
  /** `undefined`: it goes on. */
  readonly end: Pick<PassReport, "result" | "reason" | "message"> | undefined
}

/** The statements about `cleanup_passes`. Each is a single step in the database. */
export interface PassStatements {
  /**
   * Adds the row, or replaces what it says, unless the pass has ended. A count of due games stays if none is given. Rows that
   * nobody has written to for 90 days are deleted.
   */
  readonly write: (row: PassRow) => Effect.Effect<unknown, SqlError>
  readonly find: (id: string) => Effect.Effect<ReadonlyArray<RecordedPass>, SqlError>
  readonly hours: (hours: number) => Effect.Effect<ReadonlyArray<Hour>, SqlError>
  readonly recent: (limit: number) => Effect.Effect<ReadonlyArray<RecordedPass>, SqlError>
  readonly unended: (limit: number) => Effect.Effect<ReadonlyArray<RecordedPass>, SqlError>
}

const isUuid = Schema.is(Schema.String.check(Schema.isGUID()))

/** The port, over any implementation of the statements. */
export const makePassLog = (run: Run, statements: PassStatements) => {
  const counts = ({
    lagMax,
    listed,
    outcomes,
    trigger
  }: Pick<PassReport, "trigger" | "listed" | "outcomes" | "lagMax">) => ({
    trigger,
    listed,
    removed: outcomes.removed,
    alreadyAbsent: outcomes.already_absent,
    conflict: outcomes.conflict,
    failed: outcomes.failed,
    lagMax
  })
  return PassLog.of({
    progress: (id, { due, seconds, ...pass }) =>
      Effect.asVoid(
        run(
          "recordProgress",
          "rolled_back",
          statements.write({ id, seconds, due: due ?? null, end: undefined, ...counts(pass) })
        )
      ),
    end: (id, { seconds, message, reason, result, ...pass }) =>
      Effect.asVoid(
        run(
          "recordPass",
          "unanswered",
          inWords((words) => {
            const end = { result, reason, message: message && words(message) }
            return statements.write({ id, seconds, due: null, end, ...counts(pass) })
          })
        )
      ),
    find: Effect.fnUntraced(function* (id) {
      if (!isUuid(id)) return undefined
      const [pass] = yield* run("findPass", question, statements.find(id.toLowerCase()))
      return pass
    }),
    hours: (hours) => run("passHours", question, statements.hours(hours)),
    recent: (limit) => run("listPasses", question, statements.recent(limit)),
    unended: (limit) => run("listPasses", question, statements.unended(limit))
  })
}

interface Options {
  readonly engineName: EngineName
  /** One UUID per process. */
  readonly owner: string
}

const passStatements = (
  sql: SqlClient,
  { engineName, owner, quotedSchema }: Options & { readonly quotedSchema: string }
): PassStatements => {
  const table = sql.literal(`${quotedSchema}.cleanup_passes`)
  const longAgo = sql`(select clock_timestamp() - interval '90 days' offset 0)`
  /** Not the clock's time, so that an index can serve a condition. */
  const thisHour = sql`date_trunc('hour', statement_timestamp(), 'UTC')`
  const seconds = (column: string) => sql.literal(`${column}::float8 / 1000`)
  const columns = sql`select id, engine, trigger, owner, started_at as "startedAt", updated_at as "updatedAt",
    ended_at as "endedAt", result, reason, message, due, listed, removed, already_absent as "alreadyAbsent", conflict, failed,
    ${seconds("lag_max_millis")} as "lagMax"`
  return {
    // What was sent before the end may arrive after it.
    write: ({ alreadyAbsent, conflict, due, end, failed, id, lagMax, listed, removed, seconds, trigger }) => sql`
      with forgotten as (delete from ${table} where started_at < ${longAgo} and updated_at < ${longAgo})
      insert into ${table} as pass (id, engine, trigger, owner, started_at, updated_at, ended_at, result, reason, message, due,
        listed, removed, already_absent, conflict, failed, lag_max_millis)
      select ${id}::uuid, ${engineName}, ${trigger}, ${owner}::uuid, now - ${seconds}::float8 * interval '1 second', now,
        case when ${end !== undefined}::boolean then now end, ${end?.result ?? null}::text, ${end?.reason ?? null}::text,
        ${end?.message ?? null}::text, ${due}::integer, ${listed}::integer, ${removed}::integer,
        ${alreadyAbsent}::integer, ${conflict}::integer, ${failed}::integer, (${lagMax}::float8 * 1000)::bigint
      from (select clock_timestamp() as now offset 0) as clock
      on conflict (id) do update set updated_at = excluded.updated_at, ended_at = excluded.ended_at, result = excluded.result,
        reason = excluded.reason, message = excluded.message, due = coalesce(excluded.due, pass.due), listed = excluded.listed,
        removed = excluded.removed, already_absent = excluded.already_absent, conflict = excluded.conflict, failed = excluded.failed,
        lag_max_millis = excluded.lag_max_millis
      where pass.ended_at is null`,
    find: (id) => sql<RecordedPass>`${columns} from ${table} where id = ${id}::uuid limit 1`,
    // No pass is updated after its end.
    hours: (hours) => sql<Hour>`
      with hours as (
        select generate_series(${thisHour} - ${hours - 1}::integer * interval '1 hour', ${thisHour}, interval '1 hour') as at
      ), passes as (
        select date_trunc('hour', updated_at, 'UTC') as at, count(*) as passes, sum(removed) as removed,
          sum(already_absent) as already_absent, sum(conflict) as conflict, sum(failed) as failed,
          max(lag_max_millis) as lag_max_millis
        from ${table} where updated_at >= ${thisHour} - ${hours - 1}::integer * interval '1 hour'
        group by 1
      )
      select at, coalesce(passes, 0)::float8 as passes, coalesce(removed, 0)::float8 as removed,
        coalesce(already_absent, 0)::float8 as "alreadyAbsent", coalesce(conflict, 0)::float8 as conflict,
        coalesce(failed, 0)::float8 as failed, ${seconds("lag_max_millis")} as "lagMax"
      from hours left join passes using (at) order by at`,
    recent: (limit) => sql<RecordedPass>`${columns} from ${table} order by started_at desc limit ${limit}`,
    unended: (limit) =>
      sql<RecordedPass>`${columns} from ${table} where ended_at is null order by started_at desc limit ${limit}`
  }
}

export const layer = (options: Options) =>
  Layer.effect(
    PassLog,
    Effect.gen(function* () {
      const { quotedSchema, run } = yield* Database
      return makePassLog(run, passStatements(yield* SqlClient, { ...options, quotedSchema }))
    })
  )
