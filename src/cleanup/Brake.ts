import { Effect } from "effect"
import { PassRefused } from "./PassRefused.ts"

/** So few say nothing yet: with a small backlog, or after somebody's `docker container prune`, most may well be gone. */
const fewest = 20

/**
 * Absence is not taken on trust: an engine that has lost its containers, but not its identity, would have the whole
 * backlog marked `removed`. One pass's count of the games whose containers it looked for.
 */
export interface Brake {
  /**
   * Counts one more. Fails, then and from then on, once at least 20 were looked for and over half of them were absent.
   * Asked before the game's record moves.
   */
  readonly looked: (absent: boolean) => Effect.Effect<void, PassRefused>
  /** Whether it has refused. */
  readonly refused: Effect.Effect<boolean>
}

export const make = (): Brake => {
  let games = 0
  let absences = 0
  let refusal: PassRefused | undefined
  return {
    looked: (absent) =>
      Effect.suspend(() => {
        games++
        if (absent) absences++
        if (games >= fewest && absences * 2 > games) {
          refusal ??= PassRefused.absentBrake(`${absences} of the ${games} containers looked for are not on the engine`)
        }
        return refusal === undefined ? Effect.void : Effect.fail(refusal)
      }),
    refused: Effect.sync(() => refusal !== undefined)
  }
}

/** For a pass that a person has told to take absence as it is. */
export const released: Brake = { looked: () => Effect.void, refused: Effect.succeed(false) }
