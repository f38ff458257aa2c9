import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"

/** A column as it is. */
export interface FoundColumn {
  readonly name: string
  readonly type: string
  readonly notNull: boolean
  readonly hasDefault: boolean
  /** `a` for `generated always as identity`, `d` for `by default`, else empty. */
  readonly identity: string
  readonly generated: boolean
}

/** A relation of any kind, because all kinds share one namespace. */
export interface Found {
  readonly name: string
  /** `pg_class.relkind`. */
  readonly kind: string
  /** Emptied by the server after a crash. */
  readonly unlogged: boolean
  /** Has children other than partitions. No index of the table covers their rows. */
  readonly inherited: boolean
  /** The columns of the partition key, empty for an expression. */
  readonly partitionKey: ReadonlyArray<string>
  /** A sequence that counts up through all of `bigint`. */
  readonly endless: boolean
  readonly columns: ReadonlyArray<FoundColumn>
}

export interface FoundIndex {
  readonly name: string
  readonly table: string
  readonly unique: boolean
  /** Valid, and checked as each row is written. */
  readonly usable: boolean
  /** A B-tree in its columns' own order, ascending. An expression is taken to have the order of one of the columns. */
  readonly plain: boolean
  readonly keys: ReadonlyArray<string>
  readonly where: string | null
  readonly definition: string
}

/** The relations with these names, by name. Reads only system tables, so it never waits for a lock. */
export const readRelations = Effect.fnUntraced(function* (schema: string, names: ReadonlyArray<string>) {
  const sql = yield* SqlClient
  const relations = yield* sql<Omit<Found, "columns">>`
    select c.relname::text as name, c.relkind::text as kind, c.relpersistence = 'u' as unlogged,
      c.relkind = 'r' and exists (select from pg_catalog.pg_inherits where inhparent = c.oid) as inherited,
      array(
        select coalesce(a.attname::text, '')
        from pg_catalog.pg_partitioned_table as p cross join unnest(p.partattrs::int2[]) as key
          left join pg_catalog.pg_attribute as a on a.attrelid = p.partrelid and a.attnum = key
        where p.partrelid = c.oid
      ) as "partitionKey",
      coalesce(s.seqmax = 9223372036854775807 and s.seqincrement > 0 and not s.seqcycle, false) as endless
    from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
      left join pg_catalog.pg_sequence as s on s.seqrelid = c.oid
    where n.nspname = ${schema} and c.relname in ${sql.in(names)}`
  const columns = yield* sql<FoundColumn & { readonly relation: string }>`
    select c.relname::text as relation, a.attname::text as name, format_type(a.atttypid, a.atttypmod) as type,
      a.attnotnull as "notNull", a.atthasdef as "hasDefault", a.attidentity::text as identity,
      a.attgenerated <> '' as generated
    from pg_catalog.pg_attribute as a join pg_catalog.pg_class as c on c.oid = a.attrelid
      join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = ${schema} and c.relname in ${sql.in(names)} and a.attnum > 0 and not a.attisdropped
    order by a.attnum`
  return new Map(
    relations.map((relation) => [
      relation.name,
      { ...relation, columns: columns.filter((column) => column.relation === relation.name) } satisfies Found
    ])
  )
})

/** Every index of these tables. */
export const readIndexes = Effect.fnUntraced(function* (schema: string, tables: ReadonlyArray<string>) {
  const sql = yield* SqlClient
  return yield* sql<FoundIndex>`
    select c.relname::text as name, t.relname::text as table, i.indisunique as unique,
      i.indisvalid and i.indisready and i.indimmediate as usable,
      m.amname = 'btree' and not exists (
        select from generate_series(0, i.indnkeyatts - 1) as k
          left join pg_catalog.pg_opclass as o on o.oid = i.indclass[k]
          left join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[k]
        where i.indoption[k] <> 0 or not coalesce(i.indcollation[k] = a.attcollation, i.indcollation[k] = 0 or exists (
          select from pg_catalog.pg_attribute as c where c.attrelid = i.indrelid and c.attcollation = i.indcollation[k]
        )) or not exists (
          select from pg_catalog.pg_opclass as d where d.opcfamily = o.opcfamily and d.opcdefault
        )
      ) as plain,
      array(select pg_get_indexdef(c.oid, k, true) from generate_series(1, i.indnkeyatts) as k order by k) as keys,
      pg_get_expr(i.indpred, i.indrelid, true) as where,
      pg_get_indexdef(c.oid) as definition
    from pg_catalog.pg_index as i join pg_catalog.pg_class as c on c.oid = i.indexrelid
      join pg_catalog.pg_am as m on m.oid = c.relam join pg_catalog.pg_class as t on t.oid = i.indrelid
      join pg_catalog.pg_namespace as n on n.oid = t.relnamespace
    where n.nspname = ${schema} and t.relname in ${sql.in(tables)}
    order by c.relname`
})
