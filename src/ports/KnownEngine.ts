import { Context, type Effect } from "effect"
import type { EngineId } from "./ContainerEngine.ts"
import type { StoreError } from "./StoreError.ts"

/** The one engine that the records' containers live on. Another engine would call every container absent. */
export class KnownEngine extends Context.Service<
  KnownEngine,
  {
    readonly read: Effect.Effect<EngineId | undefined, StoreError>
    /** Remembers this engine if none is known yet, and returns the one that is known then. */
    readonly remember: (id: EngineId) => Effect.Effect<EngineId, StoreError>
    /** Makes this engine the known one, whatever was known before. */
    readonly accept: (id: EngineId) => Effect.Effect<void, StoreError>
  }
>()("rtmanager/ports/KnownEngine") {}
