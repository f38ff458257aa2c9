import type { SqlClient } from "effect/sql/SqlClient"
import type { EngineName } from "../../domain/EngineName.ts"
import type { UnknownEngine } from "../../ports/RuntimeRecords.ts"
import { engineColumn, sendable } from "./rows.ts"

/**
 * The engines that only stopped records name, each found in a range of the index between two names that are known (the
 * `offset` keeps the planner from reading all rows and comparing each with the names). This service's own name counts as
 * known before its first pass.
 */
export const unknownEngines = (
  sql: SqlClient,
  { engineName, quotedSchema }: { readonly engineName: EngineName; readonly quotedSchema: string }
) => {
  const schema = sql.literal(quotedSchema)
  const engine = sql.literal(engineColumn)
  const stopped = sql`select ${engine} as name from ${schema}.runtime_records where status = 'stopped' and game_id is not null`
  return sql<UnknownEngine>`
    with names as (
      select name, lead(name) over (order by name) as next
      from (select name from ${schema}.cleanup_engines union select ${engineName}::text) as known
    ), strays as (
      select stray.name from names cross join lateral (
        ${stopped} and ${engine} > names.name and ${engine} < names.next offset 0
      ) as stray
      union all ${stopped} and ${engine} < (select min(name) from names)
      union all ${stopped} and ${engine} > (select max(name) from names)
    )
    select ${sql.literal(sendable("name"))} as name, count(*)::int as stopped from strays
    group by strays.name order by stopped desc, name limit 100`
}
