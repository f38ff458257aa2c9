import { Effect } from "effect"
import * as Migrator from "effect/sql/Migrator"
import { SqlClient } from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { NotMigrated, StoreError, Unavailable } from "../../ports/StoreError.ts"
import { type Adoption, adoptIndex, adoptTable, tryLog } from "./adopt.ts"
import { Database } from "./Database.ts"
import { migrateHint, storeError } from "./storeError.ts"
import { indexes, tables } from "./tables.ts"
import { inTransaction } from "./transaction.ts"

/** The version of the schema that this build knows. */
export const version = 2

/** Where versions are recorded, in the schema of this name, quoted or not. */
const versionsIn = (schema: string) => `${schema}.cleanup_migrations`

export interface MigrationReport {
  readonly schema: string
  readonly version: number
  /** What was done, in order; empty where the schema was up to date. */
  readonly changes: ReadonlyArray<string>
}

const refuse = (operation: string, detail: string) =>
  Effect.fail(new StoreError({ operation, reason: new NotMigrated({ detail }) }))

/** Fails unless the recorded version, `null` where none is, is the one that this build knows. */
export const requireVersion = (operation: string, recorded: number | null): Effect.Effect<void, StoreError> =>
  recorded === version
    ? Effect.void
    : (recorded ?? 0) < version
      ? refuse(operation, `the schema is at version ${recorded ?? 0}, not ${version}: ${migrateHint}`)
      : refuse(operation, `the schema is at version ${recorded}, newer than ${version}, the last that this build knows`)

/** The version recorded in the schema of this quoted name, as an expression. */
export const recordedVersion = (quotedSchema: string): string =>
  `(select max(migration_id) from ${versionsIn(quotedSchema)})`

/** Fails with `NotMigrated` unless the schema has exactly the version that this build knows. */
export const checkVersion = Effect.gen(function* () {
  const database = yield* Database
  const sql = yield* SqlClient
  const operation = "checkVersion"
  const recorded = sql.literal(recordedVersion(database.quotedSchema))
  const query = sql<{ version: number | null }>`select ${recorded} as version`
  const [row] = yield* database.run(operation, "disconnected", query)
  yield* requireVersion(operation, row?.version ?? null)
})

/** The same for every version: what an earlier one has made is found and left, what it lacks is added. */
const adopt = Effect.fnUntraced(function* (adoption: Adoption) {
  const sql = yield* SqlClient
  yield* Effect.forEach(tables, (table) => adoptTable(table, adoption), { discard: true })
  if (adoption.problems.length === 0) {
    yield* tryLog(adoption)
    yield* sql`create sequence if not exists ${sql(`${adoption.schema}.game_leases_token`)}`
    yield* Effect.forEach(indexes, (index) => adoptIndex(index, adoption), { discard: true })
  }
  if (adoption.problems.length > 0)
    return yield* refuse("migrate", `the schema does not fit: ${adoption.problems.join("; ")}`)
})

const failed = (error: SqlError | Migrator.MigrationError | StoreError): StoreError => {
  if (error._tag === "StoreError") return error
  if (error._tag === "SqlError") return storeError("migrate")(error)
  if (isSqlError(error.cause) || error.cause instanceof StoreError) return failed(error.cause)
  return new StoreError({ operation: "migrate", reason: new Unavailable({ cause: error }) })
}

/**
 * Brings the schema to this build's version, creating it where it is missing, all in one transaction. Several may run at
 * once: the others wait, then find nothing to do. Tables that exist already are left as they are and get what they
 * lack; what does not fit is named in the error, all of it, and then nothing has changed.
 *
 * Indexes are built while writers of their tables wait. No timeout ends it, as a large table takes its time.
 */
export const migrate = Effect.gen(function* () {
  const { schema, quotedSchema } = yield* Database
  const sql = yield* SqlClient
  const adoption: Adoption = { schema, changes: [], problems: [] }

  // Whatever a pooler has made of the session's settings.
  yield* sql`set transaction isolation level read committed`
  yield* sql`set local statement_timeout = 0`
  yield* sql`set local lock_timeout = 0`
  yield* sql`set local idle_in_transaction_session_timeout = 0`
  yield* sql`select pg_advisory_xact_lock(hashtext('rtmanager.migrate'), hashtext(${schema}))`
  const [found] = yield* sql`select 1 from pg_namespace where nspname = ${schema}`
  // Even with `if not exists` it takes the right to create schemas.
  if (found === undefined) {
    yield* sql`create schema ${sql(schema)}`
    adoption.changes.push(`created schema ${schema}`)
  }
  const [before] = yield* sql`select 1 where to_regclass(${versionsIn(quotedSchema)}) is not null`
  if (before !== undefined) {
    const [row] = yield* sql<{
      version: number | null
    }>`select ${sql.literal(recordedVersion(quotedSchema))} as version`
    if ((row?.version ?? 0) > version) yield* requireVersion("migrate", row?.version ?? null)
  }
  yield* Migrator.make({})({
    // The dot parts the two names, which is right because no schema of ours has one in its name.
    table: versionsIn(schema),
    loader: Migrator.fromRecord({ "0001_tables": adopt(adoption), "0002_backoff": adopt(adoption) })
  })
  return { schema, version, changes: adoption.changes } satisfies MigrationReport
}).pipe((migration) => Effect.flatMap(SqlClient, (sql) => inTransaction(sql, migration)), Effect.mapError(failed))
