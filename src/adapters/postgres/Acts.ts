import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { type Act, type ActResult, longestReason, Reason, type RecordedAct, type RequestKey } from "../../domain/Act.ts"
import { Acts, Begun, type BegunAct } from "../../ports/Acts.ts"
import { Database } from "./Database.ts"
import { microsOf, timestamp } from "./rows.ts"
import { question, type Run } from "./run.ts"
import { inWords } from "./words.ts"

/** How an act ended, as its row says. */
export interface ActEnd {
  readonly result: ActResult
  readonly message: string | null
}

/** Which acts are listed. */
export interface ActsPage {
  readonly target?: string
  readonly before?: bigint
  readonly limit: number
}

/** A row that was just added, as it arrives. */
export interface AddedAct {
  readonly id: bigint
  /** Microseconds since 1970. */
  readonly askedAt: string
}

/** An act that was asked for with a key. */
export interface KeyedAct extends RecordedAct {
  readonly requestHash: string | null
}

/** The statements about `cleanup_acts`. Each is a single step in the database. */
export interface ActStatements {
  /** Gives the new row; none if another has the plan or the key. */
  readonly begin: (act: Act, key: RequestKey | undefined) => Effect.Effect<ReadonlyArray<AddedAct>, SqlError>
  /** Gives the new row of an act that ends without having begun; none if another has the key. */
  readonly addEnded: (
    act: Act,
    key: RequestKey | undefined,
    end: ActEnd
  ) => Effect.Effect<ReadonlyArray<AddedAct>, SqlError>
  readonly end: (begun: BegunAct, end: ActEnd) => Effect.Effect<unknown, SqlError>
  readonly keyed: (author: string, key: string) => Effect.Effect<ReadonlyArray<KeyedAct>, SqlError>
  readonly list: (page: ActsPage) => Effect.Effect<ReadonlyArray<RecordedAct>, SqlError>
}

/** The port, over any implementation of the statements. */
export const makeActs = (run: Run, statements: ActStatements) =>
  Acts.of({
    begin: Effect.fnUntraced(function* (act, key) {
      const inItsWords = <A>(statement: (act: Act) => Effect.Effect<A, SqlError>) =>
        inWords((words) => statement({ ...act, reason: Reason.make(words(act.reason, longestReason)) }))
      // An answer that was lost may leave a row without a result, never an act without a row.
      const begin = inItsWords((act) => statements.begin(act, key))
      const [row] = yield* run("beginAct", "rolled_back", begin)
      if (row !== undefined) return Begun.Begun({ id: row.id, askedAt: BigInt(row.askedAt) })
      if (act.act !== "plan_apply") return Begun.KeyTaken()
      const end = { result: "refused", message: "the plan was applied before, or is being applied" } as const
      const addEnded = inItsWords((act) => statements.addEnded(act, key, end))
      const [refused] = yield* run("beginAct", "rolled_back", addEnded)
      return refused === undefined ? Begun.KeyTaken() : Begun.PlanTaken()
    }),
    end: (begun, { message, result }) => {
      const end = inWords((words) => statements.end(begun, { result, message: message && words(message) }))
      return Effect.asVoid(run("endAct", "unanswered", end))
    },
    keyed: Effect.fnUntraced(function* (author, key) {
      const [row] = yield* run("findAct", question, statements.keyed(author, key))
      if (row === undefined) return undefined
      const { requestHash, ...act } = row
      return { act, requestHash: requestHash ?? "" }
    }),
    list: (page) => run("listActs", question, statements.list(page))
  })

const actStatements = (sql: SqlClient, quotedSchema: string): ActStatements => {
  const table = sql.literal(`${quotedSchema}.cleanup_acts`)
  const askedColumns = sql`act, target, author, reason, asked_at, idempotency_key, request_hash`
  const asked = ({ act, author, reason, target }: Act, key: RequestKey | undefined) =>
    sql`${act}::text, ${target}::text, ${author}::text, ${reason}::text, clock_timestamp(),
      ${key?.key ?? null}::text, ${key?.requestHash ?? null}::text`
  const added = sql`on conflict do nothing returning id, ${sql.literal(microsOf("asked_at"))} as "askedAt"`
  const columns = sql`id, act, target, author, reason, asked_at as "askedAt", ended_at as "endedAt", result, message`
  return {
    begin: (act, key) => sql<AddedAct>`insert into ${table} (${askedColumns}) values (${asked(act, key)}) ${added}`,
    addEnded: (act, key, { message, result }) => sql<AddedAct>`
      insert into ${table} (${askedColumns}, ended_at, result, message)
      values (${asked(act, key)}, clock_timestamp(), ${result}, ${message}) ${added}`,
    end: ({ askedAt, id }, { message, result }) => sql`
      update ${table} set result = ${result}, message = ${message}, ended_at = clock_timestamp()
      where id = ${id} and asked_at = ${timestamp(sql, askedAt)} and result is null`,
    keyed: (author, key) => sql<KeyedAct>`
      select ${columns}, request_hash as "requestHash" from ${table}
      where author = ${author} and idempotency_key = ${key} limit 1`,
    list: ({ before, limit, target }) => sql<RecordedAct>`
      select ${columns} from ${table}
      where ${target === undefined ? sql`true` : sql`target = ${target}`} and ${before === undefined ? sql`true` : sql`id < ${before}`}
      order by id desc limit ${limit}`
  }
}

/** Only adds rows, and sets a result once. */
export const layer = Layer.effect(
  Acts,
  Effect.gen(function* () {
    const { quotedSchema, run } = yield* Database
    return makeActs(run, actStatements(yield* SqlClient, quotedSchema))
  })
)
