import { Schema } from "effect"
import { Author } from "./Act.ts"

/** What a token allows: only to look, or also to act. */
export const roles = ["read", "act"] as const

/** Whoever a token names. */
export const Caller = Schema.Struct({
  /** The author of what the token's holder asks for. */
  name: Author,
  role: Schema.Literals(roles)
})
export type Caller = typeof Caller.Type
