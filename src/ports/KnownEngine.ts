import { Context, type Effect } from "effect"
import type { EngineId } from "../domain/EngineId.ts"
import type { StoreError } from "./StoreError.ts"

export interface Known {
  readonly id: EngineId
  /** Most containers were absent on it: passes are refused until a person releases the brake. */
  readonly braked: boolean
}

/** The one engine that the records' containers live on. Any other engine would report every container absent. */
export class KnownEngine extends Context.Service<
  KnownEngine,
  {
    readonly read: Effect.Effect<Known | undefined, StoreError>
    /** Remembers this engine if none is known yet, and returns the known one. */
    readonly remember: (id: EngineId) => Effect.Effect<Known, StoreError>
    /** Replaces the known identity if it still is `from`, and returns the known engine. */
    readonly widen: (from: EngineId, to: EngineId) => Effect.Effect<Known, StoreError>
    /** Refuses further passes over this engine, if it is the known one. */
    readonly brake: (id: EngineId) => Effect.Effect<void, StoreError>
    /**
     * Makes this engine the known one, whatever was known before, and releases the brake. Records changed before now no
     * longer count as witnesses.
     */
    readonly accept: (id: EngineId) => Effect.Effect<void, StoreError>
  }
>()("rtmanager/ports/KnownEngine") {}
