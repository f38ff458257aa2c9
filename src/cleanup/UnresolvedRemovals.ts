import { Duration, Effect, Ref } from "effect"
import * as Trust from "./game/Trust.ts"

/** Games whose lease is left to expire, and has not yet, because the engine may still carry out a removal of ours. */
export interface UnresolvedRemovals {
  readonly add: (gameId: string) => Effect.Effect<void>
  /** The game's container is known to be gone. */
  readonly delete: (gameId: string) => Effect.Effect<void>
  readonly list: Effect.Effect<ReadonlyArray<string>>
}

export const make = Effect.fnUntraced(function* (leaseTtl: Duration.Duration) {
  const ref = yield* Ref.make<ReadonlyMap<string, Trust.Trust>>(new Map())

  const dropExpired = Effect.gen(function* () {
    const leases = [...(yield* Ref.get(ref))]
    const unexpired = yield* Effect.filter(leases, ([, { left }]) => Effect.map(left, Duration.isPositive))
    yield* Ref.set(ref, new Map(unexpired))
  })

  return {
    add: Effect.fnUntraced(function* (gameId) {
      yield* dropExpired
      const lease = yield* Trust.start(leaseTtl)
      yield* Ref.update(ref, (leases) => new Map([...leases, [gameId, lease]]))
    }),
    delete: (gameId) =>
      Ref.update(ref, (leases) => (leases.has(gameId) ? new Map([...leases].filter(([id]) => id !== gameId)) : leases)),
    list: Effect.andThen(
      dropExpired,
      Effect.map(Ref.get(ref), (leases) => [...leases.keys()])
    )
  } satisfies UnresolvedRemovals
})
