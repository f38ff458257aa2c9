import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Adapter from "../../../src/adapters/postgres/RoleRights.ts"
import { RoleRights } from "../../../src/ports/RoleRights.ts"
import { postgresServer } from "../../support/postgres.ts"
import { layerRole, layerRoles, type Role, schema } from "../../support/roles.ts"

/** What this role lacks, asked by a session of its own. */
const look = (role: Role) =>
  Effect.flatMap(
    Layer.build(Layer.provide(Adapter.layer, layerRole(role))),
    (context) => Context.get(context, RoleRights).look
  )

/** One right of each kind: to a table, to a column, to a sequence. */
const rights: ReadonlyArray<readonly [right: string, on: string]> = [
  ["select", "cleanup_migrations"],
  ["select", "runtime_records"],
  ["insert", "operation_log"],
  ["delete", "game_leases"],
  ["update", "cleanup_engines"],
  ["update (status)", "runtime_records"],
  ["update (result)", "cleanup_acts"],
  ["usage", "sequence game_leases_token"]
]

/** `sequence x` as a statement has it, in the schema. */
const inSchema = (on: string) => on.replace(/\w+$/, `${schema}.$&`)

it.layer(Layer.provideMerge(layerRoles, postgresServer()), { excludeTestServices: true })(
  "the rights of a role of deploy/roles.sql",
  (it) => {
    it.effect("lack nothing for the service", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* look("rtmanager_cleanup"), { role: "rtmanager_cleanup", missing: [] })
      })
    )

    it.effect.each(rights)("lack %s on %s, and nothing else, once it is revoked", ([right, on]) =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* sql.unsafe(`revoke ${right} on ${inSchema(on)} from rtmanager_cleanup`)
        yield* Effect.addFinalizer(() =>
          Effect.orDie(sql.unsafe(`grant ${right} on ${inSchema(on)} to rtmanager_cleanup`))
        )
        assert.deepStrictEqual((yield* look("rtmanager_cleanup")).missing, [`${right} on ${on}`])
      })
    )

    it.effect("lack every right to write for who only reads", () =>
      Effect.gen(function* () {
        const { missing } = yield* look("rtmanager_reader")
        assert.includeMembers(
          [...missing],
          rights.flatMap(([right, on]) => (right === "select" ? [] : [`${right} on ${on}`]))
        )
        assert.deepStrictEqual(
          missing.filter((one) => one.startsWith("select")),
          []
        )
      })
    )
  }
)
