import { Context, type Duration, type Effect } from "effect"
import type { EngineId } from "../domain/EngineId.ts"
import type { EngineName } from "../domain/EngineName.ts"
import type { ListedEngine } from "../domain/ListedEngine.ts"
import type { StoreError } from "./StoreError.ts"

export interface Known {
  readonly id: EngineId
  /** Most containers were absent on it: passes are refused until a person releases the brake. */
  readonly braked: boolean
  /** The retention that the last pass used, or that a person has accepted since; `undefined` if none is stored. */
  readonly retention: Duration.Duration | undefined
}

/** What is known about an engine that answers. */
export interface Recognized {
  /** The engine with this service's name; `undefined` if none is known yet. */
  readonly known: Known | undefined
  /** Another name that the engine that answers is known by. */
  readonly otherName: string | undefined
}

/**
 * The one engine that this service cleans, by its name. Any other engine would report every container of its records absent.
 * No two names have the same engine.
 */
export class KnownEngine extends Context.Service<
  KnownEngine,
  {
    readonly name: EngineName
    readonly recognize: (present: EngineId) => Effect.Effect<Recognized, StoreError>
    /** The same, at the beginning of a pass. Its time is kept, which counts as seen too, if this engine is the known one and not braked. */
    readonly beginPass: (present: EngineId) => Effect.Effect<Recognized, StoreError>
    /** Keeps the time at which a service of this name was last there, if the name has an engine. */
    readonly markSeen: Effect.Effect<void, StoreError>
    /** Remembers this engine if the name has none yet and the engine has no other name. */
    readonly remember: (id: EngineId) => Effect.Effect<Recognized, StoreError>
    /** Replaces the known identity if it still is `from`. */
    readonly widen: (from: EngineId, to: EngineId) => Effect.Effect<Recognized, StoreError>
    /** Refuses further passes over this engine, if it is the known one. */
    readonly brake: (id: EngineId) => Effect.Effect<void, StoreError>
    /**
     * Gives this engine the name, whatever had it before, and releases the brake. Records changed before now no longer count
     * as witnesses. Changes nothing if the engine has another name.
     */
    readonly accept: (id: EngineId) => Effect.Effect<Recognized, StoreError>
    /**
     * Stores the retention of the engine with this name, and gives the one before it. `undefined`, and nothing is stored, if no
     * engine is known yet. After a failure it may be stored all the same.
     */
    readonly setRetention: (
      retention: Duration.Duration
    ) => Effect.Effect<{ readonly before: Duration.Duration | undefined } | undefined, StoreError>
    /**
     * All engines that a service has ever cleaned, and the one of this name also before its first pass, by name. `cutoff` (Unix
     * milliseconds) decides which games are due.
     */
    readonly list: (cutoff: number) => Effect.Effect<ReadonlyArray<ListedEngine>, StoreError>
  }
>()("rtmanager/ports/KnownEngine") {}
