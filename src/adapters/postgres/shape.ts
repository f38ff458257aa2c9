import { defaultEscape } from "effect/sql/Statement"
import { printable } from "../../domain/printable.ts"
import type { Found, FoundColumn, FoundIndex } from "./catalog.ts"
import { accepted, type Column, type Index, indexes, sequence, type Table, tables, versions } from "./tables.ts"

/** Something that is missing, and the statement that adds it. */
export interface Step {
  readonly what: string
  readonly done: "created" | "added"
  readonly statement: string
  /** A unique index of a table that could have duplicates. */
  readonly unique?: Index
  /** An index of a table that may be large and in use. It is built outside of a transaction, so that writers do not wait. */
  readonly beside?: BesideStep
}

/** The statements that build an index while its table is written to. */
export interface BesideStep {
  readonly table: string
  readonly create: string
  /** What an interrupted build left behind is dropped first. */
  readonly drop: string
}

/** The differences that we cannot repair, and the steps that add what is missing, in order. */
export interface Shape {
  readonly problems: ReadonlyArray<string>
  readonly steps: ReadonlyArray<Step>
}

export type Relations = ReadonlyMap<string, Found>

/** Every name that must belong to our own relation, or to none. */
export const names = [...tables, ...indexes, versions, { name: sequence }].map(({ name }) => name)

const problem = (text: string): Shape => ({ problems: [text], steps: [] })
const step = (
  what: string,
  done: Step["done"],
  statement: string,
  more: Pick<Step, "unique" | "beside"> = {}
): Shape => ({ problems: [], steps: [{ what, done, statement, ...more }] })
const join = (shapes: ReadonlyArray<Shape>): Shape => ({
  problems: shapes.flatMap(({ problems }) => problems),
  steps: shapes.flatMap(({ steps }) => steps)
})
const nothing = join([])

/** A name with its schema, quoted. */
export const qualified = (schema: string, name: string): string => defaultEscape('"')(`${schema}.${name}`)

const kinds: Readonly<Record<string, string>> = {
  r: "a table",
  p: "a partitioned table",
  v: "a view",
  m: "a materialized view",
  f: "a foreign table",
  S: "a sequence",
  i: "an index",
  I: "an index",
  c: "a type"
}

const isTable = ({ kind }: Found) => kind === "r" || kind === "p"

const volatile = (what: string) => problem(`${what} is unlogged: after a crash the server empties it`)

/** Nullable unless it has a default, because existing rows and older writers have no value for it. */
const added = (schema: string, table: string, name: string, { type, rest }: Column) =>
  step(
    `column ${table}.${name}`,
    "added",
    `alter table ${qualified(schema, table)} add column ${name} ${type}${rest?.includes("default") ? ` ${rest}` : ""}`
  )

const isNumbered = ({ rest }: Column) => rest?.includes("identity") ?? false

const needsValue = ({ hasDefault, identity, notNull }: FoundColumn) => notNull && !hasDefault && identity === ""

/** The problems of an existing column that we know. */
const columnProblems = (table: Table, column: Column, found: FoundColumn): ReadonlyArray<string> => {
  const what = `column ${table.name}.${found.name}`
  const written = table.inserted ? !isNumbered(column) : column.updated
  return [
    !accepted[column.type].test(found.type) && `${what} has type ${found.type}, but ${column.type} is needed`,
    written && found.generated && `${what} is generated, but we write it`,
    written && found.identity === "a" && `${what} is generated always as identity, but we write it`,
    column.rest === "null" && found.notNull && `${what} is NOT NULL, but we write NULL`,
    isNumbered(column) &&
      !found.notNull &&
      !found.hasDefault &&
      found.identity === "" &&
      `${what} has neither a default nor an identity, so nothing numbers our rows`
  ].filter((text) => typeof text === "string")
}

/** Creates the table, or adds the columns that an existing one lacks. */
export const shapeOfTable = (schema: string, table: Table, found: Found | undefined): Shape => {
  if (found === undefined) {
    const columns = Object.entries(table.columns).map(([name, { type, rest = "" }]) => `${name} ${type} ${rest}`.trim())
    return step(
      `table ${table.name}`,
      "created",
      `create table ${qualified(schema, table.name)} (${columns.join(", ")})`
    )
  }
  if (!isTable(found)) return problem(`${table.name} is ${kinds[found.kind] ?? "something"}, not a table`)
  const byName = new Map(found.columns.map((column) => [column.name, column]))
  const unknown = found.columns.filter((column) => {
    const known = table.columns[column.name]
    return needsValue(column) && (known === undefined || /identity|default/.test(known.rest ?? ""))
  })
  return join([
    found.inherited
      ? problem(`table ${table.name} has child tables, and no unique index of it covers their rows`)
      : nothing,
    found.unlogged && table.inserted ? volatile(`table ${table.name}`) : nothing,
    ...Object.entries(table.columns).map(([name, column]) => {
      const present = byName.get(name)
      if (present !== undefined) return { problems: columnProblems(table, column, present), steps: [] }
      return column.essential
        ? problem(`table ${table.name} has no column ${name} (${column.type})`)
        : added(schema, table.name, name, column)
    }),
    ...(table.inserted ? unknown : []).map(({ name }) =>
      problem(`column ${table.name}.${printable(name)} is NOT NULL without a default, and we have no value for it`)
    )
  ])
}

const shapeOfSequence = (schema: string, found: Found | undefined): Shape => {
  if (found === undefined) {
    return step(`sequence ${sequence}`, "created", `create sequence ${qualified(schema, sequence)}`)
  }
  if (found.kind !== "S") return problem(`${sequence} is ${kinds[found.kind] ?? "something"}, not a sequence`)
  if (found.unlogged) return volatile(`sequence ${sequence}`)
  return found.endless ? nothing : problem(`sequence ${sequence} does not count through all of bigint`)
}

/** Normalizes a condition or a key, ours or as the server prints it: no casts, no parentheses, terms sorted. */
const terms = (expression: string | null | undefined): string =>
  (expression ?? "")
    .replaceAll(/::(character varying|[a-z]+)(\(\d+\))?|[()]/g, "")
    .replaceAll(/ IS (NOT )?NULL|COALESCE/g, (word) => word.toLowerCase())
    .split(/\s+and\s+/i)
    .map((term) => term.trim())
    .sort()
    .join(" and ")

const fits = (index: Index, found: FoundIndex): boolean =>
  found.table === index.table &&
  found.unique === index.unique &&
  found.plain &&
  found.keys.map(terms).join() === index.keys.map(terms).join() &&
  terms(found.where) === terms(index.where)

const kindOf = ({ unique }: Index) => (unique ? "unique index" : "index")

/** An index's keys and condition, as in `create index`. */
export const onWhat = ({ include, keys, where }: Index): string =>
  [
    `(${keys.join(", ")})`,
    ...(include === undefined ? [] : [`include (${include})`]),
    ...(where === undefined ? [] : [`where ${where}`])
  ].join(" ")

/** Creates the index, unless there is one of the same shape, whatever its name. */
export const shapeOfIndex = (
  schema: string,
  index: Index,
  relations: Relations,
  found: ReadonlyArray<FoundIndex>
): Shape => {
  const what = `${kindOf(index)} ${index.name}`
  const table = relations.get(index.table)
  const create = (how: string) =>
    `create ${kindOf(index)} ${how}${index.name} on ${qualified(schema, index.table)} ${onWhat(index)}`
  const beside = {
    table: index.table,
    create: create("concurrently "),
    drop: `drop index concurrently if exists ${qualified(schema, index.name)}`
  }
  const isPrimary = tables
    .find(({ name }) => name === index.table)
    ?.columns[index.keys.join()]?.rest?.includes("primary key")
  if (table === undefined && isPrimary) return nothing
  if (found.some((one) => one.usable && fits(index, one))) return nothing

  const namesake = found.find(({ name }) => name === index.name)
  // Left by a build beside the table's use that was interrupted.
  const isUnfinished = namesake !== undefined && !index.unique && table?.kind === "r" && fits(index, namesake)
  if (namesake !== undefined && !isUnfinished) {
    return problem(
      fits(index, namesake)
        ? `${what} is invalid or deferrable: drop it or build it again`
        : `${what} must be on ${index.table} ${onWhat(index)}, but there is: ${printable(namesake.definition)}`
    )
  }
  const other = relations.get(index.name)
  if (other !== undefined && !isUnfinished) {
    const kind = /i/i.test(other.kind) ? "an index of another table" : (kinds[other.kind] ?? "something")
    return problem(`${index.name} is ${kind}, not an index of ${index.table}`)
  }
  if (table === undefined) return step(what, "created", create(""))
  const columns = new Set(table.columns.map(({ name }) => name))
  if (!isTable(table) || !essentials(index.table).every((name) => columns.has(name))) return nothing
  if (index.unique && !table.partitionKey.every((name) => index.keys.includes(name))) {
    const key = table.partitionKey.map((name) => name || "an expression").join(", ")
    return problem(
      `table ${index.table} cannot take the ${what} on ${onWhat(index)}: it is partitioned by ${printable(key)}, ` +
        "and a unique index of a partitioned table must include the partition key"
    )
  }
  const mayRepeat = index.unique && index.keys.every((name) => columns.has(name) || !/^\w+$/.test(name))
  return step(what, "created", create(""), {
    ...(mayRepeat && { unique: index }),
    // No index of a partitioned table can be built in this way.
    ...(!index.unique && table.kind === "r" && { beside })
  })
}

const essentials = (table: string): ReadonlyArray<string> =>
  Object.entries(tables.find(({ name }) => name === table)?.columns ?? {}).flatMap(([name, column]) =>
    column.essential ? [name] : []
  )

/** The whole schema, except a missing table of versions, which the Migrator makes. */
export const shapeOf = (schema: string, relations: Relations, found: ReadonlyArray<FoundIndex>): Shape =>
  join([
    ...tables.map((table) => shapeOfTable(schema, table, relations.get(table.name))),
    { problems: versionProblems(schema, relations), steps: [] },
    shapeOfSequence(schema, relations.get(sequence)),
    ...indexes.map((index) => shapeOfIndex(schema, index, relations, found))
  ])

/** Why the recorded versions cannot be read or added to. */
export const versionProblems = (schema: string, relations: Relations): ReadonlyArray<string> =>
  shapeOfTable(schema, versions, relations.get(versions.name)).problems
