import { randomUUID } from "node:crypto"
import { Effect, Result } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { rules } from "../../domain/Outcome.ts"
import { printable } from "../../domain/printable.ts"
import { readIndexes } from "./catalog.ts"
import { sendable } from "./rows.ts"
import { onWhat, qualified, type Relations, type Step, shapeOf } from "./shape.ts"
import { explain, isForeignKey, isRefused } from "./storeError.ts"
import { type Index, tables } from "./tables.ts"

/** What was done to the schema, and what stands in the way: with any problem, everything is rolled back. */
export interface Adoption {
  readonly schema: string
  readonly changes: Array<string>
  readonly problems: Array<string>
}

const loggedCodes = [...new Set(Object.values(rules).flatMap(({ logged }) => logged ?? []))]

/**
 * Whether an existing log takes our rows, whatever its own constraints are: tried out and taken back. A log that refuses
 * them would let containers be removed that can then never be recorded.
 */
export const tryLog = Effect.fnUntraced(function* ({ schema, problems }: Adoption) {
  const sql = yield* SqlClient
  // Of a real game if there is one, as the log may refer to the records; in ASCII, as other bytes may be no text.
  const [game] = yield* sql<{
    gameId: string
  }>`select game_id as "gameId" from ${sql(`${schema}.runtime_records`)} where game_id ~ '^[!-~]+$' limit 1`
  const gameId = game?.gameId ?? "rtmanager-cleanup"
  const trial = sql`
    insert into ${sql(`${schema}.operation_log`)} (game_id, op_kind, op_source, source_ref, container_id, image_ref, outcome, error_code,
      error_message, lease_owner, lease_token, trace_id, started_at, finished_at)
    select ${gameId}::text, 'cleanup_container', 'auto_ttl', 'schedule', null, null, 'success', null, repeat('x', 300),
      ${randomUUID()}::uuid, 9223372036854775807, null, clock_timestamp(), clock_timestamp()
    union all
    select ${gameId}::text, 'cleanup_container', 'auto_ttl', 'schedule', repeat('f', 64), repeat('x', 200), 'failure',
      code, repeat('x', 300), ${randomUUID()}::uuid, 1, repeat('f', 32), clock_timestamp(), clock_timestamp()
    from unnest(string_to_array(${loggedCodes.join(",")}, ',')) as code`
  const outcome = yield* Effect.result(sql.withTransaction(Effect.andThen(trial, Effect.fail("taken back" as const))))
  if (Result.isFailure(outcome) && outcome.failure !== "taken back" && !isForeignKey(outcome.failure)) {
    problems.push(`table operation_log does not take our rows: ${explain(outcome.failure)}`)
  }
})

/** The first five keys that more than one row has. */
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

/** What has come of a step: its change, or why the server refuses it. */
const carryOut = Effect.fnUntraced(function* ({
  done,
  statement,
  what
}: Step): Effect.fn.Return<Result.Result<string, string>, SqlError, SqlClient> {
  const sql = yield* SqlClient
  return yield* sql.withTransaction(sql.unsafe(statement)).pipe(
    Effect.as(Result.succeed(`${done} ${what}`)),
    Effect.catchIf(isRefused, (error) => Effect.succeed(Result.fail(`${what} cannot be ${done}: ${explain(error)}`)))
  )
})

/**
 * Adds what the schema lacks, and changes nothing that exists. With any problem the caller must roll back. Where nothing
 * is missing it locks nothing but the row that it tries the log with.
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
  const standing = [...problems, ...repeated.flat()]
  if (standing.length > 0) return { schema, changes: [], problems: standing } satisfies Adoption
  const results = yield* Effect.forEach(steps, carryOut)
  const adoption: Adoption = {
    schema,
    changes: results.filter(Result.isSuccess).map(({ success }) => success),
    problems: results.filter(Result.isFailure).map(({ failure }) => failure)
  }
  if (adoption.problems.length === 0) yield* tryLog(adoption)
  return adoption
})
