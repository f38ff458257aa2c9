import { Duration, Effect } from "effect"
import { isBetweenDurations } from "../config/GoDuration.ts"
import type { Asked } from "../domain/Act.ts"
import { isoTime } from "../domain/time.ts"
import { Pauses } from "../ports/Pauses.ts"
import { passError } from "../ports/StoreError.ts"
import { perform } from "./act.ts"
import { PersonsDuration } from "./time.ts"

/** How long a pause may be asked for. */
export const PauseLength = PersonsDuration.check(
  isBetweenDurations({ minimum: Duration.seconds(1), maximum: Duration.days(3650) })
)

/**
 * Pauses all cleaning over this database, or replaces the present pause unless that is another's and lasts longer; without a
 * duration until somebody resumes. Once this has answered the pause is stored, and no service begins a removal after 2 more
 * seconds.
 */
export const pause = Effect.fnUntraced(function* ({
  author,
  duration,
  reason
}: Asked & { readonly duration: Duration.Duration | undefined }) {
  const pauses = yield* Pauses
  return yield* perform(
    { act: "pause", target: null, author, reason },
    pauses.pause({ author, reason, duration }).pipe(
      Effect.mapError(passError),
      Effect.map((value) => {
        const end = value.until === null ? "somebody resumes" : isoTime(value.until)
        const whose = value.author === author ? "" : ` by ${value.author}, which lasts longer`
        return { value, message: `paused until ${end}${whose}: no removal begins after 2 s from now` }
      })
    )
  )
})
