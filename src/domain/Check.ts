import { Schema } from "effect"

/** What `doctor` looks at, in this order. */
export const checks = [
  "database",
  "schema",
  "rights",
  "recording",
  "clock",
  "engine",
  "label",
  "requests",
  "traces",
  "metrics",
  "logs"
] as const

/** What one look has found. Its encoding is the JSON that people and programs get. */
export const Check = Schema.Struct({
  check: Schema.Literals(checks),
  /** `skipped`: it could not be looked at, because something before it is wrong, or there is nothing to look at. */
  result: Schema.Literals(["ok", "wrong", "skipped"]),
  message: Schema.String,
  /** What to do about it; `null` unless something is wrong. */
  mend: Schema.NullOr(Schema.String)
})
export type Check = typeof Check.Type
