import { Schema } from "effect"

/**
 * The only name under which a container is ever addressed: its full id, 64 lower-case hex digits.
 *
 * Docker resolves names, short prefixes and relative paths too, each of which has removed the wrong thing before.
 * A value of this type has passed the check, so it is safe inside a URL.
 */
export const ContainerId = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)).pipe(Schema.brand("ContainerId"))
export type ContainerId = typeof ContainerId.Type

export const isContainerId = Schema.is(ContainerId)
