import { Effect, identity, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { type Act, type ActResult, Reason, type RecordedAct } from "../../domain/Act.ts"
import { Acts } from "../../ports/Acts.ts"
import { Database } from "./Database.ts"
import { ascii } from "./rows.ts"
import { question, type Run } from "./run.ts"
import { isNoText } from "./storeError.ts"

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

/** The statements about `cleanup_acts`. Each is a single step in the database. */
export interface ActStatements {
  /** Gives the new row's id; no row if it is of a plan that another row has. */
  readonly begin: (act: Act) => Effect.Effect<ReadonlyArray<{ readonly id: bigint }>, SqlError>
  /** Adds the row of an act that ends without having begun. */
  readonly addEnded: (act: Act, end: ActEnd) => Effect.Effect<unknown, SqlError>
  readonly end: (id: bigint, end: ActEnd) => Effect.Effect<unknown, SqlError>
  readonly list: (page: ActsPage) => Effect.Effect<ReadonlyArray<RecordedAct>, SqlError>
}

/** The port, over any implementation of the statements. */
export const makeActs = (run: Run, statements: ActStatements) => {
  /** The database's encoding may lack a character of somebody's words. */
  const inWords = <A>(statement: (words: (text: string) => string) => Effect.Effect<A, SqlError>) =>
    Effect.catchIf(statement(identity), isNoText, () => statement(ascii))
  return Acts.of({
    begin: Effect.fnUntraced(function* (act) {
      const begin = inWords((words) =>
        statements.begin({ ...act, reason: Reason.make(words(act.reason).slice(0, 500)) })
      )
      // An answer that was lost may leave a row without a result, never an act without a row.
      const [row] = yield* run("beginAct", "rolled_back", begin)
      if (row !== undefined) return row.id
      const end = { result: "refused", message: "the plan was applied before, or is being applied" } as const
      yield* run("beginAct", "rolled_back", statements.addEnded(act, end))
      return undefined
    }),
    end: (id, { message, result }) => {
      const end = inWords((words) => statements.end(id, { result, message: message && words(message) }))
      return Effect.asVoid(run("endAct", "unanswered", end))
    },
    list: (page) => run("listActs", question, statements.list(page))
  })
}

const actStatements = (sql: SqlClient, quotedSchema: string): ActStatements => {
  const table = sql.literal(`${quotedSchema}.cleanup_acts`)
  const asked = ({ act, author, reason, target }: Act) =>
    sql`${act}::text, ${target}::text, ${author}::text, ${reason}::text, clock_timestamp()`
  return {
    begin: (act) => sql<{ id: bigint }>`
      insert into ${table} (act, target, author, reason, asked_at) values (${asked(act)})
      on conflict do nothing returning id`,
    addEnded: (act, { message, result }) => sql`
      insert into ${table} (act, target, author, reason, asked_at, ended_at, result, message)
      values (${asked(act)}, clock_timestamp(), ${result}, ${message})`,
    end: (id, { message, result }) => sql`
      update ${table} set result = ${result}, message = ${message}, ended_at = clock_timestamp()
      where id = ${id} and result is null`,
    list: ({ before, limit, target }) => sql<RecordedAct>`
      select id, act, target, author, reason, asked_at as "askedAt", ended_at as "endedAt", result, message from ${table}
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
