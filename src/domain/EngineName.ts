import { Schema } from "effect"

/** The name of an engine: what the records call the machine that a game's container is on. */
export const EngineName = Schema.String.check(Schema.isPattern(/^[a-z0-9.-]{1,63}$/)).pipe(Schema.brand("EngineName"))
export type EngineName = typeof EngineName.Type

/** The engine of records that name none, and of a service that is not told which engine it cleans. */
export const defaultEngine = EngineName.make("default")
