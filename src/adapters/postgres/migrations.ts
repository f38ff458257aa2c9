import { Effect } from "effect"
import * as Migrator from "effect/sql/Migrator"
import { SqlClient } from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { NotMigrated, StoreError, Unavailable } from "../../ports/StoreError.ts"
import { adopt } from "./adopt.ts"
import { readRelations } from "./catalog.ts"
import { Database } from "./Database.ts"
import { names, versionProblems } from "./shape.ts"
import { migrateHint, storeError } from "./storeError.ts"
import { versions } from "./tables.ts"
import { inTransaction } from "./transaction.ts"

/** The version of the schema that this build knows. */
export const version = 2

/** The table of versions in the schema of this name, quoted or not. */
const versionsIn = (schema: string) => `${schema}.${versions.name}`

export interface MigrationReport {
  readonly schema: string
  readonly version: number
  /** What was done, in order; empty if the schema was up to date. */
  readonly changes: ReadonlyArray<string>
}

const refuse = (operation: string, detail: string) =>
  Effect.fail(new StoreError({ operation, reason: new NotMigrated({ detail }) }))

/** Fails unless the recorded version (`null` if there is none) is the one that this build knows. */
export const requireVersion = (operation: string, recorded: number | null): Effect.Effect<void, StoreError> =>
  recorded === version
    ? Effect.void
    : (recorded ?? 0) < version
      ? refuse(operation, `the schema is at version ${recorded ?? 0}, not ${version}: ${migrateHint}`)
      : refuse(operation, `the schema is at version ${recorded}, newer than ${version}, the last that this build knows`)

/** The version recorded in the schema of this quoted name, as an expression. */
export const recordedVersion = (quotedSchema: string): string =>
  `(select max(migration_id) from ${versionsIn(quotedSchema)})`

const readVersion = (sql: SqlClient, quotedSchema: string) =>
  Effect.map(
    sql<{ version: number | null }>`select ${sql.literal(recordedVersion(quotedSchema))} as version`,
    ([row]) => row?.version ?? null
  )

/** Fails with `NotMigrated` unless the schema has exactly the version that this build knows. */
export const checkVersion = Effect.gen(function* () {
  const database = yield* Database
  const sql = yield* SqlClient
  const operation = "checkVersion"
  const recorded = yield* database.run(operation, "disconnected", readVersion(sql, database.quotedSchema))
  yield* requireVersion(operation, recorded)
})

const failed = (error: SqlError | Migrator.MigrationError | StoreError): StoreError => {
  if (error._tag === "StoreError") return error
  if (error._tag === "SqlError") return storeError("migrate")(error)
  if (isSqlError(error.cause) || error.cause instanceof StoreError) return failed(error.cause)
  return new StoreError({ operation: "migrate", reason: new Unavailable({ cause: error }) })
}

/**
 * Brings the schema to this build's version, or creates it, in one transaction. Several can run at once: the others
 * wait, then find nothing to do. Whatever version is recorded, everything is checked. Existing tables keep what they
 * have and get what they lack. If something does not fit, the error names all of it and nothing has changed.
 *
 * While an index is built, writers of its table wait. There is no timeout, because a large table takes long.
 */
export const migrate = Effect.gen(function* () {
  const { quotedSchema, schema } = yield* Database
  const sql = yield* SqlClient

  // Overrides the session's settings, which a pooler could have changed.
  yield* sql`set transaction isolation level read committed`
  yield* sql`set local statement_timeout = 0`
  yield* sql`set local lock_timeout = 0`
  yield* sql`set local idle_in_transaction_session_timeout = 0`
  yield* sql`select pg_advisory_xact_lock(hashtext('rtmanager.migrate'), hashtext(${schema}))`
  const [found] = yield* sql`select 1 from pg_namespace where nspname = ${schema}`
  // Even `if not exists` needs the right to create schemas.
  if (found === undefined) yield* sql`create schema ${sql(schema)}`
  const relations = yield* readRelations(schema, names)
  const readable = relations.has(versions.name) && versionProblems(schema, relations).length === 0
  const recorded = readable ? yield* readVersion(sql, quotedSchema) : null
  if ((recorded ?? 0) > version) yield* requireVersion("migrate", recorded)
  const { changes, problems } = yield* adopt(schema, relations)
  if (problems.length > 0) return yield* refuse("migrate", `the schema does not fit: ${problems.join("; ")}`)
  // The Migrator locks the versions, which every pass reads.
  if (recorded !== version) {
    yield* Migrator.make({})({
      // The dot separates the two names; no schema of ours has a dot in its name.
      table: versionsIn(schema),
      loader: Migrator.fromRecord({ "0001_tables": Effect.void, "0002_backoff": Effect.void })
    })
  }
  return {
    schema,
    version,
    changes: [...(found === undefined ? [`created schema ${schema}`] : []), ...changes]
  } satisfies MigrationReport
}).pipe((migration) => Effect.flatMap(SqlClient, (sql) => inTransaction(sql, migration)), Effect.mapError(failed))
