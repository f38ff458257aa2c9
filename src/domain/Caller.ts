import { Schema } from "effect"
import { Author } from "./Act.ts"

/** What a caller of the HTTP API may do: look, or also act. */
export const roles = ["read", "act"] as const
export const Role = Schema.Literals(roles)

/** Who asks over HTTP: a token's name, which is the author of the acts, and its role. */
export const Caller = Schema.Struct({ name: Author, role: Role })
export type Caller = typeof Caller.Type

/**
 * Why a request with a token is refused: the closed set, also the attribute `reason` of `rtmanager.cleanup.token.refused`. `unknown`: it
 * is nobody's, or has expired. `blocked`: its client has sent too many of these.
 */
export const tokenRefusals = ["unknown", "blocked"] as const
export type TokenRefusal = (typeof tokenRefusals)[number]
