import { Effect, Schema } from "effect"

/** The private PostgreSQL cannot be started; `detail` is for the person who runs the service. */
export class EmbeddedError extends Schema.TaggedError<EmbeddedError>()("EmbeddedError", {
  detail: Schema.String
}) {
  override get message() {
    return `embedded PostgreSQL: ${this.detail}`
  }
}

/** A step on the file system; `what` describes the failure. */
export const attempt = <A>(what: string, step: () => Promise<A>): Effect.Effect<A, EmbeddedError> =>
  Effect.tryPromise({
    try: step,
    catch: (cause) =>
      new EmbeddedError({ detail: `${what}: ${cause instanceof Error ? cause.message : String(cause)}` })
  })
