import { Clock, Context, Duration, Effect, Layer, Ref } from "effect"

/** How late the loop's wake-up may be before the loop counts as stuck. */
const overdue = Duration.seconds(60)

interface Life {
  /** By monotonic time. */
  readonly deadline: Duration.Duration
  readonly isAsleep: boolean
}

/** The loop's sign of life, by monotonic time. It asks no dependency, so one that hangs cannot make it look dead. */
export class Heartbeat extends Context.Service<
  Heartbeat,
  {
    /** The loop is awake, and a pass begins. */
    readonly wake: Effect.Effect<void>
    /** A page or a game ended. While the loop sleeps this changes nothing: it was in a pass that a person asked for. */
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
        const life = yield* Ref.make<Life>({ deadline: Duration.sum(yield* now, options.patience), isAsleep: false })
        const within = (duration: Duration.Duration, isAsleep: boolean) =>
          Effect.flatMap(now, (time) => Ref.set(life, { deadline: Duration.sum(time, duration), isAsleep }))
        const wake = within(options.patience, false)
        return Heartbeat.of({
          wake,
          beat: Effect.flatMap(Ref.get(life), ({ isAsleep }) => (isAsleep ? Effect.void : wake)),
          sleep: (duration) => within(Duration.sum(duration, overdue), true),
          alive: Effect.zipWith(now, Ref.get(life), (time, { deadline }) =>
            Duration.isLessThanOrEqualTo(time, deadline)
          )
        })
      })
    )
}
