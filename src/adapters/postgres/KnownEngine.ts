import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { EngineId } from "../../ports/ContainerEngine.ts"
import { type Known, KnownEngine } from "../../ports/KnownEngine.ts"
import { Database } from "./Database.ts"
import { question, type Run } from "./run.ts"

/** The statements about the one row of `cleanup_engine`. Each is a single step in the database. */
export interface EngineStatements {
  readonly read: Effect.Effect<ReadonlyArray<Known>, SqlError>
  /** Leaves what is known already. No person has accepted it yet, so all records speak for or against it. */
  readonly insert: (id: EngineId) => Effect.Effect<unknown, SqlError>
  readonly widen: (from: EngineId, to: EngineId) => Effect.Effect<unknown, SqlError>
  readonly brake: (id: EngineId) => Effect.Effect<unknown, SqlError>
  /** Changes what is known, if anything is. */
  readonly accept: (id: EngineId) => Effect.Effect<unknown, SqlError>
}

/** The port, over any implementation of the statements. */
export const makeKnownEngine = (run: Run, statements: EngineStatements) => {
  const read = Effect.map(run("readEngine", question, statements.read), ([row]) => row)
  const change = (operation: string, statement: Effect.Effect<unknown, SqlError>) =>
    Effect.asVoid(run(operation, "unanswered", statement))

  return KnownEngine.of({
    read,
    remember: Effect.fnUntraced(function* (id) {
      yield* change("rememberEngine", statements.insert(id))
      return (yield* read) ?? { id, braked: false }
    }),
    widen: Effect.fnUntraced(function* (from, to) {
      yield* change("widenEngine", statements.widen(from, to))
      return (yield* read) ?? { id: to, braked: false }
    }),
    brake: (id) => change("brakeEngine", statements.brake(id)),
    accept: Effect.fnUntraced(function* (id) {
      yield* change("acceptEngine", statements.insert(id))
      yield* change("acceptEngine", statements.accept(id))
    })
  })
}

const engineStatements = (sql: SqlClient, quotedSchema: string): EngineStatements => {
  const table = sql.literal(`${quotedSchema}.cleanup_engine`)
  return {
    read: sql<Known>`select id, braked_at is not null as braked from ${table} order by accepted_at desc limit 1`,
    // The table's unique index allows one row: whoever comes second finds the first's.
    insert: (id) => sql`insert into ${table} (id, accepted_at) values (${id}, '-infinity') on conflict do nothing`,
    widen: (from, to) => sql`update ${table} set id = ${to} where id = ${from}`,
    brake: (id) => sql`update ${table} set braked_at = clock_timestamp() where id = ${id} and braked_at is null`,
    accept: (id) => sql`update ${table} set id = ${id}, accepted_at = clock_timestamp(), braked_at = null`
  }
}

export const layer = Layer.effect(
  KnownEngine,
  Effect.gen(function* () {
    const { quotedSchema, run } = yield* Database
    return makeKnownEngine(run, engineStatements(yield* SqlClient, quotedSchema))
  })
)
