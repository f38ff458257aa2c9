import { readFile } from "node:fs/promises"
import { assert } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Database from "../../src/adapters/postgres/Database.ts"
import { serverAt } from "../../src/config/databaseUrl.ts"
import { layerStores, PostgresServer } from "./postgres.ts"

/** The schema that `deploy/roles.sql` speaks of. */
export const schema = "rtmanager"

export const roles = ["rtmanager_cleanup", "rtmanager_reader"] as const
export type Role = (typeof roles)[number]

/** Each begins at the start of a line. */
const statements = (await readFile("deploy/roles.sql", "utf8"))
  .replaceAll(/^--.*$/gm, "")
  .split(/;\n(?=\S|\n|$)/)
  .map((statement) => statement.trim())
  .filter((statement) => statement !== "")

export const run = Effect.fnUntraced(function* (statements: ReadonlyArray<string>) {
  const sql = yield* SqlClient
  yield* Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
})

/** Migrated by one role; the others' rights are given twice, as after each migration. */
export const layerRoles = Layer.effectDiscard(
  Effect.gen(function* () {
    const sql = yield* SqlClient
    assert.deepStrictEqual([statements.at(0), statements.at(-1)], ["begin", "commit"])
    const { password } = serverAt((yield* PostgresServer).url)
    const login = password ? `login password '${Redacted.value(password).replaceAll("'", "''")}'` : "login"
    const give = run(statements.slice(1, -1))
    // Roles belong to the whole server, where other test files may be doing the same.
    const once = run(["lock table pg_authid in share row exclusive mode"])
    yield* sql.withTransaction(Effect.all([once, give, run(roles.map((role) => `alter role ${role} ${login}`))]))
    yield* sql.withTransaction(give)
  })
).pipe(Layer.provideMerge(layerStores({ schema })))

/** Connections of this role to the same schema. */
export const layerRole = (role: Role) =>
  Layer.unwrap(
    Effect.map(PostgresServer, ({ url }) =>
      Database.layer({
        server: { ...serverAt(url), user: role },
        schema,
        pool: 10,
        timeout: "5 seconds"
      })
    )
  )
