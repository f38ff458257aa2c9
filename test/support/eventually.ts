import { Effect, Schedule } from "effect"

/** Looks at a process, a server or an engine until it is as expected. The bound is for one that never will be. */
export const eventually = <A, E, R>(
  look: Effect.Effect<A, E, R>,
  until: (seen: A) => boolean
): Effect.Effect<A, never, R> =>
  look.pipe(Effect.repeat({ until, schedule: Schedule.spaced("50 millis") }), Effect.timeout("2 minutes"), Effect.orDie)
