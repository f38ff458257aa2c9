import { Array as Arr, Clock, Data, Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Statement } from "effect/sql/Statement"
import { isContainerId } from "../../domain/ContainerId.ts"
import type { RuntimeRecord } from "../../domain/RuntimeRecord.ts"
import type { Asked, AuditRow } from "../../ports/GameLeases.ts"
import { CannotRecord, StoreError } from "../../ports/StoreError.ts"
import type { commitStatements } from "./commit.ts"
import { leaseOf, type leaseStatements } from "./leaseStatements.ts"
import { isOfEngine } from "./rows.ts"
import { question, type Run } from "./run.ts"
import { explain, isMissing, isPassing, isStale, migrateHint, sqlStateOf } from "./storeError.ts"
import { rolledBack } from "./transaction.ts"

interface Options {
  readonly engineName: string
  readonly quotedSchema: string
  readonly sql: SqlClient
  readonly leases: ReturnType<typeof leaseStatements>
  readonly commits: ReturnType<typeof commitStatements>
  readonly owner: string
}

/** How long a rehearsal waits for a row that somebody else has locked: milliseconds. */
const patience = 100

/** A rehearsal's result. `Refused`: the server raised an error. `Swallowed`: it raised none, but did not write. */
export type Outcome = Data.TaggedEnum<{
  Works: object
  MovedOn: object
  Refused: { readonly error: SqlError }
  Swallowed: { readonly what: string }
}>
export const Outcome = Data.taggedEnum<Outcome>()

/** How the statements of a rehearsal are sent. */
export type Send = <A>(statement: Statement<A>) => Effect.Effect<ReadonlyArray<A>, SqlError>

export const unprepared: Send = (statement) => statement.unprepared

/** Saves half of a rehearsal's time, because the server has read and planned our statements before. */
const prepared: Send = (statement) => statement

/** Rows as long as ours can be. */
const rows = (
  record: RuntimeRecord,
  asked: Asked,
  now: number
): { readonly success: AuditRow; readonly failure: AuditRow } => {
  const success: AuditRow = {
    ...asked,
    containerId: isContainerId(record.containerId) ? record.containerId : null,
    imageRef: record.imageRef,
    errorCode: null,
    message: "the container was already absent",
    traceId: "f".repeat(32),
    startedAt: now,
    finishedAt: now
  }
  return { success, failure: { ...success, message: "x".repeat(300) } }
}

/**
 * Runs the very statements that record a removal, and a refusal with each of these error codes, in a transaction that
 * is always rolled back. Checks that the server would make at the end of a transaction are made after each statement.
 * The lease is taken whoever holds it, because nobody else sees that.
 */
export const rehearsal = Effect.fnUntraced(function* (
  { commits, engineName, leases, owner, quotedSchema, sql }: Options,
  record: RuntimeRecord,
  asked: Asked,
  errorCodes: ReadonlyArray<string>,
  send: Send
) {
  const { containerId, gameId } = record
  const schema = sql.literal(quotedSchema)
  yield* send(sql`set constraints all immediate`)
  yield* send(sql`select set_config('lock_timeout', ${`${patience}ms`}, true)`)
  const take = send(leases.take([gameId]))
  const free = send(sql`delete from ${schema}.game_leases where game_id = ${gameId}`)
  const [taken] = yield* Effect.filterOrElse(take, Arr.isReadonlyArrayNonEmpty, () => Effect.andThen(free, take))
  if (taken === undefined) return Outcome.Swallowed({ what: "the lease in game_leases" })
  const lease = leaseOf(owner, taken)
  const now = yield* Clock.currentTimeMillis
  const { failure, success } = rows(record, asked, now)
  for (const [i, errorCode] of errorCodes.entries()) {
    // A game never has two rows with the same time, and an adopted log can identify its rows by it.
    const moment = now - 1 - i
    const row = { ...failure, errorCode, startedAt: moment, finishedAt: moment }
    const backoff = { attempts: 1, nextAttemptAt: now, lastError: errorCode }
    yield* send(leases.settle(lease, { failure: row, backoff, keep: true }))
  }
  const [committed] = yield* send(commits.one({ lease, containerId, row: success }))
  if (!committed?.leased) return Outcome.Swallowed({ what: "the lease in game_leases" })
  const [seen] = yield* send(sql<{ stopped: boolean; removed: boolean; logged: boolean; failures: number }>`
    select exists (
        select from ${schema}.runtime_records as r where r.game_id = ${gameId} and status = 'stopped'
          and ${isOfEngine(sql, engineName)} and current_container_id is not distinct from ${containerId}::text
      ) as stopped,
      exists (select from ${schema}.runtime_records where game_id = ${gameId} and status = 'removed') as removed,
      coalesce(bool_or(outcome = 'success'
        and (lease_token = ${lease.token} and lease_owner = ${owner}::uuid or container_id = ${success.containerId})), false) as logged,
      (count(distinct error_code) filter (where outcome = 'failure'
        and error_code = any (array(select json_array_elements_text(${JSON.stringify(errorCodes)}::json)))))::float8 as failures
    from ${schema}.operation_log where game_id = ${gameId} and op_kind = 'cleanup_container'`)
  if (!committed.moved && !seen?.stopped) return Outcome.MovedOn()
  if (!committed.moved || !seen?.removed) return Outcome.Swallowed({ what: "the change of runtime_records" })
  if (!seen.logged) return Outcome.Swallowed({ what: "the success row in operation_log" })
  return seen.failures < errorCodes.length
    ? Outcome.Swallowed({ what: "the failure row in operation_log" })
    : Outcome.Works()
})

/** A rehearsal, and the questions that follow one that failed. Each is a single step to whoever asks. */
export interface RehearsalStatements {
  /** Leaves nothing behind. */
  readonly rehearse: (record: RuntimeRecord, asked: Asked) => Effect.Effect<Outcome, SqlError>
  /** A row if the record is still stopped with its container. */
  readonly unchanged: (record: RuntimeRecord) => Effect.Effect<ReadonlyArray<unknown>, SqlError>
  readonly role: Effect.Effect<ReadonlyArray<{ role: string }>, SqlError>
}

export const rehearsalStatements = (options: Options): RehearsalStatements => {
  const { engineName, quotedSchema, sql } = options
  const rehearse = (record: RuntimeRecord, asked: Asked, send: Send) =>
    rolledBack(sql, rehearsal(options, record, asked, ["removed_not_committed"], send))
  return {
    // Behind a transaction pooler the session might lack what another one has prepared. The driver then sends a statement once
    // more, but not within a transaction, which the error has ended.
    rehearse: (record, asked) =>
      Effect.catchIf(rehearse(record, asked, prepared), isStale, () => rehearse(record, asked, unprepared)),
    unchanged: ({ containerId, gameId }) =>
      sql`select from ${sql.literal(quotedSchema)}.runtime_records as r where r.game_id = ${gameId}
        and status = 'stopped' and ${isOfEngine(sql, engineName)} and current_container_id is not distinct from ${containerId}::text`
        .unprepared,
    role: sql`select current_user as role`
  }
}

export const makeRehearse = (run: Run, statements: RehearsalStatements) => {
  /** A record that was changed or deleted meanwhile can be the reason, for example through a foreign key to it. */
  const hasMovedOn = (record: RuntimeRecord) =>
    run("rehearse", question, statements.unchanged(record)).pipe(
      Effect.map((rows) => rows.length === 0),
      Effect.orElseSucceed(() => false)
    )

  const cannotRecord = Effect.fnUntraced(function* (record: RuntimeRecord, words: string) {
    if (yield* hasMovedOn(record)) return false
    const [row] = yield* run("rehearse", question, statements.role)
    const detail = `${words}, as role ${row?.role}`
    return yield* new StoreError({ operation: "rehearse", reason: new CannotRecord({ detail }) })
  })

  return Effect.fnUntraced(function* (record: RuntimeRecord, asked: Asked) {
    const outcome = yield* run(
      "rehearse",
      "disconnected",
      Effect.catchIf(
        statements.rehearse(record, asked),
        (error) => !isPassing(error),
        (error) => Effect.succeed(Outcome.Refused({ error }))
      )
    )
    switch (outcome._tag) {
      case "Works":
        return true
      case "MovedOn":
        return false
      case "Refused": {
        const hint = isMissing(outcome.error) ? `; if it is one of this service's own, ${migrateHint}` : ""
        return yield* cannotRecord(record, `${explain(outcome.error)} (${sqlStateOf(outcome.error)})${hint}`)
      }
      case "Swallowed":
        return yield* cannotRecord(record, `a trigger, a rule or a row security policy has swallowed ${outcome.what}`)
    }
  })
}
