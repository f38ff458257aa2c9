import { Effect, Schedule, Schema } from "effect"

export class StackFailed extends Schema.TaggedError<StackFailed>()("StackFailed", { message: Schema.String }) {}

export const failed = (message: string) => new StackFailed({ message })

export const demand = (condition: boolean, message: string) => (condition ? Effect.void : Effect.fail(failed(message)))

/** Looks twice a second, since the other side is another process, and gives up after a minute and a half. */
export const eventually = <A, E, R>(what: string, look: Effect.Effect<A, E, R>, good: (seen: A) => boolean) =>
  look.pipe(
    Effect.repeat({ until: good, schedule: Schedule.spaced("500 millis") }),
    Effect.timeoutOrElse({ duration: "90 seconds", orElse: () => Effect.fail(failed(`it never came: ${what}`)) })
  )
