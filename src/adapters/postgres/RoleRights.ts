import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { RoleRights } from "../../ports/RoleRights.ts"
import { Database } from "./Database.ts"
import { question } from "./run.ts"
import { sequence } from "./tables.ts"

const select = ["select"]
const all = ["select", "insert", "update", "delete"]

/** What `deploy/roles.sql` gives the service's role: of a table, or of the columns that are named. */
const tableRights: Readonly<Record<string, ReadonlyArray<string>>> = {
  runtime_records: select,
  operation_log: ["select", "insert"],
  game_leases: all,
  cleanup_backoff: all,
  cleanup_engines: ["select", "insert", "update"],
  cleanup_acts: ["select", "insert"],
  cleanup_holds: all,
  cleanup_pause: all,
  cleanup_passes: ["select", "insert", "update", "delete"],
  cleanup_migrations: select
}
const updatedColumns: Readonly<Record<string, ReadonlyArray<string>>> = {
  runtime_records: ["status", "removed_at", "last_op_at"],
  cleanup_acts: ["result", "message", "ended_at"]
}

const needed = [
  ...Object.entries(tableRights).flatMap(([name, rights]) => rights.map((right) => ({ name, right, column: null }))),
  ...Object.entries(updatedColumns).flatMap(([name, columns]) =>
    columns.map((column) => ({ name, right: "update", column }))
  )
]

const make = Effect.gen(function* () {
  const { quotedSchema, run } = yield* Database
  const sql = yield* SqlClient
  return RoleRights.of({
    look: Effect.map(
      run(
        "lookAtRights",
        question,
        sql<{ role: string; missing: ReadonlyArray<string> }>`
          with needed as (
            select * from json_to_recordset(${JSON.stringify(needed)}::json) as needed (name text, "right" text, "column" text)
          ), found as (
            select needed.*, to_regclass(${`${quotedSchema}.`}::text || name) as oid from needed
          )
          select current_user as role, array(
            select case when "column" is null then "right" else "right" || ' (' || "column" || ')' end || ' on ' || name from found
            where not coalesce(case when "column" is null then has_table_privilege(oid, "right")
              else has_column_privilege(oid, "column", "right") end, false)
            union all
            select 'usage on sequence ' || ${sequence}::text
            where not coalesce(has_sequence_privilege(to_regclass(${`${quotedSchema}.${sequence}`}::text), 'usage'), false)
          ) as missing`
      ),
      ([row]) => row ?? { role: "", missing: [] }
    )
  })
})

/** By the catalog: what a row security policy or a trigger forbids shows only when it is tried. */
export const layer = Layer.effect(RoleRights, make)
