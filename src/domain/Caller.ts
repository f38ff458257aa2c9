import { Schema } from "effect"
import { Author } from "./Act.ts"

/** What a caller of the HTTP API may do: look, or also act. */
export const roles = ["read", "act"] as const
export const Role = Schema.Literals(roles)

/** Who asks over HTTP: a token's name, which is the author of the acts, and its role. */
export const Caller = Schema.Struct({ name: Author, role: Role })
export type Caller = typeof Caller.Type
