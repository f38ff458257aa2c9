import { Effect, Ref } from "effect"
import { PassRefused } from "../../domain/PassRefused.ts"
import type { ContainerEngineError } from "../../ports/ContainerEngine.ts"
import type { StoreError } from "../../ports/StoreError.ts"
import type { Testimony } from "./testimony.ts"

/**
 * Below this many games the ratio is meaningless: in a small backlog, or after a `docker container prune`, most containers may
 * really be gone.
 */
const fewest = 20

type Unanswered = ContainerEngineError | StoreError

/** What was found of a game's container. `explained`: it is absent, and a lease that was left behind explains why. */
export type Sighting = "there" | "absent" | "explained"

/**
 * One pass's count of the containers that it looked for. Absence is not taken on trust: an engine that kept its identity but
 * lost or hides its containers would have the whole backlog marked `removed`.
 */
export interface Brake {
  /**
   * Counts one more, before the game's record moves. The first absence asks what else the engine has, and every absence
   * waits for that answer; while there is none, the call fails with another error. Once nothing speaks for the engine, or once
   * over half of at least 20 containers were absent, this and every later call fails with `PassRefused`.
   */
  readonly count: (sighting: Sighting) => Effect.Effect<void, PassRefused | Unanswered>
  /** Whether it has refused. */
  readonly refused: Effect.Effect<boolean>
}

/** What one pass has seen so far. */
export interface Sightings {
  readonly games: number
  readonly absences: number
  readonly anyThere: boolean
  readonly refusal: PassRefused | undefined
}

export const none: Sightings = { games: 0, absences: 0, anyThere: false, refusal: undefined }

export const counted = (sightings: Sightings, sighting: Sighting): Sightings => ({
  ...sightings,
  games: sightings.games + 1,
  absences: sightings.absences + (sighting === "absent" ? 1 : 0),
  anyThere: sightings.anyThere || sighting === "there"
})

/** Why the engine is not believed, given what speaks for it; `undefined` if it is. */
export const doubt = ({ absences, anyThere, games }: Sightings, said: Testimony | undefined): string | undefined => {
  if (said?._tag === "none") {
    return `a container is not on the engine, and none of ${said.asked} others is that should be there`
  }
  if (said?._tag === "noneDue" && !anyThere) {
    return `a container is not on the engine, nor is any of ${said.asked} due games, and no other game names one`
  }
  if (games >= fewest && absences * 2 > games) {
    return `${absences} of the ${games} containers looked for are not on the engine`
  }
  return undefined
}

export const make = Effect.fnUntraced(function* (testimony: Effect.Effect<Testimony, PassRefused | Unanswered>) {
  const asked = yield* Effect.cached(testimony)
  const ref = yield* Ref.make(none)

  const count = Effect.fnUntraced(function* (sighting: Sighting) {
    const { refusal } = yield* Ref.updateAndGet(ref, (sightings) => counted(sightings, sighting))
    if (refusal !== undefined) return yield* refusal
    const said = sighting === "absent" ? yield* asked : undefined
    const refused = yield* Ref.updateAndGet(ref, (sightings) => {
      const reason = sightings.refusal === undefined ? doubt(sightings, said) : undefined
      return reason === undefined ? sightings : { ...sightings, refusal: PassRefused.absentBrake(reason) }
    })
    if (refused.refusal !== undefined) return yield* refused.refusal
  })
  return { count, refused: Effect.map(Ref.get(ref), ({ refusal }) => refusal !== undefined) } satisfies Brake
})

/** For a pass that a person has told to accept absent containers. */
export const released: Brake = { count: () => Effect.void, refused: Effect.succeed(false) }
