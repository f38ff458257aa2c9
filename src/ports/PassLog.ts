import { Context, type Effect } from "effect"
import type { PassReport } from "../domain/PassReport.ts"
import type { RecordedPass } from "../domain/RecordedPass.ts"
import type { Hour } from "../domain/Stats.ts"
import type { StoreError } from "./StoreError.ts"

/** What a pass under way has come to. */
export interface PassProgress extends Pick<PassReport, "trigger" | "listed" | "outcomes" | "lagMax"> {
  /** How many games it may attempt; `undefined` if they could not be counted. */
  readonly due: number | undefined
  /** Since the pass began. */
  readonly seconds: number
}

/**
 * The passes that listed something or did not succeed, one row each, of every service over this database. All times are the
 * database's. Whoever writes a row also deletes those of passes that nobody has heard of for 90 days.
 */
export class PassLog extends Context.Service<
  PassLog,
  {
    /** Adds the row of a pass under way, or brings it up to date. Changes nothing once the pass has ended. `id`: a UUID. */
    readonly progress: (id: string, pass: PassProgress) => Effect.Effect<void, StoreError>
    /** The row of a pass that has ended, whether it had one before or not. */
    readonly end: (id: string, pass: PassReport & { readonly seconds: number }) => Effect.Effect<void, StoreError>
    /** `undefined` if there is none; an id that is no UUID finds nothing. */
    readonly find: (id: string) => Effect.Effect<RecordedPass | undefined, StoreError>
    /** The present hour and those before it, `hours` in all, of all engines: oldest first, also without passes. */
    readonly hours: (hours: number) => Effect.Effect<ReadonlyArray<Hour>, StoreError>
    /** The newest, newest first. */
    readonly recent: (limit: number) => Effect.Effect<ReadonlyArray<RecordedPass>, StoreError>
    /** The same of those without a result: under way, or killed. */
    readonly unended: (limit: number) => Effect.Effect<ReadonlyArray<RecordedPass>, StoreError>
  }
>()("rtmanager/ports/PassLog") {}
