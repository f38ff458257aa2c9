import { engineColumn } from "./rows.ts"

/** The types that an existing column can have, as `format_type` spells them. */
export const accepted = {
  text: /^(text|character varying(\(\d+\))?)$/,
  uuid: /^uuid$/,
  bigint: /^bigint$/,
  integer: /^integer$/,
  timestamptz: /^timestamp(\(\d\))? with time zone$/
}

export interface Column {
  readonly type: keyof typeof accepted
  /** The text after the type when we create the table. */
  readonly rest?: string
  /** A table without this column is not the table we mean, so the column is never added to an existing one. */
  readonly essential?: true
  /** Written to rows that others insert. */
  readonly updated?: true
}

export interface Table {
  readonly name: string
  readonly columns: Readonly<Record<string, Column>>
  /** We insert rows, so no unknown column can require a value. */
  readonly inserted: boolean
}

export interface Index {
  readonly name: string
  readonly table: string
  readonly unique: boolean
  readonly keys: ReadonlyArray<string>
  /** A column that the index holds besides, so that rows can be counted without looking at the table. */
  readonly include?: string
  /** The condition of a partial index: terms joined by `and`. */
  readonly where?: string
}

const text: Column = { type: "text" }
const requiredText: Column = { type: "text", rest: "not null" }
const timestamp: Column = { type: "timestamptz" }
const requiredTimestamp: Column = { type: "timestamptz", rest: "not null" }
const key: Column = { type: "text", rest: "primary key", essential: true }
const essential = (column: Column): Column => ({ ...column, essential: true })
/** We write NULL. */
const nullable = (type: Column["type"]): Column => ({ type, rest: "null" })
const [nullableText, nullableTimestamp, nullableInteger] = [
  nullable("text"),
  nullable("timestamptz"),
  nullable("integer")
]
const requiredInteger: Column = { type: "integer", rest: "not null" }
const updated = (column: Column): Column => ({ ...column, updated: true })

/** The versions of the schema, as Effect's Migrator records them. The Migrator creates the table itself. */
export const versions: Table = {
  name: "cleanup_migrations",
  inserted: true,
  columns: {
    migration_id: essential({ type: "integer", rest: "primary key" }),
    created_at: essential({ type: "timestamptz", rest: "not null default now()" }),
    name: essential(requiredText)
  }
}

/** Numbers the leases, in all of `bigint`. */
export const sequence = "game_leases_token"

export const tables: ReadonlyArray<Table> = [
  {
    name: "runtime_records",
    inserted: false,
    columns: {
      game_id: key,
      status: updated(essential(requiredText)),
      current_container_id: essential(text),
      current_image_ref: text,
      engine: text,
      last_op_at: updated(essential(requiredTimestamp)),
      started_at: timestamp,
      stopped_at: timestamp,
      removed_at: updated(timestamp),
      created_at: { type: "timestamptz", rest: "not null default now()" }
    }
  },
  {
    name: "operation_log",
    inserted: true,
    columns: {
      id: { type: "bigint", rest: "generated always as identity primary key", essential: true },
      game_id: essential(requiredText),
      op_kind: essential(requiredText),
      op_source: requiredText,
      source_ref: text,
      container_id: text,
      image_ref: text,
      outcome: essential(requiredText),
      error_code: text,
      error_message: text,
      lease_owner: { type: "uuid" },
      lease_token: { type: "bigint" },
      trace_id: text,
      started_at: requiredTimestamp,
      finished_at: requiredTimestamp
    }
  },
  {
    name: "game_leases",
    inserted: true,
    columns: {
      game_id: key,
      owner: { type: "uuid", rest: "not null", essential: true },
      token: { type: "bigint", rest: "not null", essential: true },
      acquired_at: essential(requiredTimestamp),
      expires_at: essential(requiredTimestamp)
    }
  },
  {
    name: "cleanup_engines",
    inserted: true,
    columns: {
      name: key,
      identity: essential(requiredText),
      accepted_at: essential(requiredTimestamp),
      braked_at: nullableTimestamp,
      last_pass_at: nullableTimestamp,
      last_seen_at: nullableTimestamp,
      retention_millis: nullable("bigint")
    }
  },
  {
    name: "cleanup_backoff",
    inserted: true,
    columns: {
      game_id: key,
      attempts: essential(requiredInteger),
      next_attempt_at: essential(requiredTimestamp),
      last_error: essential(requiredText)
    }
  },
  {
    name: "cleanup_acts",
    inserted: true,
    columns: {
      id: { type: "bigint", rest: "generated always as identity primary key", essential: true },
      act: essential(requiredText),
      target: essential(nullableText),
      author: essential(requiredText),
      reason: essential(requiredText),
      asked_at: essential(requiredTimestamp),
      ended_at: essential(nullableTimestamp),
      result: essential(nullableText),
      message: essential(nullableText),
      idempotency_key: nullableText,
      request_hash: nullableText
    }
  },
  {
    name: "cleanup_holds",
    inserted: true,
    columns: {
      game_id: essential(requiredText),
      author: essential(requiredText),
      reason: essential(requiredText),
      placed_at: essential(requiredTimestamp),
      until: essential(nullableTimestamp)
    }
  },
  {
    name: "cleanup_pause",
    inserted: true,
    columns: {
      engine: key,
      author: essential(requiredText),
      reason: essential(requiredText),
      paused_at: essential(requiredTimestamp),
      until: essential(nullableTimestamp)
    }
  },
  {
    name: "cleanup_passes",
    inserted: true,
    columns: {
      id: { type: "uuid", rest: "primary key", essential: true },
      engine: essential(requiredText),
      trigger: essential(requiredText),
      owner: essential({ type: "uuid", rest: "not null" }),
      started_at: essential(requiredTimestamp),
      updated_at: essential(requiredTimestamp),
      ended_at: essential(nullableTimestamp),
      result: essential(nullableText),
      reason: essential(nullableText),
      message: essential(nullableText),
      due: essential(nullableInteger),
      listed: essential(requiredInteger),
      removed: essential(requiredInteger),
      already_absent: essential(requiredInteger),
      conflict: essential(requiredInteger),
      failed: essential(requiredInteger),
      lag_max_millis: nullable("bigint")
    }
  }
]

export const indexes: ReadonlyArray<Index> = [
  // An existing table can lack its primary key. Then one commit would move both records of a game that has two.
  { name: "runtime_records_game_id", table: "runtime_records", unique: true, keys: ["game_id"] },
  { name: "game_leases_game_id", table: "game_leases", unique: true, keys: ["game_id"] },
  { name: "cleanup_backoff_game_id", table: "cleanup_backoff", unique: true, keys: ["game_id"] },
  {
    name: "runtime_records_engine_stopped",
    table: "runtime_records",
    unique: false,
    keys: [engineColumn, "last_op_at", "game_id"],
    include: "engine",
    where: "status = 'stopped'"
  },
  {
    name: "operation_log_cleanup_success",
    table: "operation_log",
    unique: true,
    keys: ["game_id", "container_id"],
    where: "op_kind = 'cleanup_container' and outcome = 'success' and container_id is not null"
  },
  // The game's last row decides whether a failure is written again.
  {
    name: "operation_log_cleanup_last",
    table: "operation_log",
    unique: false,
    keys: ["game_id", "id"],
    where: "op_kind = 'cleanup_container'"
  },
  // An existing table can lack its primary key. Two services that remember an engine at the same time agree on one.
  { name: "cleanup_engines_name", table: "cleanup_engines", unique: true, keys: ["name"] },
  // Two services with different names over one engine would each call the other's containers absent.
  { name: "cleanup_engines_identity", table: "cleanup_engines", unique: true, keys: ["identity"] },
  { name: "cleanup_holds_game_author", table: "cleanup_holds", unique: true, keys: ["game_id", "author"] },
  { name: "cleanup_pause_engine", table: "cleanup_pause", unique: true, keys: ["engine"] },
  // A plan is applied once: an application that was refused before it began does not count.
  {
    name: "cleanup_acts_plan",
    table: "cleanup_acts",
    unique: true,
    keys: ["target"],
    where: "act = 'plan_apply' and coalesce(result, '') <> 'refused'"
  },
  // A request that comes twice is one act.
  {
    name: "cleanup_acts_key",
    table: "cleanup_acts",
    unique: true,
    keys: ["author", "idempotency_key"],
    where: "idempotency_key is not null"
  },
  { name: "cleanup_acts_target", table: "cleanup_acts", unique: false, keys: ["target", "id"] },
  { name: "cleanup_passes_id", table: "cleanup_passes", unique: true, keys: ["id"] },
  { name: "cleanup_passes_started", table: "cleanup_passes", unique: false, keys: ["started_at"] },
  // What passes came to, hour by hour.
  { name: "cleanup_passes_updated", table: "cleanup_passes", unique: false, keys: ["updated_at"] },
  // Those under way, however long ago they began, and those that were killed.
  {
    name: "cleanup_passes_unended",
    table: "cleanup_passes",
    unique: false,
    keys: ["started_at"],
    where: "ended_at is null"
  },
  // What became of games lately: all successes, or all failures, newest first.
  {
    name: "operation_log_cleanup_outcome",
    table: "operation_log",
    unique: false,
    keys: ["outcome", "finished_at", "id"],
    where: "op_kind = 'cleanup_container'"
  }
]
