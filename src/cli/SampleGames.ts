import { Context, type Effect } from "effect"
import type { StoreError } from "../ports/StoreError.ts"
import type { Sample } from "./samples.ts"

/** The state of a sample after a pass. `reason` is the audit row's; `undefined` if the pass wrote none. */
export interface SampleState {
  readonly status: string
  readonly containerLeft: boolean
  readonly reason: { readonly errorCode: string | null; readonly message: string } | undefined
}

/** What `demo` needs from outside: a place for its games, and a way to look at them afterwards. */
export class SampleGames extends Context.Service<
  SampleGames,
  {
    readonly put: (sample: Sample) => Effect.Effect<void, StoreError>
    readonly look: (sample: Sample) => Effect.Effect<SampleState, StoreError>
    /** Adds what a week of passes has left behind, and gives back the number of its last game. */
    readonly putHistory: Effect.Effect<number, StoreError>
  }
>()("rtmanager/cli/SampleGames") {}
