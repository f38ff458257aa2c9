import { Duration, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { type Author, longestReason } from "../../domain/Act.ts"
import type { Pause } from "../../domain/Pause.ts"
import { Pauses } from "../../ports/Pauses.ts"
import { CannotRecord, StoreError } from "../../ports/StoreError.ts"
import { Database } from "./Database.ts"
import { question, type Run } from "./run.ts"
import { inWords } from "./words.ts"

/** A pause as it is asked for. */
export interface NewPause {
  readonly author: Author
  readonly reason: string
  readonly duration: Duration.Duration | undefined
}

/** The statements about `cleanup_pause`, which give the pause if there is one. Each is a single step in the database. */
export interface PauseStatements {
  /** No row if another's pause lasts longer. */
  readonly pause: (pause: NewPause) => Effect.Effect<ReadonlyArray<Pause>, SqlError>
  readonly resume: Effect.Effect<ReadonlyArray<Pause>, SqlError>
  readonly current: Effect.Effect<ReadonlyArray<Pause>, SqlError>
  readonly beginPass: Effect.Effect<ReadonlyArray<Pause>, SqlError>
}

const swallowed = new StoreError({
  operation: "pause",
  reason: new CannotRecord({ detail: "a trigger or a row security policy keeps cleanup_pause as it is" })
})

/** The port, over any implementation of the statements. */
export const makePauses = (run: Run, statements: PauseStatements) => {
  const one = <A>(rows: Effect.Effect<ReadonlyArray<A>, SqlError>) => Effect.map(rows, ([row]) => row)
  return Pauses.of({
    pause: Effect.fnUntraced(function* (pause) {
      const statement = inWords((words) => statements.pause({ ...pause, reason: words(pause.reason, longestReason) }))
      const paused = yield* run("pause", "unanswered", one(statement))
      return paused ?? (yield* run("currentPause", question, one(statements.current))) ?? (yield* swallowed)
    }),
    // Sent twice, it would find nothing the second time and say that there was no pause.
    resume: run("resume", "rolled_back", one(statements.resume)),
    current: run("currentPause", question, one(statements.current)),
    beginPass: run("beginPassUnpaused", question, one(statements.beginPass))
  })
}

/** The one row that this version has: the pause of every engine. */
const everyEngine = "*"

const pauseStatements = (sql: SqlClient, quotedSchema: string): PauseStatements => {
  const table = sql.literal(`${quotedSchema}.cleanup_pause`)
  const holds = sql.literal(`${quotedSchema}.cleanup_holds`)
  const columns = sql.literal(
    `author, reason, paused_at as "pausedAt", case when isfinite(until) then until end as until`
  )
  const lasts = sql`(until is null or until > clock_timestamp())`
  const current = sql<Pause>`select ${columns} from ${table} where engine = ${everyEngine} and ${lasts}`
  return {
    pause: ({ author, duration, reason }) => {
      const millis = duration === undefined ? null : Duration.toMillis(duration)
      return sql<Pause>`
        insert into ${table} (engine, author, reason, paused_at, until)
        select ${everyEngine}, ${author}::text, ${reason}::text, now, now + ${millis}::float8 * interval '1 millisecond'
        from (select clock_timestamp() as now offset 0) as clock
        on conflict (engine) do update set author = excluded.author, reason = excluded.reason,
          paused_at = excluded.paused_at, until = excluded.until
        where cleanup_pause.author = excluded.author or cleanup_pause.until <= clock_timestamp()
          or coalesce(cleanup_pause.until, 'infinity') <= coalesce(excluded.until, 'infinity')
        returning ${columns}`
    },
    resume: sql<Pause>`
      with gone as (delete from ${table} where engine = ${everyEngine} returning *)
      select ${columns} from gone where ${lasts}`,
    current,
    beginPass: sql<Pause>`
      with ended as (delete from ${holds} where until < clock_timestamp() - interval '24 hours') ${current}`
  }
}

export const layer = Layer.effect(
  Pauses,
  Effect.gen(function* () {
    const { quotedSchema, run } = yield* Database
    return makePauses(run, pauseStatements(yield* SqlClient, quotedSchema))
  })
)
