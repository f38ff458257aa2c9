import { Clock, Context, Duration, Effect, Layer } from "effect"
import * as Model from "../../sim/model/stores.ts"
import { Database, StoreState } from "./StoreState.ts"

/** One process's stores over the shared database. Each statement is one step at once, and is never sent again. */
export const makeStores = (state: Database, options: { readonly leaseTtl: Duration.Input; readonly owner: string }) => {
  const now = Effect.map(Clock.currentTimeMillis, (millis) => Math.floor(millis + Duration.toMillis(state.clockOffset)))
  const send: Model.Send = ({ apply, gameId, operation }) =>
    Effect.suspend(() => state.intercept(operation, gameId)).pipe(
      Effect.andThen(Effect.map(now, (now) => apply(state, now))),
      Effect.tap(() => state.interceptAnswer(operation, gameId))
    )
  return Model.make(send, {
    owner: options.owner,
    leaseTtl: Duration.fromInputUnsafe(options.leaseTtl),
    sharing: false
  })
}

/** The three stores over one shared database, which pass the same suites as PostgreSQL. `owner` is random by default. */
export const layerStores = (options: { readonly leaseTtl: Duration.Input; readonly owner?: string }) =>
  Layer.syncContext(() => {
    const state = new Database()
    const stores = makeStores(state, { ...options, owner: options.owner ?? crypto.randomUUID() })
    return Context.add(stores, StoreState, state)
  })
