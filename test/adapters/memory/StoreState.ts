import { Context, Duration, Effect } from "effect"
import { defaultEngine } from "../../../src/domain/EngineName.ts"
import type { StoreError } from "../../../src/ports/StoreError.ts"
import { type KnownRow, Tables } from "../../sim/model/Tables.ts"

/** Of a statement by its name, and the game that it is about. */
export type Intercept = (operation: string, gameId?: string) => Effect.Effect<void, StoreError>

/** The model of the database, with a way to make its statements go wrong. */
export class Database extends Tables {
  /** The engine of a service that is not told which one it cleans. */
  get known(): KnownRow | undefined {
    return this.engines.get(defaultEngine)
  }
  set known(row: KnownRow | undefined) {
    if (row === undefined) this.engines.delete(defaultEngine)
    else this.engines.set(defaultEngine, row)
  }
  /** The database's clock is Effect's `Clock` plus this. */
  clockOffset: Duration.Duration = Duration.zero
  /** Runs before a statement takes effect: it may fail, hang, die, or change the tables. */
  intercept: Intercept = () => Effect.void
  /** Runs after a statement took effect: failing here is an answer that was lost. */
  interceptAnswer: Intercept = () => Effect.void
}

/** What the stores of any number of processes share. */
export class StoreState extends Context.Service<StoreState, Database>()("rtmanager/test/StoreState") {}
