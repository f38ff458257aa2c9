import { Clock, Context, Duration, Effect, Layer, Ref } from "effect"

/** How late the loop's wake-up may be before the loop counts as stuck. */
const overdue = Duration.seconds(60)

/** The loop's sign of life, by monotonic time. It asks no dependency, so one that hangs cannot make it look dead. */
export class Heartbeat extends Context.Service<
  Heartbeat,
  {
    /** A page or a game ended. */
    readonly beat: Effect.Effect<void>
    /** The loop sleeps for this long from now on. */
    readonly sleep: (duration: Duration.Duration) => Effect.Effect<void>
    /** Whether the loop sleeps and is not overdue, or showed a sign of life lately. */
    readonly alive: Effect.Effect<boolean>
  }
>()("rtmanager/cleanup/Heartbeat") {
  /** `patience`: how long a page or a game may take at most. */
  static readonly layer = (options: { readonly patience: Duration.Duration }) =>
    Layer.effect(
      Heartbeat,
      Effect.gen(function* () {
        const now = Effect.map(Clock.monotonicTimeNanos, Duration.nanos)
        const within = (duration: Duration.Duration) =>
          Effect.flatMap(now, (time) => Ref.set(deadline, Duration.sum(time, duration)))
        const deadline = yield* Ref.make(Duration.sum(yield* now, options.patience))
        return Heartbeat.of({
          beat: within(options.patience),
          sleep: (duration) => within(Duration.sum(duration, overdue)),
          alive: Effect.zipWith(now, Ref.get(deadline), Duration.isLessThanOrEqualTo)
        })
      })
    )
}
