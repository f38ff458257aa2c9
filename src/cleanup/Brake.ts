import { Effect } from "effect"
import type { ContainerEngineError } from "../ports/ContainerEngine.ts"
import type { StoreError } from "../ports/StoreError.ts"
import { PassRefused } from "./PassRefused.ts"
import type { Testimony } from "./testimony.ts"

/** So few say nothing yet: with a small backlog, or after somebody's `docker container prune`, most may well be gone. */
const fewest = 20

type Unanswered = ContainerEngineError | StoreError

/** What was found of a game's container; `explained`: it is absent, and a lease that was left behind says why. */
export type Found = "there" | "absent" | "explained"

/**
 * Absence is not taken on trust: an engine that has lost or hides its containers, but has kept its identity, would have
 * the whole backlog marked `removed`. One pass's count of the games whose containers it looked for.
 */
export interface Brake {
  /**
   * Counts one more. The first absence asks what else the engine has, and all of them wait for that answer. Fails with
   * `PassRefused`, then and from then on, where nothing speaks for the engine, or once at least 20 were looked for and
   * over half of them were absent; with another error while the question is unanswered. Asked before the game's record
   * moves.
   */
  readonly looked: (found: Found) => Effect.Effect<void, PassRefused | Unanswered>
  /** Whether it has refused. */
  readonly refused: Effect.Effect<boolean>
}

export const make = Effect.fnUntraced(function* (testimony: Effect.Effect<Testimony, PassRefused | Unanswered>) {
  const asked = yield* Effect.cached(testimony)
  let games = 0
  let absences = 0
  let anyThere = false
  let refusal: PassRefused | undefined

  const doubt = (said: Testimony | undefined) => {
    if (said?._tag === "none") {
      return `a container is not on the engine, and none of ${said.asked} others is that should be there`
    }
    if (said?._tag === "empty" && !anyThere) return "a container is not on the engine, nor is any other"
    if (games >= fewest && absences * 2 > games) {
      return `${absences} of the ${games} containers looked for are not on the engine`
    }
  }
  const looked = Effect.fnUntraced(function* (found: Found) {
    games++
    if (found === "absent") absences++
    if (found === "there") anyThere = true
    const said = found === "absent" && refusal === undefined ? yield* asked : undefined
    const reason = doubt(said)
    if (reason !== undefined) refusal ??= PassRefused.absentBrake(reason)
    if (refusal !== undefined) return yield* refusal
  })
  return { looked, refused: Effect.sync(() => refusal !== undefined) } satisfies Brake
})

/** For a pass that a person has told to take absence as it is. */
export const released: Brake = { looked: () => Effect.void, refused: Effect.succeed(false) }
