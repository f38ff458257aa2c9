import { it } from "@effect/vitest"
import { Effect, type Layer, Metric, type Scope } from "effect"

/** Tests, written as their steps, that each have this layer and its metrics to themselves. */
export const testIn = <R>(layer: Layer.Layer<R>) => {
  type Steps = Generator<Effect.Effect<unknown, unknown, R | Scope.Scope>, void, never>
  const run = (steps: () => Steps) =>
    Effect.gen(steps).pipe(Effect.provide(layer), Effect.provideService(Metric.MetricRegistry, new Map()))
  return Object.assign((name: string, steps: () => Steps) => it.effect(name, () => run(steps)), {
    each:
      <Case>(cases: ReadonlyArray<Case>) =>
      (name: string, steps: (one: Case) => Steps) =>
        it.effect.each(cases)(name, (one) => run(() => steps(one)))
  })
}
