import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { OperationLog } from "../../../src/ports/OperationLog.ts"
import { Overview } from "../../../src/ports/Overview.ts"
import { PassLog } from "../../../src/ports/PassLog.ts"
import { type Node, plansOf, touched } from "../../support/explain.ts"
import { layerStores, postgresServer } from "../../support/postgres.ts"
import { longAgo, momentAt } from "../../support/records.ts"

const server = postgresServer()

const rows = 100_000
const pageSize = 50
/** How many rows more than it returns a statement may look at. */
const few = 3
/** What a bounded count looks at. */
const counted = 10_001

/** Every scan of a table with many rows, by its index or its kind. */
const scans = (plans: ReadonlyArray<ReadonlyArray<Node>>) =>
  plans.flat().filter((node) => node["Node Type"].includes("Scan") && touched(node) > few)

const named = (nodes: ReadonlyArray<Node>) =>
  nodes.map((node) => `${node["Index Name"] ?? node["Relation Name"] ?? node["Node Type"]}: ${touched(node)}`)

const states = ["all are due", "none is due", "all back off", "all are leased"] as const
const cases = states.flatMap((state) => [true, false].map((analyzed) => ({ state, analyzed })))

/** Times are around `longAgo`, the cutoff. */
const fill = Effect.fnUntraced(function* (state: (typeof states)[number], analyzed: boolean) {
  const sql = yield* SqlClient
  for (const table of ["runtime_records", "operation_log", "cleanup_backoff", "game_leases", "cleanup_passes"]) {
    yield* sql`alter table ${sql(table)} set (autovacuum_enabled = off)`
  }
  const [after, backsOff, isLeased] = [
    state === "none is due" ? 1 : -1,
    state === "all back off",
    state === "all are leased"
  ]
  yield* sql`
    insert into runtime_records (game_id, status, current_container_id, last_op_at)
    select 'game-' || i, 'stopped', lpad(to_hex(i), 64, '0'), to_timestamp(${longAgo / 1000}::float8) + ${after}::int * i * interval '1 second'
    from generate_series(1, ${rows}::int) as i order by md5(i::text)`
  yield* sql`
    insert into cleanup_backoff select 'game-' || i, 1 + i % 12, '2030-01-01', 'engine_error'
    from generate_series(1, ${rows}::int) as i where ${backsOff}::boolean`
  yield* sql`
    insert into game_leases select 'game-' || i, gen_random_uuid(), i, now(), now() + interval '1 hour'
    from generate_series(1, ${rows}::int) as i where ${isLeased}::boolean`
  yield* sql`
    insert into operation_log (game_id, op_kind, op_source, container_id, outcome, error_code, started_at, finished_at)
    select 'game-' || (i % 5000), case when i % 3 = 0 then 'start_container' else 'cleanup_container' end, 'auto_ttl', lpad(to_hex(i), 64, '0'),
      case when i % 100 < 3 then 'failure' else 'success' end, null, now(), to_timestamp(${longAgo / 1000}::float8) + i * interval '1 second'
    from generate_series(1, ${rows}::int) as i order by md5(i::text)`
  yield* sql`
    insert into cleanup_passes select gen_random_uuid(), 'default', 'schedule', gen_random_uuid(), at, at, at, 'success', null, null, 1, 1, 1, 0, 0, 0, i
    from generate_series(1, 20000) as i cross join lateral (select now() - i * interval '1 minute') as times(at) order by md5(i::text)`
  yield* sql`insert into cleanup_engines select 'host-' || i, 'id-' || i, now() from generate_series(1, 9) as i`
  if (analyzed) yield* sql`analyze`
})

for (const { analyzed, state } of cases) {
  const layer = Layer.effectDiscard(fill(state, analyzed)).pipe(
    Layer.provideMerge(layerStores({ timeout: "1 minute" })),
    Layer.provide(server)
  )

  it.layer(layer, { excludeTestServices: true })(
    `what people ask of 100 000 games of which ${state} and of a log as long, with ${analyzed ? "fresh" : "no"} statistics`,
    (it) => {
      it.effect.each([
        [{}, "operation_log_cleanup_outcome", 2],
        [{ outcome: "failure" }, "operation_log_cleanup_outcome", 1],
        [{ since: longAgo + 1000 }, "operation_log_cleanup_outcome", 2],
        [{ gameId: "game-7" }, "operation_log_cleanup_last", 1],
        [{ gameId: "game-7", outcome: "success" }, "operation_log_cleanup_last", 1]
      ] as const)("the log reads only the rows that it shows, on every page: %j", ([query, index, ranges]) =>
        Effect.gen(function* () {
          const { list } = yield* OperationLog
          const limit = "gameId" in query ? 5 : pageSize
          const first = yield* plansOf(list({ ...query, limit }))
          assert.lengthOf(first.answer.operations, limit)
          const second = yield* plansOf(list({ ...query, before: first.answer.next, limit }))
          assert.lengthOf(second.answer.operations, limit)
          for (const { plans } of [first, second]) {
            const found = scans(plans).filter((scan) => scan["Node Type"] !== "Subquery Scan")
            assert.isNotEmpty(found)
            assert.isAtMost(found.length, ranges, named(found).join(", "))
            for (const scan of found) {
              assert.strictEqual(scan["Index Name"], index, named(found).join(", "))
              assert.isAtMost(touched(scan), limit + few, named(found).join(", "))
            }
          }
        })
      )

      it.effect("the log reads next to nothing if nothing was written since", () =>
        Effect.gen(function* () {
          const { list } = yield* OperationLog
          const { answer, plans } = yield* plansOf(list({ since: longAgo + (rows + 1) * 1000, limit: 500 }))
          assert.deepStrictEqual(answer, { operations: [], next: undefined })
          assert.isEmpty(scans(plans), named(scans(plans)).join(", "))
        })
      )

      it.effect("the overview counts no more than ten thousand of each, and tells that there are more", () =>
        Effect.gen(function* () {
          const { backlog } = yield* Overview
          const { answer, plans } = yield* plansOf(backlog(momentAt(longAgo), { next: 5 }))
          assert.deepStrictEqual(answer.counts.stopped, { count: 10_000, more: true })
          assert.deepStrictEqual(
            answer.counts.due,
            {
              "all are due": { count: 10_000, more: true },
              "none is due": { count: 0, more: false },
              "all back off": { count: 0, more: true },
              "all are leased": { count: 10_000, more: true }
            }[state]
          )
          assert.strictEqual(answer.counts.backingOff.more, state === "all back off")
          assert.strictEqual(answer.counts.leased.more, state === "all are leased")
          assert.lengthOf(answer.next, state === "all back off" ? 0 : 5)
          for (const scan of scans(plans)) assert.isAtMost(touched(scan), counted, named(scans(plans)).join(", "))
          const oneByOne = plans.flat().filter((node) => node["Actual Loops"] > few)
          const looked = oneByOne.map((node) => node["Index Name"]?.match(/^cleanup_(?:backoff|holds)/)?.[0])
          assert.deepStrictEqual(
            looked.filter((table) => table !== undefined),
            state === "all back off" ? ["cleanup_backoff"] : []
          )
        })
      )

      it.effect("one game, the engines and the last passes are found by their keys", () =>
        Effect.gen(function* () {
          const { engines, game } = yield* Overview
          const { find, recent, unended } = yield* PassLog
          const [pass] = yield* recent(1)
          assert(pass !== undefined)
          const asked = yield* plansOf(Effect.all([game("game-7"), engines, recent(5), unended(5), find(pass.id)]))
          assert.deepStrictEqual(asked.answer[4], pass)
          assert.strictEqual(asked.answer[0].record?.gameId, "game-7")
          assert.lengthOf(asked.answer[2], 5)
          for (const scan of scans(asked.plans)) assert.isAtMost(touched(scan), 9, named(scans(asked.plans)).join(", "))
        })
      )

      it.effect.each([1, 24, 168] as const)(
        "what passes came to in %s hours reads the passes of these hours",
        (count) =>
          Effect.gen(function* () {
            const { hours } = yield* PassLog
            const { answer, plans } = yield* plansOf(hours(count))
            assert.lengthOf(answer, count)
            const read = answer.reduce((sum, { passes }) => sum + passes, 0)
            assert.isAbove(read, (count - 1) * 60 - few)
            const found = scans(plans).filter((node) => node["Relation Name"] ?? node["Index Name"])
            assert.isAtMost(found.length, 2, named(found).join(", "))
            for (const scan of found) assert.isAtMost(touched(scan), read + few, named(found).join(", "))
          })
      )
    }
  )
}
