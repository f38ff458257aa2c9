import { Duration, Effect, Ref } from "effect"
import * as Trust from "./Trust.ts"

/** Games whose lease is left to expire, and has not yet expired, because the engine may still carry out a removal of ours. */
export interface UnresolvedRemovals {
  readonly add: (gameId: string) => Effect.Effect<void>
  /** The game's container is known to be gone. */
  readonly delete: (gameId: string) => Effect.Effect<void>
  readonly list: Effect.Effect<ReadonlyArray<string>>
}

/** When each lease began to run. */
type Leases = ReadonlyMap<string, Trust.Reading>

const without = (leases: Leases, gameId: string): Leases =>
  leases.has(gameId) ? new Map([...leases].filter(([other]) => other !== gameId)) : leases

export const make = Effect.fnUntraced(function* (leaseTtl: Duration.Duration) {
  const ref = yield* Ref.make<Leases>(new Map())
  const ttl = Duration.toMillis(leaseTtl)
  const unexpired = (leases: Leases, now: Trust.Reading): Leases =>
    new Map([...leases].filter(([, since]) => Trust.elapsed(since, now) < ttl))

  return {
    add: (gameId) =>
      Effect.flatMap(Trust.now, (now) =>
        Ref.update(ref, (leases) => new Map([...unexpired(without(leases, gameId), now), [gameId, now]]))
      ),
    delete: (gameId) => Ref.update(ref, (leases) => without(leases, gameId)),
    list: Effect.flatMap(Trust.now, (now) =>
      Effect.map(
        Ref.updateAndGet(ref, (leases) => unexpired(leases, now)),
        (leases) => [...leases.keys()]
      )
    )
  } satisfies UnresolvedRemovals
})
