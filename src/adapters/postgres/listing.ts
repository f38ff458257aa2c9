import { Effect, Result } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import type { Cursor, Page } from "../../ports/RuntimeRecords.ts"
import type { StoreError } from "../../ports/StoreError.ts"
import { decodeRecord, fromBytes, type RecordRow } from "./rows.ts"
import { question, type Run } from "./run.ts"
import { explain, isNoText } from "./storeError.ts"

/** A row's place, in a form that can be sent whatever the row's bytes are. */
interface KeyRow {
  /** The id's bytes in hex. */
  readonly key: string
  /** The id with its bytes beyond ASCII escaped. */
  readonly name: string
  readonly lastOpAt: string | null
}

const bytes = "convert_to(r.game_id, 'SQL_ASCII')"
const key = `encode(${bytes}, 'hex') as key`

/** The columns of a `KeyRow`, except the time. */
export const keyColumns = `${key}, encode(${bytes}, 'escape') as name`

/** Marks an id in hex: no text in PostgreSQL contains this character. */
const mark = "\0"

/** The id of a cursor, as an expression. */
export const idOf = (sql: SqlClient, { gameId }: Cursor): Fragment =>
  gameId.startsWith(mark) ? fromBytes(sql, gameId.slice(1)) : sql`${gameId}`

export interface Listing {
  readonly page: Effect.Effect<ReadonlyArray<RecordRow>, SqlError>
  /** The same page in bytes. */
  readonly keys: Effect.Effect<ReadonlyArray<KeyRow>, SqlError>
  /** The rows that still match the listing and the condition, with additional columns. */
  readonly among: (
    condition: Fragment,
    more: Fragment
  ) => Effect.Effect<ReadonlyArray<RecordRow & Pick<KeyRow, "key">>, SqlError>
  readonly limit: number
}

type Decoded = ReturnType<typeof decodeRecord>

/** A row that does not decode still moves the cursor, or it would end the listing. */
const toPage = (decoded: ReadonlyArray<Decoded>, full: boolean, last: Cursor | undefined): Page => ({
  records: decoded.filter(Result.isSuccess).map((row) => row.success),
  undecodable: decoded.filter(Result.isFailure).map((row) => row.failure),
  next: full ? last : undefined
})

const timeOf = ({ lastOpAt }: { readonly lastOpAt: string | null }) => (lastOpAt === null ? null : BigInt(lastOpAt))

/**
 * Pages of records. A SQL_ASCII database accepts any bytes, and the server refuses a whole page for one row that it
 * cannot send as text. That page is listed by its bytes and read in halves, down to the rows that are not valid text:
 * these do not decode, and the others do. It fails if what is asked with is no text itself.
 */
export const makeListing = (run: Run, sql: SqlClient) => {
  const read = <A>(operation: string, statement: Effect.Effect<A, SqlError>) =>
    run(
      operation,
      question,
      statement.pipe(
        Effect.map(Result.succeed),
        Effect.catchIf(isNoText, (error) => Effect.succeed(Result.fail(error)))
      )
    )

  const split = Effect.fnUntraced(function* (
    operation: string,
    among: Listing["among"],
    keys: ReadonlyArray<KeyRow>
  ): Effect.fn.Return<ReadonlyArray<Decoded>, StoreError> {
    const list = keys.map((row) => row.key).join(",")
    const condition = sql`r.game_id = any (array(
      select convert_from(decode(key, 'hex'), 'SQL_ASCII') from unnest(string_to_array(${list}, ',')) as key))`
    const rows = yield* read(operation, among(condition, sql.literal(key)))
    if (Result.isSuccess(rows)) {
      const byKey = new Map(rows.success.map((row) => [row.key, row]))
      return keys.flatMap((row) => byKey.get(row.key) ?? []).map(decodeRecord)
    }
    if (keys.length === 1) return keys.map(({ name }) => Result.fail(`game ${name}: ${explain(rows.failure)}`))
    const half = Math.ceil(keys.length / 2)
    const halves = yield* Effect.forEach([keys.slice(0, half), keys.slice(half)], (some) =>
      split(operation, among, some)
    )
    return halves.flat()
  })

  return Effect.fnUntraced(function* (operation: string, { among, keys, limit, page }: Listing) {
    const rows = yield* read(operation, page)
    if (Result.isSuccess(rows)) {
      const last = rows.success.at(-1)
      return Result.succeed(
        toPage(
          rows.success.map(decodeRecord),
          rows.success.length === limit,
          last && { lastOpAt: timeOf(last), gameId: last.gameId }
        )
      )
    }
    const places = yield* read(operation, keys)
    if (Result.isFailure(places)) return Result.fail(places.failure)
    const last = places.success.at(-1)
    return Result.succeed(
      toPage(
        places.success.length === 0 ? [] : yield* split(operation, among, places.success),
        places.success.length === limit,
        last && { lastOpAt: timeOf(last), gameId: mark + last.key }
      )
    )
  })
}
