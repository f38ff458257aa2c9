import { Schema } from "effect"

/** The fields of an engine that have another name in JSON. */
export const engineKeys = {
  engineId: "engine_id",
  acceptedAt: "accepted_at",
  lastPassAt: "last_pass_at",
  lastSeenAt: "last_seen_at"
} as const

/**
 * An engine that the records or the services know by this name. Its encoding is the JSON that people and programs get.
 */
export const ListedEngine = Schema.Struct({
  /** Unchecked if no service has it: then it is only what some records say. */
  name: Schema.String,
  /** `null` if no service has cleaned an engine of this name yet. */
  engineId: Schema.NullOr(Schema.String),
  braked: Schema.Boolean,
  /** When a person last accepted it; `null` if the first pass found it. */
  acceptedAt: Schema.NullOr(Schema.DateFromString),
  /** When a pass over it last began; `null` if there was none. */
  lastPassAt: Schema.NullOr(Schema.DateFromString),
  /** When a service of this name was last there: once a minute, whether it makes passes or is paused. Dry runs leave no trace. */
  lastSeenAt: Schema.NullOr(Schema.DateFromString),
  /** By the retention of the service that is asked; `null` if no service cleans them. */
  due: Schema.NullOr(Schema.Int),
  stopped: Schema.Int
}).pipe(Schema.encodeKeys(engineKeys))
export type ListedEngine = typeof ListedEngine.Type
