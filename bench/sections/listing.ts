import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Postgres from "../../src/adapters/postgres/RuntimeRecords.ts"
import { defaultEngine } from "../../src/domain/EngineName.ts"
import type { Moment } from "../../src/domain/Expiry.ts"
import { type Cursor, RuntimeRecords } from "../../src/ports/RuntimeRecords.ts"
import { plansOf, touched } from "../../test/support/explain.ts"
import { tables as makeTables } from "../database.ts"
import type { Options } from "../options.ts"
import { round, say, timed } from "../progress.ts"
import { median } from "../stats.ts"

const pageSize = 500
const due = 1000
const repeats = 25

const day = 86_400_000

/** The due-listing among rows of which half are stopped, with few of them due and with all. */
export const listing = Effect.fnUntraced(function* ({ rows }: Options) {
  const { sql, fill, context } = yield* makeTables("bench_listing")
  yield* say(`listing: among ${2 * rows} rows`)
  yield* fill([
    { count: due, prefix: "due-", lastOpAt: "now() - interval '40 days' - i * interval '1 second'" },
    {
      count: Math.max(0, rows - due),
      prefix: "kept-",
      lastOpAt: "now() - interval '1 day' - random() * interval '28 days'"
    },
    { count: rows, status: "running", prefix: "running-", lastOpAt: "now() - random() * interval '60 days'" }
  ])
  const ports = Context.get(
    yield* Layer.build(Layer.provide(Postgres.layer({ engineName: defaultEngine }), Layer.succeedContext(context))),
    RuntimeRecords
  )

  /** Where the page after so many rows starts. */
  const cursor = Effect.fnUntraced(function* (skipped: number) {
    if (skipped <= 0) return undefined
    const [row] = yield* sql<{ gameId: string; micros: string }>`
      select game_id as "gameId", ((extract(epoch from last_op_at) * 1000000)::bigint)::text as micros
      from runtime_records where status = 'stopped' order by last_op_at, game_id offset ${skipped - 1}::int limit 1`
    return row && ({ gameId: row.gameId, lastOpAt: BigInt(row.micros) } satisfies Cursor)
  })

  const page = Effect.fnUntraced(function* (name: string, moment: Moment, skipped: number) {
    const list = ports.listDue({ moment, after: yield* cursor(skipped), limit: pageSize })
    const explained = yield* plansOf(list).pipe(Effect.provideService(SqlClient, sql))
    const { records } = explained.answer
    const plan = explained.plans.flat()
    const times = yield* Effect.forEach(Array.from({ length: repeats }), () => timed(list))
    const millis = times.map(({ seconds }) => seconds * 1000)
    const rowsTouched = plan
      .filter((node) => node["Relation Name"] === "runtime_records")
      .reduce((sum, node) => sum + touched(node), 0)
    const indexes = [...new Set(plan.flatMap((node) => node["Index Name"] ?? []))]
    const buffers = (plan[0]?.["Shared Hit Blocks"] ?? 0) + (plan[0]?.["Shared Read Blocks"] ?? 0)
    yield* say(`  ${name}: ${round(median(millis), 2)} ms, ${records.length} rows, touched ${rowsTouched}`)
    return {
      name,
      median: median(millis),
      millis,
      rows: records.length,
      rowsTouched,
      buffers,
      indexes,
      plan
    }
  })

  const now = Date.now()
  const few = { now, cutoff: now - 30 * day }
  const all = { now, cutoff: now }
  const half = Math.floor(rows / 2 / pageSize) * pageSize
  return [
    yield* page(`first page, ${due} due`, few, 0),
    yield* page(`last page, ${due} due`, few, due - pageSize),
    yield* page("first page, all due", all, 0),
    yield* page("page in the middle, all due", all, half),
    yield* page("last page, all due", all, rows - pageSize)
  ]
}, Effect.scoped)

export type ListingResult = Effect.Success<ReturnType<typeof listing>>
