import { type Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"

/** Runs an effect to its end, while the test's clock goes on in such steps. */
export const whileTimePasses = Effect.fnUntraced(function* <A, E, R>(
  self: Effect.Effect<A, E, R>,
  step: Duration.Input = "1 second"
) {
  const fiber = yield* Effect.forkChild(self)
  while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(step)
  return yield* Fiber.join(fiber)
})
