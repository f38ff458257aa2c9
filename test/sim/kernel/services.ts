import { Clock, Context, Duration, Effect, Logger, Metric, Random, References, Scheduler, Tracer } from "effect"
import type { Rng } from "./Rng.ts"

/** What a simulated process offers to the code that runs in it. Times are milliseconds. */
export interface Host {
  readonly name: string
  readonly wall: number
  readonly monotonic: number
  readonly maxOpsBeforeYield: number
  readonly timer: (millis: number, run: () => void) => () => void
  /** A dispatcher of tasks, which run in the order in which they came to it. */
  readonly makeQueue: () => (task: () => void) => void
  readonly onError: (line: string) => void
}

const makeScheduler = (host: Host): Scheduler.Scheduler => ({
  executionMode: "async",
  shouldYield: (fiber) => fiber.currentOpCount >= host.maxOpsBeforeYield,
  makeDispatcher: () => ({
    scheduleTask: host.makeQueue(),
    flush: () => {
      throw new Error("nothing in a simulated process runs ahead of its scheduler")
    }
  })
})

const makeClock = (host: Host): Clock.Clock => {
  const nanos = (millis: number) => BigInt(Math.round(millis * 1_000_000))
  return {
    currentTimeMillisUnsafe: () => host.wall,
    currentTimeMillis: Effect.sync(() => host.wall),
    currentTimeNanosUnsafe: () => nanos(host.wall),
    currentTimeNanos: Effect.sync(() => nanos(host.wall)),
    monotonicTimeNanosUnsafe: () => nanos(host.monotonic),
    monotonicTimeNanos: Effect.sync(() => nanos(host.monotonic)),
    sleep: (duration) => {
      const millis = Duration.toMillis(duration)
      if (millis <= 0) return Effect.yieldNow
      if (!Number.isFinite(millis)) return Effect.never
      return Effect.callback<void>((resume) => Effect.sync(host.timer(millis, () => resume(Effect.void))))
    }
  }
}

/** Spans as the code expects them, whose ids are counted. */
const makeTracer = (host: Host): Tracer.Tracer => {
  let spans = 0
  return {
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      span._spanId = String(++spans).padStart(16, "0")
      span._traceId = options.parent._tag === "Some" ? options.parent.value.traceId : `${host.name}-${spans}`
      return span
    }
  }
}

/** Everything that Effect would else take from the real machine. */
export const make = (host: Host, rng: Rng): Context.Context<never> => {
  const logger = Logger.make(({ message, cause }) => host.onError(`${String(message)} ${JSON.stringify(cause)}`))
  return Context.empty().pipe(
    Context.add(Scheduler.Scheduler, makeScheduler(host)),
    Context.add(Scheduler.MaxOpsBeforeYield, host.maxOpsBeforeYield),
    Context.add(Clock.Clock, makeClock(host)),
    Context.add(Random.Random, {
      nextDoubleUnsafe: rng.next,
      nextIntUnsafe: () => rng.int(Number.MIN_SAFE_INTEGER / 2, Number.MAX_SAFE_INTEGER / 2)
    }),
    Context.add(Tracer.Tracer, makeTracer(host)),
    Context.add(References.TracerTimingEnabled, false),
    Context.add(References.MinimumLogLevel, "Error"),
    Context.add(Logger.CurrentLoggers, new Set([logger])),
    Context.add(Metric.MetricRegistry, new Map())
  )
}
