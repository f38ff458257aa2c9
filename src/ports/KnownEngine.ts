import { Context, type Effect } from "effect"
import type { EngineId } from "../domain/EngineId.ts"
import type { StoreError } from "./StoreError.ts"

export interface Known {
  readonly id: EngineId
  /** Most containers turned out absent on it: no pass may go on until a person has said so. */
  readonly braked: boolean
}

/** The one engine that the records' containers live on. Another engine would call every container absent. */
export class KnownEngine extends Context.Service<
  KnownEngine,
  {
    readonly read: Effect.Effect<Known | undefined, StoreError>
    /** Remembers this engine if none is known yet, and returns the one that is known then. */
    readonly remember: (id: EngineId) => Effect.Effect<Known, StoreError>
    /** Writes the known engine's identity anew, if it is this one and as it was read, and returns the one known then. */
    readonly widen: (from: EngineId, to: EngineId) => Effect.Effect<Known, StoreError>
    /** Refuses further passes over this engine, if it is the known one. */
    readonly brake: (id: EngineId) => Effect.Effect<void, StoreError>
    /**
     * Makes this engine the known one, whatever was known before, and lets go of the brake. What was recorded until now is
     * no witness against it any more.
     */
    readonly accept: (id: EngineId) => Effect.Effect<void, StoreError>
  }
>()("rtmanager/ports/KnownEngine") {}
