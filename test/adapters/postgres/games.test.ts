import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { GamePlace } from "../../../src/domain/GameCursor.ts"
import { type GameState, gameStates } from "../../../src/domain/GamePage.ts"
import { type GamesQuery, Overview } from "../../../src/ports/Overview.ts"
import { type Node, plansOf, touched } from "../../support/explain.ts"
import { layerStores, postgresServer } from "../../support/postgres.ts"
import { longAgo, momentAt } from "../../support/records.ts"

const server = postgresServer()

const moment = momentAt(longAgo)
/** How many rows of an index a page looks at. */
const window = 500
/** How many rows more than it needs a scan may look at. */
const few = 3

const bytes = (text: string) => Buffer.from(text).toString("hex")

const scans = (plans: ReadonlyArray<ReadonlyArray<Node>>) =>
  plans.flat().filter((node) => /(Index|Seq|Bitmap).*Scan/.test(node["Node Type"]) && touched(node) > few)

const named = (nodes: ReadonlyArray<Node>) =>
  nodes
    .map((node) => `${node["Index Name"] ?? node["Relation Name"] ?? node["Node Type"]}: ${touched(node)}`)
    .join(", ")

const cases = ["few", "many"].flatMap((due) => [true, false].map((analyzed) => ({ due, analyzed })))

/** 120 000 stopped games on three engines, a third of them with a backoff, and many with two holds. */
const fill = Effect.fnUntraced(function* (due: number, analyzed: boolean) {
  const sql = yield* SqlClient
  for (const table of ["runtime_records", "cleanup_backoff", "cleanup_holds"]) {
    yield* sql`alter table ${sql(table)} set (autovacuum_enabled = off)`
  }
  yield* sql`
    insert into runtime_records (game_id, engine, status, current_container_id, last_op_at)
    select 'game-' || i, case i % 3 when 0 then null else 'host-' || i % 3 end, case when i % 5 = 0 then 'running' else 'stopped' end,
      lpad(to_hex(i), 64, '0'), to_timestamp(${longAgo / 1000}::float8) + (i - ${due}::int) * interval '1 second'
    from generate_series(1, 150000) as i order by md5(i::text)`
  yield* sql`
    insert into cleanup_backoff select 'game-' || i, 1 + i % 12, '2030-01-01', 'engine_error'
    from generate_series(1, 150000, 3) as i order by md5(i::text)`
  yield* sql`
    insert into cleanup_holds select 'game-' || i, author, 'why', now(), case when i % 7 = 0 then now() end
    from generate_series(1, 150000, 4) as i cross join unnest('{ann,zoe}'::text[]) as author order by md5(i::text)`
  if (analyzed) yield* sql`analyze`
})

const indexes: Record<GameState, string> = {
  due: "runtime_records_engine_stopped",
  stopped: "runtime_records_engine_stopped",
  backing_off: "cleanup_backoff_pkey",
  stuck: "cleanup_backoff_pkey",
  held: "cleanup_holds_game_author"
}

for (const { analyzed, due } of cases) {
  const layer = Layer.effectDiscard(fill(due === "few" ? 1000 : 140_000, analyzed)).pipe(
    Layer.provideMerge(layerStores({ timeout: "1 minute" })),
    Layer.provide(server)
  )

  it.layer(layer, { excludeTestServices: true })(
    `the pages of 120 000 games of which ${due} are due, with ${analyzed ? "fresh" : "no"} statistics`,
    (it) => {
      it.effect.each(
        gameStates.flatMap((state) => [undefined, "default", "host-2"].map((engine) => ({ state, engine })))
      )("look at a window of one index, wherever they begin: %j", ({ engine, state }) =>
        Effect.gen(function* () {
          const { games } = yield* Overview
          const query = { state, engine, limit: 50, moment }
          const page = (after: GamePlace | undefined) => plansOf(games({ ...query, after }))
          const first = yield* page(undefined)
          const [game] = first.answer?.games ?? []
          const middle = {
            ...{ state, engine: bytes("host-1"), gameId: bytes("game-5") },
            lastOpAt: String(BigInt(longAgo) * 1000n - 500_000_000n)
          }
          const pages = [first, yield* page(first.answer?.next), yield* page(middle)]
          for (const { answer, plans } of pages) {
            assert.isAtMost(answer?.games.length ?? 0, 50)
            assert.lengthOf(plans, 1)
            const found = scans(plans)
            for (const scan of found) assert.isAtMost(touched(scan), window + few, named(found))
            const [source] = plans.flat().filter((node) => node["Index Name"] === indexes[state])
            assert.isDefined(source, named(found))
          }
          if (state === "due" || state === "stopped") assert.isDefined(game)
        })
      )
    }
  )
}

const everyGame = Effect.fnUntraced(function* (query: Pick<GamesQuery, "state" | "engine" | "limit">) {
  const { games } = yield* Overview
  const ids: Array<string> = []
  for (let after: GamePlace | undefined, pages = 1; ; pages++) {
    const page: Effect.Success<ReturnType<typeof games>> = yield* games({ ...query, moment, after })
    assert(page !== undefined)
    ids.push(...page.games.map(({ gameId }) => gameId))
    if (page.next === undefined) return { ids, pages }
    after = page.next
  }
})

it.layer(Layer.provide(layerStores({ timeout: "1 minute" }), server), { excludeTestServices: true })(
  "the pages of games",
  (it) => {
    it.effect("pass over what is not due on one engine to what is due on the next", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* sql`
          insert into runtime_records (game_id, engine, status, last_op_at)
          select engine || '-' || i, engine, 'stopped',
            to_timestamp(${longAgo / 1000}::float8) + case when i < 3 then -i else 1 end * interval '1 second'
          from generate_series(1, 5000) as i cross join unnest('{a,b,c}'::text[]) as engine`
        const { ids, pages } = yield* everyGame({ state: "due", engine: undefined, limit: 50 })
        assert.deepStrictEqual(ids, ["a-2", "a-1", "b-2", "b-1", "c-2", "c-1"])
        assert.isAtMost(pages, 4)
        yield* sql`delete from runtime_records`
      })
    )

    it.effect("have the games with an infinite time or none, each once", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* sql`alter table runtime_records alter last_op_at drop not null`
        const times = ["-infinity", "-infinity", "2020-01-01", "2021-01-01", "infinity", "infinity", null, null]
        for (const engine of ["a", "b"]) {
          for (const [i, time] of times.entries()) {
            yield* sql`insert into runtime_records (game_id, engine, status, last_op_at)
              values (${`${engine}${i}`}, ${engine}, 'stopped', ${time}::text::timestamptz)`
          }
        }
        const namesOf = (engine: string) => times.map((_, i) => `${engine}${i}`)
        for (const limit of [1, 3, 500]) {
          const one = yield* everyGame({ state: "stopped", engine: "a", limit })
          assert.deepStrictEqual(one.ids, namesOf("a"))
          const all = yield* everyGame({ state: "stopped", engine: undefined, limit })
          assert.deepStrictEqual(all.ids, [...namesOf("a"), ...namesOf("b")])
          const due = yield* everyGame({ state: "due", engine: undefined, limit })
          assert.deepStrictEqual(due.ids, ["a2", "a3", "b2", "b3"])
        }
        yield* sql`delete from runtime_records`
      })
    )

    it.effect("go on after a game with more holds than a page looks at", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        for (const game of ["a", "b", "c"]) {
          yield* sql`insert into runtime_records (game_id, status, last_op_at) values (${game}, 'stopped', now())`
        }
        yield* sql`
          insert into cleanup_holds select game, 'author-' || i, 'why', now(), case when i < 1200 then now() end
          from generate_series(1, 1200) as i cross join unnest('{a,b,c}'::text[]) as game`
        assert.deepStrictEqual((yield* everyGame({ state: "held", engine: undefined, limit: 50 })).ids, ["a", "b", "c"])
        yield* sql`delete from runtime_records`
      })
    )
  }
)
