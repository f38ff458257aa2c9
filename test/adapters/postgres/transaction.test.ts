import { assert, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { isSqlError } from "effect/sql/SqlError"
import { inTransaction, rolledBack } from "../../../src/adapters/postgres/transaction.ts"
import { makePostgresProxy } from "../../support/PostgresProxy.ts"
import { layerDatabase, PostgresServer, postgresServer } from "../../support/postgres.ts"

/** A connection that is cut while the statement `select 'cut'` is on its way. */
const breakable = Effect.gen(function* () {
  const proxy = yield* makePostgresProxy((yield* PostgresServer).url, ({ side, what }) =>
    side === "before" && what.includes("'cut'") ? "cut" : "pass"
  )
  return Context.get(yield* Layer.build(layerDatabase("any", { url: proxy.url })), SqlClient)
})

const cut = (sql: SqlClient) => sql`select 'cut'`

it.layer(postgresServer(), { excludeTestServices: true })("a transaction whose connection is lost", (it) => {
  it.effect.each([
    ["its work fails by that", (sql: SqlClient) => inTransaction(sql, cut(sql))],
    [
      "its work fails by something else after it",
      (sql: SqlClient) => inTransaction(sql, Effect.andThen(Effect.ignore(cut(sql)), Effect.fail("else")))
    ],
    ["its work is to be taken back", (sql: SqlClient) => rolledBack(sql, cut(sql))]
  ] as const)("event 17: fails, and is no bug, where %s", ([, run]) =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit<unknown, unknown, never>(run(yield* breakable))
      assert(Exit.isFailure(exit) && !Exit.hasDies(exit), String(exit))
      assert.isTrue(isSqlError(yield* Effect.flip(exit)))
    })
  )

  it.effect("event 17: gives back what its work failed with while the connection holds", () =>
    Effect.gen(function* () {
      const sql = yield* breakable
      assert.strictEqual(yield* Effect.flip(inTransaction(sql, Effect.fail("mine"))), "mine")
      assert.strictEqual(yield* Effect.flip(rolledBack(sql, Effect.fail("mine"))), "mine")
      assert.isTrue(Exit.hasDies(yield* Effect.exit(inTransaction(sql, Effect.die("bug")))))
    })
  )
})
