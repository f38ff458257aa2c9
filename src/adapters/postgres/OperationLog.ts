import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { type LoggedOperation, loggedOutcomes } from "../../domain/LoggedOperation.ts"
import { dateOf } from "../../domain/time.ts"
import { OperationLog } from "../../ports/OperationLog.ts"
import { millis } from "./audit.ts"
import { Database } from "./Database.ts"
import { microsOf, sendable, timestamp } from "./rows.ts"
import { question } from "./run.ts"

/** A row as it arrives: times are microseconds since 1970 as text, `null` if they are infinite. */
interface LogRow extends Omit<LoggedOperation, "startedAt" | "finishedAt"> {
  readonly startedAt: string | null
  readonly finishedAt: string | null
}

const texts = ["game_id", "outcome", "op_source", "source_ref", "container_id", "image_ref", "error_code", "trace_id"]
const camelCase = (name: string) => name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
const finite = (column: string) => `case when isfinite(${column}) then ${microsOf(column)} end`

const columns = [
  "id",
  ...texts.map((name) => `${sendable(name)} as "${camelCase(name)}"`),
  `${sendable("error_message")} as message`,
  `${finite("started_at")} as "startedAt"`,
  `${finite("finished_at")} as "finishedAt"`
].join(", ")

const timeOf = (micros: string | null) => (micros === null ? null : dateOf(Number(micros) / 1000))

const operationOf = ({ finishedAt, startedAt, ...row }: LogRow): LoggedOperation => ({
  ...row,
  startedAt: timeOf(startedAt),
  finishedAt: timeOf(finishedAt)
})

const make = Effect.gen(function* () {
  const { quotedSchema, run } = yield* Database
  const sql = yield* SqlClient
  const rows = sql`select ${sql.literal(columns)} from ${sql.literal(`${quotedSchema}.operation_log`)}
    where op_kind = 'cleanup_container' and id is not null`
  const only = (condition: Fragment | undefined) => (condition === undefined ? sql`` : sql`and ${condition}`)

  return OperationLog.of({
    list: ({ before, gameId, limit, outcome, since }) => {
      const young = since === undefined ? undefined : sql`finished_at >= ${millis(sql, since)}`
      const ofGame = (id: string) => sql<LogRow>`${rows} and game_id = ${id}
        ${only(before && sql`id < ${before.id}`)} ${only(outcome && sql`outcome = ${outcome}`)} ${only(young)}
        order by id desc limit ${limit}`
      const older =
        before === undefined
          ? sql`finished_at < 'infinity'`
          : before.finishedAt === null
            ? sql`false`
            : sql`(finished_at, id) < (${timestamp(sql, before.finishedAt)}, ${before.id})`
      // A range of the index for each outcome: the index has the outcomes one after the other.
      const ofOutcome = (one: string) => sql`(${rows} and outcome = ${one} and ${older}
        and ${young ?? sql`finished_at > '-infinity'`} order by operation_log.finished_at desc, operation_log.id desc limit ${limit})`
      const ofAll = sql<LogRow>`select * from (
          ${sql.join(" union all ", false)((outcome === undefined ? loggedOutcomes : [outcome]).map(ofOutcome))}
        ) as found order by "finishedAt"::numeric desc, id desc limit ${limit}`
      return Effect.map(run("listOperations", question, gameId === undefined ? ofAll : ofGame(gameId)), (found) => {
        const last = found.at(-1)
        return {
          operations: found.map(operationOf),
          next:
            last === undefined || found.length < limit
              ? undefined
              : { finishedAt: last.finishedAt === null ? null : BigInt(last.finishedAt), id: last.id }
        }
      })
    }
  })
})

/** Over the log's two partial indexes. Text that cannot be sent as it is comes with its bytes escaped. */
export const layer = Layer.effect(OperationLog, make)
