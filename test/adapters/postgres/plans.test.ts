import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { GameLeases } from "../../../src/ports/GameLeases.ts"
import { RuntimeRecords } from "../../../src/ports/RuntimeRecords.ts"
import { type Node, plansOf, touched } from "../../support/explain.ts"
import { layerStores, postgresServer } from "../../support/postgres.ts"
import { auditRow, longAgo, momentAt } from "../../support/records.ts"

const server = postgresServer()

const pageSize = 500
const stoppedGames = 30_000
const dueGames = 1000
/** How many rows more than it returns a statement may look at. */
const few = 3

const scansOf = (table: string, nodes: ReadonlyArray<Node>) =>
  nodes.filter(
    (node) =>
      node["Node Type"].includes("Scan") && (node["Relation Name"] === table || node["Index Name"]?.startsWith(table))
  )

const kinds = (nodes: ReadonlyArray<Node>) =>
  nodes.map((node) => `${node["Node Type"]} ${node["Index Name"] ?? node["Relation Name"] ?? ""}`.trim())

/** The few holds of one game are found and sorted game by game. */
const isOfHolds = (node: Node) =>
  (node["Index Name"] ?? node["Relation Name"] ?? node["Sort Key"]?.[0] ?? "").match(/^cleanup_holds|^h\.until/) !==
  null

const primaryKeys = ["runtime_records_pkey", "runtime_records_game_id"]

/** Only by the primary key, and no more rows than it asks for. */
const assertByKey = (nodes: ReadonlyArray<Node>, games: number) => {
  for (const table of ["runtime_records", "game_leases"]) {
    for (const scan of scansOf(table, nodes)) {
      assert.include(
        [...primaryKeys, "game_leases_pkey", "game_leases_game_id"],
        scan["Index Name"],
        kinds(nodes).join(", ")
      )
      assert.isAtMost(touched(scan), games, kinds(nodes).join(", "))
    }
  }
}

const cases = [
  { due: dueGames, analyzed: true },
  { due: dueGames, analyzed: false },
  { due: stoppedGames, analyzed: true },
  { due: stoppedGames, analyzed: false }
]

for (const { analyzed, due } of cases) {
  /** 60 000 records, half of them stopped, and many leases and holds of other games, most of the leases left behind. */
  const layer = Layer.effectDiscard(
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`alter table runtime_records set (autovacuum_enabled = off)`
      yield* sql`alter table game_leases set (autovacuum_enabled = off)`
      yield* sql`
        insert into runtime_records (game_id, status, current_container_id, last_op_at)
        select 'game-' || i, case when i % 2 = 0 then 'stopped' else 'running' end, lpad(to_hex(i), 64, '0'),
          to_timestamp(${longAgo / 1000}::float8) + case when i / 2 <= ${due}::integer then -1 else 1 end * i * interval '1 second'
        from generate_series(1, 60000) as i order by md5(i::text)`
      yield* sql`
        insert into runtime_records (game_id, engine, status, current_container_id, last_op_at)
        select 'elsewhere-' || i, 'host-' || i % 99, 'stopped', lpad(to_hex(i), 64, '0'),
          to_timestamp(${longAgo / 1000}::float8) - i * interval '1 second'
        from generate_series(1, 20000) as i order by md5(i::text)`
      yield* sql`insert into cleanup_engines select 'host-' || i, 'id-' || i, now() from generate_series(0, 98) as i`
      yield* sql`
        insert into game_leases select 'other-' || i, gen_random_uuid(), i, now(), now() from generate_series(1, 20000) as i`
      yield* sql`alter table cleanup_holds set (autovacuum_enabled = off)`
      yield* sql`
        insert into cleanup_holds select 'other-' || i, 'ann', 'why', now(), null from generate_series(1, 2000) as i`
      if (analyzed) yield* sql`analyze`
    })
  ).pipe(Layer.provideMerge(layerStores({ timeout: "1 minute" })), Layer.provide(server))
  const moment = momentAt(longAgo)

  it.layer(layer, { excludeTestServices: true })(
    `the plan for 60 000 records of which ${due} are due, beside 20 000 on 99 other engines, with ${analyzed ? "fresh" : "no"} statistics`,
    (it) => {
      it.effect("event 41: is never compiled, nor would it be by a server that can", () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient
          assert.deepStrictEqual(yield* sql`select current_setting('jit') as jit`, [{ jit: "off" }])
        })
      )

      it.effect(
        "event 41: of every page of what is due is a range of the partial index, read no further than the page",
        () =>
          Effect.gen(function* () {
            const { listDue } = yield* RuntimeRecords
            const first = yield* plansOf(listDue({ moment, after: undefined, limit: pageSize }))
            const second = yield* plansOf(listDue({ moment, after: first.answer.next, limit: pageSize }))
            const third = yield* plansOf(listDue({ moment, after: second.answer.next, limit: pageSize }))
            assert.lengthOf(first.answer.records, pageSize)
            assert.lengthOf(second.answer.records, pageSize)
            assert.lengthOf(third.answer.records, due > 2 * pageSize ? pageSize : 0)
            for (const nodes of [first, second, third].flatMap(({ plans }) => plans)) {
              const [scan, ...others] = scansOf("runtime_records", nodes)
              assert(scan !== undefined, kinds(nodes).join(", "))
              assert.isEmpty(others)
              assert.strictEqual(scan["Index Name"], "runtime_records_engine_stopped", kinds(nodes).join(", "))
              assert.isAtMost(touched(scan), pageSize + few)
              for (const held of scansOf("cleanup_holds", nodes))
                assert.isAtMost(touched(held), few, kinds(nodes).join())
              const ofRecords = nodes.filter((node) => !isOfHolds(node))
              assert.notMatch(kinds(ofRecords).join(), /Sort|Bitmap|Hash|Seq Scan on runtime/)
            }
          })
      )

      it.effect("event 41: of a page of what is stopped is a few ranges of the partial index, for every page", () =>
        Effect.gen(function* () {
          const { listStopped } = yield* RuntimeRecords
          const first = yield* plansOf(listStopped({ after: undefined, limit: pageSize }))
          const second = yield* plansOf(listStopped({ after: first.answer?.next, limit: pageSize }))
          const untimed = yield* plansOf(listStopped({ after: { lastOpAt: null, gameId: "game-1" }, limit: pageSize }))
          assert.deepStrictEqual(
            [first, second, untimed].map(({ answer }) => answer?.records.length),
            [pageSize, pageSize, 0]
          )
          for (const nodes of [first, second, untimed].flatMap(({ plans }) => plans)) {
            const scans = scansOf("runtime_records", nodes)
            for (const scan of scans) {
              assert.strictEqual(scan["Index Name"], "runtime_records_engine_stopped", kinds(nodes).join(", "))
            }
            const rows = scans.reduce((sum, scan) => sum + touched(scan), 0)
            assert.isAtMost(rows, pageSize + few)
          }
        })
      )

      it.effect("event 41: of the backlog's counts looks at what is due, and not at the rest of the table", () =>
        Effect.gen(function* () {
          const { backlog } = yield* RuntimeRecords
          const { answer, plans } = yield* plansOf(backlog(moment))
          assert.strictEqual(answer.due, due)
          assert.lengthOf(plans, 1)
          for (const scan of plans.flatMap((nodes) => scansOf("runtime_records", nodes))) {
            if (touched(scan) <= few) continue
            assert.strictEqual(scan["Index Name"], "runtime_records_engine_stopped", kinds(plans.flat()).join(", "))
            assert.isAtMost(touched(scan), due + few)
          }
        })
      )

      it.effect(
        "event 28: of the witnesses is a range of the partial index and a sample, read no further than needed",
        () =>
          Effect.gen(function* () {
            const { witnesses } = yield* RuntimeRecords
            const { answer, plans } = yield* plansOf(witnesses(moment))
            assert.lengthOf(answer.others, due < stoppedGames ? 10 : 5)
            const scans = plans.flatMap((nodes) => scansOf("runtime_records", nodes))
            assert.deepStrictEqual(
              scans.map((scan) => scan["Index Name"] ?? scan["Node Type"]),
              ["Sample Scan", "runtime_records_engine_stopped", "runtime_records_engine_stopped"]
            )
            for (const scan of scans) assert.isAtMost(touched(scan), 1000)
          })
      )

      it.effect("event 41: of a page of games by their ids goes by the primary key", () =>
        Effect.gen(function* () {
          const { find } = yield* RuntimeRecords
          const ids = Array.from({ length: pageSize }, (_, i) => `game-${i * 7 + 1}`)
          const { answer, plans } = yield* plansOf(find(ids))
          assert.lengthOf(answer.records, pageSize)
          assert.lengthOf(plans, 1)
          for (const nodes of plans) assertByKey(nodes, pageSize)
        })
      )

      it.effect.each([1, 16])(
        "event 41: of %s leases, re-reads and commits together goes by the primary key",
        (count) =>
          Effect.gen(function* () {
            const leases = yield* GameLeases
            const ids = Array.from({ length: count }, (_, i) => 2 * (i + 1) + 100 * count)
            const atOnce = { concurrency: "unbounded" } as const
            const taken = yield* plansOf(Effect.forEach(ids, (i) => leases.acquire(`game-${i}`), atOnce))
            assert.lengthOf(taken.plans, 2)
            const held = taken.answer.map((acquired) => {
              assert(acquired._tag === "Leased" && acquired.record !== undefined)
              return { lease: acquired.lease, record: acquired.record }
            })
            const committed = yield* plansOf(
              Effect.forEach(held, ({ lease, record }) => leases.commit(lease, record, auditRow(record)), atOnce)
            )
            assert.deepStrictEqual(
              committed.answer,
              held.map(() => "committed")
            )
            assert.lengthOf(committed.plans, 1)
            for (const nodes of [...taken.plans, ...committed.plans]) assertByKey(nodes, count)
          })
      )
    }
  )
}
