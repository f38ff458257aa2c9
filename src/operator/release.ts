import { Duration, Effect } from "effect"
import type { Asked } from "../domain/Act.ts"
import { heldBy, holdEnd, type PlacedHold, type SeenHold } from "../domain/Hold.ts"
import { printable } from "../domain/printable.ts"
import { Holds } from "../ports/Holds.ts"
import { passError } from "../ports/StoreError.ts"
import { ActRefused, type Done, perform } from "./act.ts"

export interface ReleaseRequest extends Asked {
  readonly gameId: string
  /** Without the grace. */
  readonly now: boolean
  /** Also what others have placed. */
  readonly all: boolean
  /** Only these, as they were seen: refused if another one would have to end. Any by default. */
  readonly seen?: ReadonlyArray<SeenHold> | undefined
}

/** For how long a released hold goes on, so that a slip can be taken back. */
const grace = Duration.hours(24)

/** Lets the author's hold on the game end, or all of them, and gives them with their ends. Refused if there is none. */
export const release = (request: ReleaseRequest) =>
  perform({ act: "release", target: request.gameId, author: request.author, reason: request.reason }, end(request))

const end = Effect.fnUntraced(function* ({ all, author, gameId, now, seen }: ReleaseRequest) {
  const holds = yield* Holds
  const released = yield* Effect.mapError(
    holds.release(gameId, { author: all ? undefined : author, grace: now ? Duration.zero : grace, seen }),
    passError
  )
  if (released.length > 0) {
    const ends = released.map(
      (hold) => `${printable(hold.author)}'s hold on ${printable(gameId)} ends at ${holdEnd(hold)}`
    )
    return { value: released, message: ends.join("\n") } satisfies Done<ReadonlyArray<PlacedHold>>
  }
  const others = yield* Effect.mapError(holds.of(gameId), passError)
  const why =
    all || others.some((hold) => hold.author === author)
      ? `the holds on ${printable(gameId)} are not those that were seen`
      : `${author} does not hold ${printable(gameId)}`
  const message =
    others.length === 0 ? `nobody holds ${printable(gameId)}` : `${why}; it is ${others.map(heldBy).join(", and ")}`
  return yield* new ActRefused({ message })
})
