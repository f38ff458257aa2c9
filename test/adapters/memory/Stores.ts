import { Clock, Context, Duration, Effect, Layer } from "effect"
import { SqlError, UnknownError } from "effect/sql/SqlError"
import { storeError } from "../../../src/adapters/postgres/storeError.ts"
import { defaultEngine, type EngineName } from "../../../src/domain/EngineName.ts"
import { StoreError } from "../../../src/ports/StoreError.ts"
import * as Model from "../../sim/model/stores.ts"
import { Database, StoreState } from "./StoreState.ts"

const failed = (cause: StoreError) => new SqlError({ reason: new UnknownError({ cause }) })

/** One process's stores over the shared database. Each statement is one step at once, about one game at most, and is never sent again. */
export const makeStores = (
  state: Database,
  options: { readonly leaseTtl: Duration.Input; readonly owner: string; readonly engineName?: EngineName }
) => {
  const now = Effect.map(Clock.currentTimeMillis, (millis) => Math.floor(millis + Duration.toMillis(state.clockOffset)))
  const way: Model.Way = {
    run: (operation, _, statement) =>
      Effect.mapError(Effect.provideService(statement, Model.Operation, operation), (error) =>
        error.reason.cause instanceof StoreError ? error.reason.cause : storeError(operation)(error)
      ),
    send: (statement) =>
      Effect.gen(function* () {
        const operation = yield* Model.Operation
        const gameId = Model.gameOf(statement)
        yield* state.intercept(operation, gameId)
        const answer = statement.apply(state, yield* now)
        yield* state.interceptAnswer(operation, gameId)
        return answer
      }).pipe(Effect.mapError(failed))
  }
  return Model.make(way, {
    owner: options.owner,
    engineName: options.engineName ?? defaultEngine,
    leaseTtl: Duration.fromInputUnsafe(options.leaseTtl),
    share: ({ alone }) => alone
  })
}

/** The three stores over one shared database, which pass the same suites as PostgreSQL. `owner` is random by default. */
export const layerStores = (options: {
  readonly leaseTtl: Duration.Input
  readonly owner?: string
  readonly engineName?: EngineName
}) =>
  Layer.syncContext(() => {
    const state = new Database()
    const stores = makeStores(state, { ...options, owner: options.owner ?? crypto.randomUUID() })
    return Context.add(stores, StoreState, state)
  })
