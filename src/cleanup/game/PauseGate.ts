import { Duration, Effect, Ref, Semaphore } from "effect"
import { PassRefused } from "../../domain/PassRefused.ts"
import type { Pauses } from "../../ports/Pauses.ts"
import { type PassError, passError, StoreError, Unavailable } from "../../ports/StoreError.ts"
import * as Trust from "./Trust.ts"

/** For how long removals rely on the answer that nobody has paused, counted from before the question. */
const reliable = Duration.toMillis("1 second")

/** The longest that a removal waits for such an answer. */
export const patience = Duration.seconds(2)

/** One pass's knowledge that nobody has paused cleaning. */
export interface PauseGate {
  /**
   * The last question before a removal. When it succeeds, the database has said within the last second that there is no pause:
   * however many games ask, it is asked once a second at most. Fails with `PassRefused` once there is a pause, also if that
   * ends meanwhile, and with `StoreError` if there is no answer within 2 seconds.
   */
  readonly ensure: Effect.Effect<void, PassError>
  /** Whether the last answer can still be relied on: the machine may have slept since. */
  readonly isFresh: Effect.Effect<boolean>
}

/** The last answer. */
type Answer = { readonly unpausedAt: Trust.Reading } | { readonly refusal: PassRefused } | undefined

const unanswered = new StoreError({
  operation: "currentPause",
  reason: new Unavailable({ cause: new Error(`no answer within ${Duration.format(patience)}`) })
})

export const make = Effect.fnUntraced(function* (current: Pauses["Service"]["current"]) {
  const last = yield* Ref.make<Answer>(undefined)
  const single = yield* Semaphore.make(1)

  const isFresh = Effect.flatMap(Ref.get(last), (answer) =>
    answer !== undefined && "unpausedAt" in answer
      ? Effect.map(Trust.now, (now) => Trust.elapsed(answer.unpausedAt, now) <= reliable)
      : Effect.succeed(false)
  )

  const isOpen = Effect.flatMap(Ref.get(last), (answer) =>
    answer !== undefined && "refusal" in answer ? Effect.fail(answer.refusal) : isFresh
  )

  const ask = Effect.gen(function* () {
    const asked = yield* Trust.now
    const pause = yield* Effect.mapError(current, passError)
    yield* Ref.set(last, pause === undefined ? { unpausedAt: asked } : { refusal: PassRefused.pausedBy(pause) })
  })

  /** An answer that took longer than it can be relied on is no answer. */
  const untilOpen: Effect.Effect<void, PassError> = single
    .withPermit(Effect.flatMap(isOpen, (open) => (open ? Effect.void : ask)))
    .pipe(
      Effect.andThen(isOpen),
      Effect.flatMap((open) => (open ? Effect.void : untilOpen))
    )
  const bounded = Effect.timeoutOrElse(untilOpen, { duration: patience, orElse: () => Effect.fail(unanswered) })

  return { isFresh, ensure: Effect.flatMap(isOpen, (open) => (open ? Effect.void : bounded)) } satisfies PauseGate
})
