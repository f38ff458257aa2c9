import { Context, type Effect } from "effect"
import type { PassReport } from "../domain/PassReport.ts"
import type { RecordedPass } from "../domain/RecordedPass.ts"
import type { StoreError } from "./StoreError.ts"

/** The passes that listed something or did not succeed, one row each. */
export class PassLog extends Context.Service<
  PassLog,
  {
    /** Adds the row of a pass under way, or brings it up to date. `due`: how many games it may attempt, if that is known. */
    readonly progress: (
      id: string,
      pass: Pick<PassReport, "trigger" | "listed" | "outcomes"> & {
        readonly startedAt: number
        readonly due: number | undefined
      }
    ) => Effect.Effect<void, StoreError>
    /** The row of a pass that has ended, whether it had one before or not. */
    readonly end: (id: string, pass: PassReport & { readonly startedAt: number }) => Effect.Effect<void, StoreError>
    /** Newest first. */
    readonly recent: (limit: number) => Effect.Effect<ReadonlyArray<RecordedPass>, StoreError>
  }
>()("rtmanager/ports/PassLog") {}
