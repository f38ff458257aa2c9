import { type Duration, Effect, Layer, Ref, Schedule } from "effect"
import { CleanupPass } from "./CleanupPass.ts"
import { Heartbeat } from "./Heartbeat.ts"
import type { Trigger } from "./PassReport.ts"

/**
 * The loop: a pass at once, then the next one `interval` after the last has ended, so passes never overlap. Whatever
 * becomes of a pass, the loop goes on; it ends with the layer's scope, which waits for the games in flight.
 */
export const layer = (options: { readonly interval: Duration.Duration }) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const pass = yield* CleanupPass
      const heartbeat = yield* Heartbeat
      const trigger = yield* Ref.make<Trigger>("startup")
      yield* Effect.addFinalizer(() => Effect.logInfo("cleanup.worker.stopped"))
      yield* Ref.getAndSet(trigger, "schedule").pipe(
        Effect.flatMap((trigger) => pass.runOnce({ trigger })),
        Effect.catchCause((cause) => Effect.logError("cleanup.pass.defect", cause)),
        Effect.andThen(heartbeat.sleep(options.interval)),
        Effect.repeat(Schedule.spaced(options.interval)),
        Effect.forkScoped
      )
    })
  )
