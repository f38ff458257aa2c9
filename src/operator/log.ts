import { Effect, Option, Stream } from "effect"
import { type LogCursor, type LogQuery, OperationLog } from "../ports/OperationLog.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import { passError } from "../ports/StoreError.ts"

/** How many rows are asked for at once. */
const pageSize = 500

/** At most `limit` operations, newest first, page by page: each page is asked for when the one before has been taken. */
export const log = ({ limit, ...query }: LogQuery & { readonly limit: number }) =>
  Stream.unwrap(
    Effect.gen(function* () {
      const { list } = yield* OperationLog
      yield* Effect.mapError((yield* RuntimeRecords).clock, passError)
      const page = Effect.fnUntraced(function* ({
        before,
        left
      }: {
        readonly before: LogCursor | undefined
        readonly left: number
      }) {
        const size = Math.min(left, pageSize)
        const { next, operations } = yield* list({ ...query, before, limit: size })
        const more = next !== undefined && left > size
        return [[operations], more ? Option.some({ before: next, left: left - size }) : Option.none()] as const
      })
      return Stream.paginate({ before: undefined as LogCursor | undefined, left: limit }, page)
    })
  )
