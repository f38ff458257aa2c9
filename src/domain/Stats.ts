import { Schema } from "effect"

export const Stats = Schema.Struct({
  hours: Schema.Array(Schema.Struct({ at: Schema.DateFromString, removed: Schema.Int }))
})
