import { Duration, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { EngineName } from "../../domain/EngineName.ts"
import type { ListedEngine } from "../../domain/ListedEngine.ts"
import { wholeMillis } from "../../domain/retention.ts"
import type { EngineId } from "../../ports/ContainerEngine.ts"
import { type Known, KnownEngine } from "../../ports/KnownEngine.ts"
import { millis } from "./audit.ts"
import { Database } from "./Database.ts"
import { inForce, recordEngine } from "./rows.ts"
import { question, type Run } from "./run.ts"
import { isDuplicate } from "./storeError.ts"

/** A row of `cleanup_engines` that has the service's name, or the engine that answers. */
export interface EngineRow extends Pick<Known, "id" | "braked"> {
  readonly name: string
  /** Milliseconds. */
  readonly retention: number | null
}

const retentionOf = ({ retention }: Pick<EngineRow, "retention">) =>
  retention === null ? undefined : Duration.millis(retention)

/** The statements about `cleanup_engines`. Each is a single step in the database. */
export interface EngineStatements {
  readonly recognize: (present: EngineId) => Effect.Effect<ReadonlyArray<EngineRow>, SqlError>
  readonly beginPass: (present: EngineId) => Effect.Effect<ReadonlyArray<EngineRow>, SqlError>
  readonly markSeen: Effect.Effect<unknown, SqlError>
  /**
   * Leaves what is known already. No person has accepted it yet, so all records speak for or against it. `passBegins`: a pass
   * has found it.
   */
  readonly insert: (id: EngineId, options: { readonly passBegins: boolean }) => Effect.Effect<unknown, SqlError>
  readonly widen: (from: EngineId, to: EngineId) => Effect.Effect<unknown, SqlError>
  readonly brake: (id: EngineId) => Effect.Effect<unknown, SqlError>
  /** Changes what is known, if anything is. */
  readonly accept: (id: EngineId) => Effect.Effect<unknown, SqlError>
  /** Stores whole milliseconds, and gives what was stored before, if the name has an engine. */
  readonly setRetention: (millis: number) => Effect.Effect<ReadonlyArray<Pick<EngineRow, "retention">>, SqlError>
  readonly list: (cutoff: number) => Effect.Effect<ReadonlyArray<ListedEngine>, SqlError>
}

/** The port, over any implementation of the statements. */
export const makeKnownEngine = (run: Run, name: EngineName, statements: EngineStatements) => {
  const recognized = (operation: string, rows: Effect.Effect<ReadonlyArray<EngineRow>, SqlError>) =>
    Effect.map(run(operation, question, rows), (rows) => {
      const own = rows.find((row) => row.name === name)
      return {
        known: own && { id: own.id, braked: own.braked, retention: retentionOf(own) },
        otherName: rows.find((row) => row.name !== name)?.name
      }
    })
  const recognize = (present: EngineId) => recognized("recognize", statements.recognize(present))
  /** Two that change the same row at once: the second finds that the engine or the name has been taken, and changes nothing. */
  const change = (operation: string, statement: Effect.Effect<unknown, SqlError>) =>
    Effect.asVoid(
      run(
        operation,
        "unanswered",
        Effect.catchIf(statement, isDuplicate, () => Effect.void)
      )
    )

  return KnownEngine.of({
    name,
    recognize,
    beginPass: (present) => recognized("beginPass", statements.beginPass(present)),
    markSeen: change("markEngineSeen", statements.markSeen),
    remember: (id) =>
      Effect.andThen(change("rememberEngine", statements.insert(id, { passBegins: true })), recognize(id)),
    widen: (from, to) => Effect.andThen(change("widenEngine", statements.widen(from, to)), recognize(to)),
    brake: (id) => change("brakeEngine", statements.brake(id)),
    accept: (id) =>
      change("acceptEngine", statements.insert(id, { passBegins: false })).pipe(
        Effect.andThen(change("acceptEngine", statements.accept(id))),
        Effect.andThen(recognize(id))
      ),
    // Sent twice, it would give the new one as the one before.
    setRetention: (retention) =>
      run("setRetention", "rolled_back", statements.setRetention(Duration.toMillis(wholeMillis(retention)))).pipe(
        Effect.map(([row]) => row && { before: retentionOf(row) })
      ),
    list: (cutoff) => run("listEngines", question, statements.list(cutoff))
  })
}

const engineStatements = (sql: SqlClient, quotedSchema: string, name: EngineName): EngineStatements => {
  const table = sql.literal(`${quotedSchema}.cleanup_engines`)
  const records = sql.literal(`${quotedSchema}.runtime_records`)
  const backoffs = sql.literal(`${quotedSchema}.cleanup_backoff`)
  const holds = sql.literal(`${quotedSchema}.cleanup_holds`)
  const engine = sql.literal(recordEngine)
  /** An earlier version may have stored the other name's identity in its old form. */
  const recognize = (present: EngineId) => sql<EngineRow>`select name, identity as id, braked_at is not null as braked,
    retention_millis::float8 as retention from ${table} where name = ${name} or identity = ${present} or starts_with(${present}, identity || '/')`
  return {
    recognize,
    beginPass: (present) => sql<EngineRow>`with begun as (
        update ${table} set last_pass_at = clock_timestamp(), last_seen_at = clock_timestamp()
        where name = ${name} and identity = ${present} and braked_at is null
      ) ${recognize(present)}`,
    markSeen: sql`update ${table} set last_seen_at = clock_timestamp() where name = ${name}`,
    // Whoever comes second with the same name or the same engine finds the first's.
    insert: (id, { passBegins }) => sql`insert into ${table} (name, identity, accepted_at, last_pass_at, last_seen_at)
      values (${name}, ${id}, '-infinity', case when ${passBegins}::boolean then clock_timestamp() end, clock_timestamp())
      on conflict do nothing`,
    widen: (from, to) => sql`update ${table} set identity = ${to} where name = ${name} and identity = ${from}`,
    brake: (id) => sql`update ${table} set braked_at = clock_timestamp()
      where name = ${name} and identity = ${id} and braked_at is null`,
    accept: (id) => sql`update ${table} set identity = ${id}, accepted_at = clock_timestamp(), braked_at = null
      where name = ${name}`,
    setRetention: (millis) => sql<Pick<EngineRow, "retention">>`
      with known as (select retention_millis from ${table} where name = ${name} for update),
      stored as (update ${table} set retention_millis = ${millis}::float8::bigint where name = ${name})
      select retention_millis::float8 as retention from known`,
    list: (cutoff) => {
      const expired = sql`r.last_op_at > '-infinity' and r.last_op_at < ${millis(sql, cutoff)}`
      return sql<ListedEngine>`
        with waiting as (
          select ${engine} as name, count(*) as games from (
              select game_id from ${backoffs} where next_attempt_at > clock_timestamp()
              union select game_id from ${holds} as h where ${sql.literal(inForce("h"))}
            ) as waiting cross join lateral (select * from ${records} where game_id = waiting.game_id offset 0) as r
          where r.status = 'stopped' and ${expired} group by 1
        )
        select names.name, e.identity as "engineId", e.braked_at is not null as braked,
          case when isfinite(e.accepted_at) then e.accepted_at end as "acceptedAt", e.last_pass_at as "lastPassAt",
          e.last_seen_at as "lastSeenAt", (counted.expired - coalesce(waiting.games, 0))::int as due, counted.stopped
        from (select name from ${table} union select ${name}) as names left join ${table} as e on e.name = names.name
          left join waiting on waiting.name = names.name cross join lateral (
            select count(*) filter (where ${expired}) as expired, count(*)::int as stopped
            from ${records} as r where r.status = 'stopped' and ${engine} = names.name and r.game_id is not null
          ) as counted order by names.name`
    }
  }
}

export const layer = (options: { readonly engineName: EngineName }) =>
  Layer.effect(
    KnownEngine,
    Effect.gen(function* () {
      const { quotedSchema, run } = yield* Database
      const statements = engineStatements(yield* SqlClient, quotedSchema, options.engineName)
      return makeKnownEngine(run, options.engineName, statements)
    })
  )
