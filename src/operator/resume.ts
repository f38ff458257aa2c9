import { Effect } from "effect"
import type { Asked } from "../domain/Act.ts"
import { printable, printableEnds } from "../domain/printable.ts"
import { isoTime } from "../domain/time.ts"
import { Pauses } from "../ports/Pauses.ts"
import { passError } from "../ports/StoreError.ts"
import { ActRefused, perform } from "./act.ts"

/** As long as a reason can be. */
const whole = printableEnds(250)

/** Ends the pause, whoever it is of, and gives it. Refused if there is none. The next passes remove again. */
export const resume = Effect.fnUntraced(function* ({ author, reason }: Asked) {
  const pauses = yield* Pauses
  return yield* perform(
    { act: "resume", target: null, author, reason },
    Effect.gen(function* () {
      const value = yield* Effect.mapError(pauses.resume, passError)
      if (value === undefined)
        return yield* new ActRefused({ message: "nothing to resume: nobody has paused cleaning" })
      const message = `resumed: ${printable(value.author)} had paused since ${isoTime(value.pausedAt)}: "${whole(value.reason)}". The next passes remove again`
      return { value, message }
    })
  )
})
