import { randomUUID } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { StoreFixture } from "../ports/StoreFixture.ts"
import { freshSchema, layerStores, PostgresServer, postgresServer } from "../support/postgres.ts"
import { stopped } from "../support/records.ts"
import { command, type Ended, start } from "../support/service.ts"

const schema = freshSchema()
const layer = Layer.provideMerge(layerStores({ schema }), postgresServer())

/** There is no engine: it hinders no hold. */
const env = Effect.map(PostgresServer, ({ url }) => ({
  RTMANAGER_DATABASE_URL: Redacted.value(url),
  RTMANAGER_DATABASE_SCHEMA: schema,
  DOCKER_HOST: "unix:///nonexistent.sock"
}))

const asking = (...args: ReadonlyArray<string>) => Effect.flatMap(env, (env) => command(args, env))

const said = ({ log }: Ended) => log.map(({ text }) => text ?? "").join("\n")

const ann = ["--author", "ann", "--reason", "the players complain"]

const acts = Effect.flatMap(
  SqlClient,
  (sql) =>
    sql<{ act: string; author: string; result: string }>`select act, author, result from cleanup_acts order by id`
)

const given = Effect.gen(function* () {
  const { clear, put } = yield* StoreFixture
  yield* clear
  yield* (yield* SqlClient)`truncate cleanup_acts`
  yield* put(stopped("game"))
})

it.layer(layer, { excludeTestServices: true, timeout: "60 seconds" })("hold, release and holds", (it) => {
  it.effect("keep a game, say who keeps it until when and why, and let it go", () =>
    Effect.gen(function* () {
      yield* given
      assert.strictEqual((yield* asking("holds")).stdout, "")
      assert.strictEqual((yield* asking("holds", "--json")).stdout, "[]\n")
      const placed = yield* asking("hold", "game", ...ann, "--until", "30d", "--json")
      assert.strictEqual(placed.code, 0)
      const held = JSON.parse(placed.stdout)
      assert.deepInclude(held, { game_id: "game", author: "ann", reason: "the players complain" })
      assert.strictEqual(Date.parse(held.until) - Date.parse(held.placed_at), 30 * 86_400_000)
      const other = yield* asking("hold", "other", "--reason", "why")
      assert.strictEqual(other.code, 0)
      assert.match(other.stdout, /^other is held by \S+@\S+ until released: "why"; there is no record of it yet\n$/)

      const listed = yield* asking("holds")
      assert.match(
        listed.stdout,
        /^game {20} {2}held by ann until [\d-]+T[\d:.]+Z: "the players complain"\nother {21}held by \S+ until released: "why"\n$/
      )
      assert.lengthOf(JSON.parse((yield* asking("holds", "--json")).stdout), 2)
      assert.deepStrictEqual(JSON.parse((yield* asking("holds", "--json", "--limit", "1")).stdout), [held])

      const refused = yield* asking("release", "other", ...ann)
      assert.strictEqual(refused.code, 4)
      assert.match(said(refused), /^ann does not hold other; it is held by \S+ until released: "why"$/m)
      const released = yield* asking("release", "game", ...ann)
      assert.match(released.stdout, /^ann's hold on game ends at [\d-]+T[\d:.]+Z\n$/)
      const [ended] = JSON.parse((yield* asking("release", "other", ...ann, "--all", "--now", "--json")).stdout)
      assert.deepInclude(ended, { game_id: "other", reason: "why" })
      assert.lengthOf(JSON.parse((yield* asking("holds", "--json")).stdout), 1)
      assert.deepStrictEqual(
        (yield* acts).map(({ act, result }) => `${act} ${result}`),
        ["hold done", "hold done", "release refused", "release done", "release done"]
      )
    })
  )

  it.effect.each<readonly [string, ReadonlyArray<string>, RegExp]>([
    ["an end that is over", ["game", ...ann, "--until", "2020-01-01T00:00:00Z"], /--until is in the past/],
    ["an end that is none", ["game", ...ann, "--until", "tomorrow"], /--until is neither a time/],
    ["an end too far", ["game", ...ann, "--until", "40000d"], /--until is more than 100 years away/],
    ["no reason", ["game", "--author", "ann"], /reason/],
    ["an empty reason", ["game", "--author", "ann", "--reason", " "], /reason/],
    ["an empty game", ["", ...ann], /game/]
  ])("refuse %s before anything is done", ([, args, why]) =>
    Effect.gen(function* () {
      yield* given
      const ended = yield* asking("hold", ...args)
      assert.strictEqual(ended.code, 2)
      assert.match(said(ended), why)
      assert.deepStrictEqual(yield* acts, [])
      assert.strictEqual((yield* asking("holds")).stdout, "")
    })
  )

  it.effect("wait for an attempt under way, and say so", () =>
    Effect.gen(function* () {
      yield* given
      yield* (yield* StoreFixture).putLease({ gameId: "game", owner: randomUUID(), token: 1n }, false)
      const running = yield* start(["hold", "game", ...ann], yield* env)
      yield* Effect.repeat(asking("holds"), { until: ({ stdout }) => stdout !== "" })
      yield* (yield* SqlClient)`delete from game_leases`
      const ended = yield* running.ended
      assert.strictEqual(ended.code, 0)
      assert.match(
        said(ended),
        /^somebody has the lease of game, .*: waiting for its end, at most 1m or so; the hold is placed$/m
      )
    })
  )

  it.effect("leave the hold in place if interrupted while waiting, and its act says so", () =>
    Effect.gen(function* () {
      yield* given
      yield* (yield* StoreFixture).putLease({ gameId: "game", owner: randomUUID(), token: 1n }, false)
      const running = yield* start(["hold", "game", ...ann], yield* env)
      yield* Effect.repeat(asking("holds"), { until: ({ stdout }) => stdout !== "" })
      yield* running.signal("SIGINT")
      assert.strictEqual((yield* running.ended).code, 130)
      assert.include((yield* asking("holds")).stdout, "held by ann")
      assert.deepStrictEqual(yield* acts, [{ act: "hold", author: "ann", result: "interrupted" }])
    })
  )

  it.effect("come too late for a game whose container was removed", () =>
    Effect.gen(function* () {
      yield* given
      yield* (yield* StoreFixture).put(stopped("game", { status: "removed" }))
      const ended = yield* asking("hold", "game", ...ann)
      assert.strictEqual(ended.code, 4)
      assert.match(said(ended), /too late: the record is removed, by no operation that is logged/)
      assert.strictEqual((yield* asking("holds")).stdout, "")
      assert.deepStrictEqual(yield* acts, [{ act: "hold", author: "ann", result: "refused" }])
    })
  )
})
