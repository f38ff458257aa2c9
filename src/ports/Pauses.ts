import { Context, type Duration, type Effect } from "effect"
import type { Author } from "../domain/Act.ts"
import type { Pause } from "../domain/Pause.ts"
import type { StoreError } from "./StoreError.ts"

/** The pause of all cleaning over this database, by its clock. */
export class Pauses extends Context.Service<
  Pauses,
  {
    /**
     * Pauses, or replaces the present pause unless that is another's and lasts longer. Gives the one in force. Without a duration a
     * pause lasts until somebody resumes.
     */
    readonly pause: (pause: {
      readonly author: Author
      readonly reason: string
      readonly duration: Duration.Duration | undefined
    }) => Effect.Effect<Pause, StoreError>
    /** Ends the pause and gives it; `undefined` if there was none. */
    readonly resume: Effect.Effect<Pause | undefined, StoreError>
    readonly current: Effect.Effect<Pause | undefined, StoreError>
    /** The same for a pass, at its beginning: also deletes the holds that ended over 24 hours ago. One statement. */
    readonly beginPass: Effect.Effect<Pause | undefined, StoreError>
  }
>()("rtmanager/ports/Pauses") {}
