import { Effect, Result, Schedule } from "effect"
import * as Migrator from "effect/sql/Migrator"
import { SqlClient } from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { defaultEngine } from "../../domain/EngineName.ts"
import { NotMigrated, StoreError, Unavailable } from "../../ports/StoreError.ts"
import { adopt, buildBeside } from "./adopt.ts"
import { readRelations } from "./catalog.ts"
import { Database } from "./Database.ts"
import { names, versionProblems } from "./shape.ts"
import { isTimedOut, migrateHint, storeError } from "./storeError.ts"
import { versions } from "./tables.ts"
import { inTransaction } from "./transaction.ts"

/** The version of the schema that this build knows. */
export const version = 6

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

const misfits = (problems: ReadonlyArray<string>) =>
  refuse("migrate", `the schema does not fit: ${problems.join("; ")}`)

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
 * Whoever uses a table waits behind a statement that waits to have it alone, however short that statement is. So it gives up
 * soon, and the whole transaction is tried again.
 */
const lockTimeout = "500ms"

/** Every second for half a minute. */
const untilUnlocked = Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 30 }))

const isLocked = (error: SqlError | Migrator.MigrationError | StoreError): boolean => {
  const cause = error._tag === "MigrationError" ? error.cause : error
  return isSqlError(cause) && isTimedOut(cause)
}

/** The engine that an earlier version knew, which had no name. */
const nameTheEngine = (quotedSchema: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const [found] = yield* sql`select 1 where to_regclass(${`${quotedSchema}.cleanup_engine`}) is not null`
    if (found === undefined) return
    const [before, after] = ["cleanup_engine", "cleanup_engines"].map((name) => sql.literal(`${quotedSchema}.${name}`))
    // The first version had no brake.
    yield* sql`insert into ${after} (name, identity, accepted_at, braked_at)
      select ${defaultEngine}, id, accepted_at, (to_jsonb(known) ->> 'braked_at')::timestamptz from ${before} as known
      on conflict do nothing`
    yield* sql`drop table ${before}`
  })

/**
 * One transaction: checks everything, adds what is missing, and records the version once nothing is left to be built beside
 * the use of the tables.
 */
const step = Effect.gen(function* () {
  const { quotedSchema, schema } = yield* Database
  const sql = yield* SqlClient

  // Overrides the session's settings, which a pooler could have changed.
  yield* sql`set transaction isolation level read committed`
  yield* sql`set local statement_timeout = 0`
  yield* sql`set local lock_timeout = 0`
  yield* sql`set local idle_in_transaction_session_timeout = 0`
  yield* sql`select pg_advisory_xact_lock(hashtext('rtmanager.migrate'), hashtext(${schema}))`
  yield* sql`select set_config('lock_timeout', ${lockTimeout}, true)`
  const [found] = yield* sql`select 1 from pg_namespace where nspname = ${schema}`
  // Even `if not exists` needs the right to create schemas.
  if (found === undefined) yield* sql`create schema ${sql(schema)}`
  const relations = yield* readRelations(schema, names)
  const readable = relations.has(versions.name) && versionProblems(schema, relations).length === 0
  const recorded = readable ? yield* readVersion(sql, quotedSchema) : null
  if ((recorded ?? 0) > version) yield* requireVersion("migrate", recorded)
  const { changes, left, problems } = yield* adopt(schema, relations)
  if (problems.length > 0) return yield* misfits(problems)
  // The Migrator locks the versions, which every pass reads.
  if (left.length === 0 && recorded !== version) {
    yield* Migrator.make({})({
      // The dot separates the two names; no schema of ours has a dot in its name.
      table: versionsIn(schema),
      loader: Migrator.fromRecord({
        "0001_tables": Effect.void,
        "0002_backoff": Effect.void,
        "0003_engines": nameTheEngine(quotedSchema),
        "0004_operator": Effect.void,
        "0005_requests": Effect.void,
        "0006_lag": Effect.void
      })
    })
  }
  return { changes: [...(found === undefined ? [`created schema ${schema}`] : []), ...changes], left }
}).pipe(
  (step) => Effect.flatMap(SqlClient, (sql) => inTransaction(sql, step)),
  Effect.tapError((error) =>
    isLocked(error)
      ? Effect.annotateLogs(Effect.logWarning("migrate.waiting"), { message: failed(error).message })
      : Effect.void
  ),
  Effect.retry({ while: isLocked, schedule: untilUnlocked })
)

/**
 * Waits until no other process builds, and keeps the others waiting until the scope closes: by a lock in a transaction of its
 * own, which stays open. A build waits for every transaction that can see older rows. So nobody waits for this lock inside of
 * a transaction, and the last statement is one that sees no rows.
 */
const beTheOnlyBuilder = Effect.gen(function* () {
  const { schema } = yield* Database
  const guard = yield* (yield* SqlClient).reserve
  const send = (statement: string, ...values: ReadonlyArray<unknown>) =>
    guard.executeUnprepared(statement, values, undefined)
  yield* Effect.addFinalizer(() => Effect.ignore(send("rollback")))
  const hasLock = Effect.gen(function* () {
    // At any other level the transaction would see older rows until its end.
    yield* send("begin isolation level read committed")
    const lock = "select pg_try_advisory_xact_lock(hashtext('rtmanager.migrate.indexes'), hashtext($1)) as held"
    const [row] = yield* send(lock, schema)
    const held = row?.["held"] === true
    yield* send(held ? "set local idle_in_transaction_session_timeout = 0" : "rollback")
    return held
  })
  yield* Effect.repeat(hasLock, { until: (held) => held, schedule: Schedule.spaced("1 second") })
})

/** Builds what is left, and records the version. */
const finish = Effect.gen(function* () {
  yield* beTheOnlyBuilder
  const before = yield* step
  const results = yield* Effect.forEach(before.left, buildBeside)
  const problems = results.filter(Result.isFailure).map(({ failure }) => failure)
  if (problems.length > 0) return yield* misfits(problems)
  const after = yield* step
  if (after.left.length > 0)
    return yield* misfits(after.left.map(({ what }) => `${what} was dropped while it was built`))
  return [...before.changes, ...results.filter(Result.isSuccess).map(({ success }) => success), ...after.changes]
}).pipe(Effect.scoped)

/**
 * Brings the schema to this build's version, or creates it. Several can run at once: the others wait, then find nothing to do.
 * Whatever version is recorded, everything is checked. Existing tables keep what they have and get what they lack. If
 * something does not fit, the error names all of it and nothing has changed.
 *
 * From version 2 on, writers of a table wait for about half a second at a time: an index of a large table is built beside
 * them, outside of the transaction. If that fails or is interrupted, what was added before stays, the version is not
 * recorded, and the next run goes on. Unique indexes that an adopted table lacks, and all of a partitioned one, are built while its writers wait.
 */
export const migrate = Effect.gen(function* () {
  const { schema } = yield* Database
  const { changes, left } = yield* step
  const built = left.length === 0 ? [] : yield* finish
  return { schema, version, changes: [...changes, ...built] } satisfies MigrationReport
}).pipe(Effect.mapError(failed))
