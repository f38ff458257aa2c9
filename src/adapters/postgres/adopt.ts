import { randomUUID } from "node:crypto"
import { Effect, Result } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { rules } from "../../domain/Outcome.ts"
import { printable } from "../../domain/printable.ts"
import { explain, isForeignKey } from "./storeError.ts"
import { accepted, type Column, type Index, type Table } from "./tables.ts"

/** What was done to the schema, and what stands in the way: with any problem, everything is rolled back. */
export interface Adoption {
  readonly schema: string
  readonly changes: Array<string>
  readonly problems: Array<string>
}

const definition = (name: string, column: Column) => `${name} ${column.type} ${column.rest ?? ""}`.trim()

const relationKinds: Record<string, string> = {
  v: "a view",
  m: "a materialized view",
  f: "a foreign table",
  S: "a sequence",
  i: "an index",
  c: "a type"
}

/** Creates the table, or adds to an existing one the columns that it lacks. Nothing that exists is changed. */
export const adoptTable = Effect.fnUntraced(function* (table: Table, { schema, changes, problems }: Adoption) {
  const sql = yield* SqlClient
  const named = sql(`${schema}.${table.name}`)
  const [relation] = yield* sql<{ oid: number; kind: string }>`
    select c.oid, c.relkind::text as kind from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${schema} and c.relname = ${table.name}`
  if (relation === undefined) {
    const columns = Object.entries(table.columns).map(([name, column]) => definition(name, column))
    yield* sql`create table ${named} (${sql.literal(columns.join(", "))})`
    changes.push(`created table ${table.name}`)
    return
  }
  if (relation.kind !== "r" && relation.kind !== "p") {
    problems.push(`${table.name} is ${relationKinds[relation.kind] ?? "something"}, not a table`)
    return
  }
  const existing = yield* sql<{ name: string; type: string; needsValue: boolean }>`
    select attname as name, format_type(atttypid, atttypmod) as type,
      attnotnull and not atthasdef and attidentity = '' as "needsValue"
    from pg_attribute where attrelid = ${relation.oid}::oid and attnum > 0 and not attisdropped`
  const byName = new Map(existing.map((column) => [column.name, column]))

  for (const [name, column] of Object.entries(table.columns)) {
    const found = byName.get(name)
    if (found !== undefined) {
      if (!accepted[column.type].test(found.type)) {
        problems.push(`column ${table.name}.${name} has type ${found.type}, but ${column.type} is needed`)
      }
    } else if (column.essential) {
      problems.push(`table ${table.name} has no column ${name} (${column.type})`)
    } else {
      // Rows that exist, and writers that do not know the column, have no value for it.
      const rest = column.rest?.includes("default") ? column.rest : ""
      yield* sql`alter table ${named} add column ${sql.literal(`${name} ${column.type} ${rest}`)}`
      changes.push(`added column ${table.name}.${name}`)
    }
  }
  if (!table.inserted) return
  for (const { name, needsValue } of existing) {
    const column = table.columns[name]
    const given = column !== undefined && !column.rest?.includes("identity")
    if (needsValue && !given) {
      problems.push(
        `column ${table.name}.${printable(name)} is NOT NULL without a default, and we have no value for it`
      )
    }
  }
})

const loggedCodes = [...new Set(Object.values(rules).flatMap(({ logged }) => logged ?? []))]

/**
 * Whether an existing log takes our rows, whatever its own constraints are: tried out and taken back. A log that refuses
 * them would let containers be removed that can then never be recorded.
 */
export const tryLog = Effect.fnUntraced(function* ({ schema, problems }: Adoption) {
  const sql = yield* SqlClient
  // Of a real game if there is one: the log may refer to the records.
  const [game] = yield* sql<{
    gameId: string
  }>`select game_id as "gameId" from ${sql(`${schema}.runtime_records`)} where game_id is not null limit 1`
  const gameId = game?.gameId ?? "rtmanager-cleanup"
  const trial = sql`
    insert into ${sql(`${schema}.operation_log`)} (game_id, op_kind, op_source, source_ref, container_id, image_ref, outcome, error_code,
      error_message, lease_owner, lease_token, trace_id, started_at, finished_at)
    select ${gameId}::text, 'cleanup_container', 'auto_ttl', 'schedule', null, null, 'success', null, repeat('x', 300),
      ${randomUUID()}::uuid, 9223372036854775807, null, clock_timestamp(), clock_timestamp()
    union all
    select ${gameId}::text, 'cleanup_container', 'auto_ttl', 'schedule', repeat('f', 64), repeat('x', 200), 'failure',
      code, repeat('x', 300), ${randomUUID()}::uuid, 1, repeat('f', 32), clock_timestamp(), clock_timestamp()
    from unnest(string_to_array(${loggedCodes.join(",")}, ',')) as code`
  const outcome = yield* Effect.result(sql.withTransaction(Effect.andThen(trial, Effect.fail("taken back" as const))))
  if (Result.isFailure(outcome) && outcome.failure !== "taken back" && !isForeignKey(outcome.failure)) {
    problems.push(`table operation_log does not take our rows: ${explain(outcome.failure)}`)
  }
})

/** Creates the index unless it is there. Duplicates that hinder a unique one are reported, the first five by name. */
export const adoptIndex = Effect.fnUntraced(function* (index: Index, { schema, changes, problems }: Adoption) {
  const sql = yield* SqlClient
  const table = sql(`${schema}.${index.table}`)
  const condition = index.where === undefined ? "" : ` where ${index.where}`
  // An index of any name will do if it has the same keys and no other condition, such as a primary key's.
  const [found] = yield* sql`
    select 1 from pg_index i join pg_class t on t.oid = i.indrelid join pg_namespace n on n.oid = t.relnamespace
    join pg_class c on c.oid = i.indexrelid
    where n.nspname = ${schema} and t.relname = ${index.table} and i.indisvalid
      and (c.relname = ${index.name} or (i.indisunique = ${index.unique} and ${index.where === undefined}
        and pg_get_indexdef(i.indexrelid) like '%' || ${` USING btree ${index.keys}`}))`
  if (found !== undefined) return
  if (index.unique) {
    const keys = index.keys.slice(1, -1)
    const duplicates = yield* sql<{ keys: string }>`
      select min(concat_ws(', ', ${sql.literal(keys)})) as keys from ${table} ${sql.literal(condition)}
      group by row(${sql.literal(keys)}) having count(*) > 1 limit 5`
    if (duplicates.length > 0) {
      const names = duplicates.map((row) => printable(row.keys)).join("; ")
      problems.push(`table ${index.table} has more than one row with the same ${keys}${condition}: ${names}`)
      return
    }
  }
  const kind = index.unique ? "unique index" : "index"
  yield* sql`create ${sql.literal(kind)} ${sql(index.name)} on ${table} ${sql.literal(index.keys + condition)}`
  changes.push(`created ${kind} ${index.name}`)
})
