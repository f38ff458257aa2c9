import { randomUUID } from "node:crypto"
import { Effect, Result } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { defaultEngine } from "../../domain/EngineName.ts"
import { rules } from "../../domain/Outcome.ts"
import { printable } from "../../domain/printable.ts"
import type { RuntimeRecord } from "../../domain/RuntimeRecord.ts"
import type { Asked } from "../../ports/GameLeases.ts"
import { readIndexes } from "./catalog.ts"
import { commitStatements } from "./commit.ts"
import { Database } from "./Database.ts"
import { leaseStatements } from "./leaseStatements.ts"
import { rehearsal, unprepared } from "./rehearse.ts"
import { engineColumn, sendable } from "./rows.ts"
import { type BesideStep, onWhat, qualified, type Relations, type Step, shapeOf } from "./shape.ts"
import { explain, isDenied, isPassing, isRefused, isTimedOut } from "./storeError.ts"
import { type Index, tables } from "./tables.ts"
import { inTransaction, rolledBack } from "./transaction.ts"

/**
 * The changes made to the schema, what is left to be built beside the use of its tables, and the problems found. With any
 * problem everything must be rolled back.
 */
export interface Adoption {
  readonly changes: ReadonlyArray<string>
  readonly left: ReadonlyArray<Step & { readonly beside: BesideStep }>
  readonly problems: ReadonlyArray<string>
}

const loggedCodes = [...new Set(Object.values(rules).flatMap(({ logged }) => logged ?? []))]

/** A pass of the service's own, and a person whose name is as long as one can be. */
const askedBy: ReadonlyArray<Asked> = [
  { opSource: "auto_ttl", sourceRef: "schedule" },
  { opSource: "admin_cli", sourceRef: "x".repeat(100) },
  { opSource: "admin_rest", sourceRef: "x".repeat(100) }
]

/** Printable ASCII, because other bytes can be invalid text. */
const plain = "'^[ -~]*$'"

/** A stopped game to rehearse with, or a made-up one. `undefined`: the table does not accept a made-up one. */
const trialRecord = Effect.fnUntraced(function* (quotedSchema: string) {
  const sql = yield* SqlClient
  const records = sql.literal(`${quotedSchema}.runtime_records`)
  const [stopped] = yield* sql<Pick<RuntimeRecord, "gameId" | "engine" | "containerId" | "imageRef">>`
    select game_id as "gameId", ${sql.literal(engineColumn)} as engine, current_container_id as "containerId",
      current_image_ref as "imageRef" from ${records}
    where status = 'stopped' and game_id ~ ${sql.literal(plain)} and coalesce(current_container_id, '') ~ ${sql.literal(plain)}
      and coalesce(current_image_ref, '') ~ ${sql.literal(plain)} and ${sql.literal(engineColumn)} ~ ${sql.literal(plain)} limit 1`
  const game = stopped ?? {
    gameId: "rtmanager-cleanup",
    engine: defaultEngine,
    containerId: "f".repeat(64),
    imageRef: "x".repeat(200)
  }
  const record: RuntimeRecord = { ...game, status: "stopped", lastOpAt: null, backoff: null, hold: null }
  if (stopped !== undefined) return record
  const made = yield* Effect.result(
    inTransaction(
      sql,
      sql`insert into ${records} (game_id, status, current_container_id, current_image_ref, last_op_at)
        values (${game.gameId}, 'stopped', ${game.containerId}, ${game.imageRef}, clock_timestamp())`
    )
  )
  return Result.isSuccess(made) ? record : undefined
})

/**
 * Why the tables do not accept the rows that a pass would write, whatever constraints and triggers they have. The rows
 * are rehearsed as before a pass, with every error code, and rolled back. With such a schema, removals could never be
 * recorded. A missing right is not a problem here, because this role is not the service's.
 */
const recordingProblems = Effect.gen(function* () {
  const database = yield* Database
  const sql = yield* SqlClient
  const { quotedSchema } = database
  const owner = randomUUID()
  const trial = Effect.gen(function* () {
    const record = yield* trialRecord(quotedSchema)
    if (record === undefined) return []
    const engineName = record.engine
    const parts = {
      sql,
      engineName,
      quotedSchema,
      owner,
      leases: leaseStatements(sql, { owner, leaseTtl: "1 minute", quotedSchema }),
      commits: commitStatements(sql, { engineName, quotedSchema })
    }
    for (const asked of askedBy) {
      const outcome = yield* rolledBack(sql, rehearsal(parts, record, asked, loggedCodes, unprepared))
      if (outcome._tag === "Swallowed") return [`something has silently swallowed ${outcome.what}`]
    }
    return []
  })
  return yield* rolledBack(sql, trial).pipe(
    Effect.catch((error) => Effect.succeed(isPassing(error) || isDenied(error) ? [] : [explain(error)])),
    Effect.map((words) => words.map((words) => `the tables do not take our rows: ${words}`))
  )
})

/** The first five keys that more than one row shares. */
const duplicates = Effect.fnUntraced(function* (schema: string, index: Index) {
  const sql = yield* SqlClient
  const keys = sql.literal(index.keys.join(", "))
  const condition = sql.literal(index.where === undefined ? "" : `where ${index.where}`)
  const rows = yield* sql<{ keys: string }>`
    select ${sql.literal(sendable(`min(concat_ws(', ', ${index.keys.join(", ")}))`))} as keys
    from ${sql.literal(qualified(schema, index.table))} ${condition}
    group by row(${keys}) having count(*) > 1 limit 5`
  if (rows.length === 0) return []
  const names = rows.map((row) => printable(row.keys)).join("; ")
  return [
    `table ${index.table} has more than one row with the same ${onWhat(index).replace(/^\((.*?)\)/, "$1")}: ${names}`
  ]
})

/** The step's change, or why the server refuses it. */
const asResult = (
  { done, what }: Step,
  statement: Effect.Effect<unknown, SqlError>
): Effect.Effect<Result.Result<string, string>, SqlError> =>
  statement.pipe(
    Effect.as(Result.succeed(`${done} ${what}`)),
    Effect.catchIf(
      (error) => isRefused(error) && !isTimedOut(error),
      (error) => Effect.succeed(Result.fail(`${what} cannot be ${done}: ${explain(error)}`))
    )
  )

const carryOut = (step: Step) =>
  Effect.flatMap(SqlClient, (sql) => asResult(step, sql.withTransaction(sql.unsafe(step.statement))))

/** Only a table's owner can build its index: said before anything else is added that would stay. */
const foreignTables = Effect.fnUntraced(function* (schema: string, left: Adoption["left"]) {
  if (left.length === 0) return []
  const sql = yield* SqlClient
  const rows = yield* sql<{ name: string }>`
    select c.relname::text as name from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = ${schema} and c.relname in ${sql.in(left.map(({ beside }) => beside.table))}
      and not pg_has_role(c.relowner, 'usage')`
  const foreign = new Set(rows.map(({ name }) => name))
  return left.flatMap(({ beside: { table }, done, what }) =>
    foreign.has(table) ? [`${what} cannot be ${done}: must be owner of table ${table}`] : []
  )
})

/** Builds an index while its table is written to. An interrupted build leaves an index that no query uses. */
export const buildBeside = Effect.fnUntraced(function* (step: Adoption["left"][number]) {
  const sql = yield* SqlClient
  const { create, drop } = step.beside
  yield* Effect.annotateLogs(Effect.logInfo("migrate.building"), { what: step.what })
  return yield* asResult(step, Effect.andThen(sql.unsafe(drop), sql.unsafe(create)))
})

/**
 * Adds what the schema lacks, and changes nothing that exists. With any problem the caller must roll back. If nothing
 * is missing, it locks only the rows of the game that it rehearses with.
 */
export const adopt = Effect.fnUntraced(function* (schema: string, relations: Relations) {
  const indexes = yield* readIndexes(
    schema,
    tables.map(({ name }) => name)
  )
  const { problems, steps } = shapeOf(schema, relations, indexes)
  const repeated = yield* Effect.forEach(steps, ({ unique }) =>
    unique === undefined ? Effect.succeed([]) : duplicates(schema, unique)
  )
  const isLeft = (step: Step): step is Adoption["left"][number] => step.beside !== undefined
  const left = steps.filter(isLeft)
  const standing = [...problems, ...repeated.flat(), ...(yield* foreignTables(schema, left))]
  if (standing.length > 0) return { changes: [], left: [], problems: standing } satisfies Adoption
  const results = yield* Effect.forEach(
    steps.filter((step) => !isLeft(step)),
    carryOut
  )
  const adoption: Adoption = {
    changes: results.filter(Result.isSuccess).map(({ success }) => success),
    left,
    problems: results.filter(Result.isFailure).map(({ failure }) => failure)
  }
  if (adoption.problems.length > 0) return adoption
  return { ...adoption, problems: yield* recordingProblems }
})
