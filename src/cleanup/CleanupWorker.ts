import { Duration, Effect, Layer, Ref, Schedule } from "effect"
import { isAway, type Trigger } from "../domain/PassReport.ts"
import { CleanupPass } from "./pass/CleanupPass.ts"
import { Heartbeat } from "./pass/Heartbeat.ts"

const longestWait = Duration.minutes(1)

/** The delay between passes while the database or the engine is away. */
const sooner = (interval: Duration.Duration) =>
  Schedule.min([Schedule.exponential("5 seconds"), Schedule.spaced(Duration.min(interval, longestWait))]).pipe(
    Schedule.jittered
  )

/**
 * The loop: a pass at once, then the next one `interval` after the last has ended, so passes never overlap. If the database
 * or the engine was away, the next pass comes sooner, by backoff with jitter. The loop goes on whatever becomes of a pass; it
 * ends with the layer's scope, which waits for the games in flight.
 */
export const layer = (options: { readonly interval: Duration.Duration }) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const pass = yield* CleanupPass
      const heartbeat = yield* Heartbeat
      const trigger = yield* Ref.make<Trigger>("startup")
      yield* Effect.addFinalizer(() => Effect.logInfo("cleanup.worker.stopped"))
      yield* Ref.getAndSet(trigger, "schedule").pipe(
        Effect.tap(() => heartbeat.wake),
        Effect.flatMap((trigger) => pass.runOnce({ trigger })),
        Effect.tap(() => heartbeat.sleep(longestWait)),
        Effect.repeat({
          while: isAway,
          schedule: sooner(options.interval)
        }),
        Effect.catchCause((cause) => Effect.logError("cleanup.pass.defect", cause)),
        Effect.andThen(heartbeat.sleep(options.interval)),
        Effect.repeat(Schedule.spaced(options.interval)),
        Effect.forkScoped
      )
    })
  )
