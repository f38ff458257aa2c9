import { Schema } from "effect"

/** A person's word that no removal begins any more, whatever service would begin it. */
export const Pause = Schema.Struct({
  author: Schema.String,
  reason: Schema.String,
  pausedAt: Schema.DateFromString,
  /** `null`: until somebody resumes. */
  until: Schema.NullOr(Schema.DateFromString)
}).pipe(Schema.encodeKeys({ pausedAt: "paused_at" }))
export type Pause = typeof Pause.Type
