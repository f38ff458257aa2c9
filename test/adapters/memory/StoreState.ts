import { Context, Duration, Effect } from "effect"
import type { StoreError } from "../../../src/ports/StoreError.ts"
import { Tables } from "../../sim/model/Tables.ts"

/** Of a statement by its name, and the game that it is about. */
export type Intercept = (operation: string, gameId?: string) => Effect.Effect<void, StoreError>

/** The model of the database, with a way to make its statements go wrong. */
export class Database extends Tables {
  /** The database's clock is Effect's `Clock` plus this. */
  clockOffset: Duration.Duration = Duration.zero
  /** Runs before a statement takes effect: it may fail, hang, die, or change the tables. */
  intercept: Intercept = () => Effect.void
  /** Runs after a statement took effect: failing here is an answer that was lost. */
  interceptAnswer: Intercept = () => Effect.void
}

/** What the stores of any number of processes share. */
export class StoreState extends Context.Service<StoreState, Database>()("rtmanager/test/StoreState") {}
