import { Console, Effect, Schema } from "effect"

/** Why there are no figures. */
export class BenchFailed extends Schema.TaggedError<BenchFailed>()("BenchFailed", { message: Schema.String }) {}

export const say = (text: string) => Console.error(text)

export const round = (value: number, digits = 1) => Number(value.toFixed(digits))

/** Runs it and gives the seconds that it took. */
export const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const started = performance.now()
    return Effect.map(effect, (value) => ({ value, seconds: (performance.now() - started) / 1000 }))
  })
