import { Context, type Duration, type Effect } from "effect"
import type { RuntimeRecord } from "../../src/domain/RuntimeRecord.ts"
import type { EngineId } from "../../src/ports/ContainerEngine.ts"
import type { Lease } from "../../src/ports/GameLeases.ts"
import type { LogRow } from "../sim/model/Tables.ts"

/** How the suites put rows into the store under test and look at them, past the ports. */
export class StoreFixture extends Context.Service<
  StoreFixture,
  {
    /** With its backoff and its hold: `null` forgets one that is there. */
    readonly put: (record: RuntimeRecord) => Effect.Effect<void>
    readonly record: (gameId: string) => Effect.Effect<RuntimeRecord | undefined>
    /** Under any name; no person has accepted it, and it has seen no pass. */
    readonly putEngine: (name: string, id: EngineId) => Effect.Effect<void>
    /** A lease in anyone's hands, expired or not. */
    /** Acquired in 1970 where it does not matter when. */
    readonly putLease: (
      lease: Omit<Lease, "acquiredAt"> & Partial<Pick<Lease, "acquiredAt">>,
      expired: boolean
    ) => Effect.Effect<void>
    /** As time would: every lease that is held now has run out. */
    readonly expireLeases: Effect.Effect<void>
    readonly lease: (gameId: string) => Effect.Effect<Lease | undefined>
    /** Milliseconds until the game's lease expires; 0 if there is none or it has expired. */
    readonly leaseLeft: (gameId: string) => Effect.Effect<number>
    /** The game's audit rows, oldest first. */
    readonly log: (gameId: string) => Effect.Effect<ReadonlyArray<LogRow>>
    /** As time would: every pass was so much longer ago. */
    readonly agePasses: (by: Duration.Input) => Effect.Effect<void>
    readonly clear: Effect.Effect<void>
  }
>()("rtmanager/test/StoreFixture") {}
