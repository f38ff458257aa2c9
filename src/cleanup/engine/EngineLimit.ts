import { Clock, Effect, Ref, Semaphore } from "effect"
import type { ContainerEngine, ContainerEngineError, RemoveResult } from "../../ports/ContainerEngine.ts"
import * as Level from "./engineLevel.ts"

type Engine = ContainerEngine["Service"]

/** What the end of a call means for the engine's latency. */
type Meaning = "worked" | "failed" | "nothing"

/** A removal that is rejected or finds nothing returns immediately, so it is not a latency sample. */
const meanings = { removed: "worked", absent: "nothing", RemovalRefused: "nothing", RemovalUnknown: "failed" } as const

const meaningOf = (result: RemoveResult): Meaning => meanings[typeof result === "string" ? result : result._tag]

/** Waits, and lends this game's place at the engine to another one meanwhile. */
export type Aside = <A, E>(wait: Effect.Effect<A, E>) => Effect.Effect<A, E>

export interface EngineLimit {
  /** The same engine, with its inspections and removals timed. */
  readonly engine: Engine
  /** The current limit of games at the engine. */
  readonly atOnce: Effect.Effect<number>
  /** Waits until there is room for one more game, at the engine or with the database before and after. */
  readonly withRoom: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Waits for something else inside `withPermit` and `withRoom`, and lends both to another game meanwhile. */
  readonly aside: Aside
  /**
   * Waits for a place at the engine, and works there. The waiting can always be interrupted, the work only if the caller
   * allows it.
   */
  readonly withPermit: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** Limits the games at the engine to the level that `engineLevel.ts` derives from its latency. */
export const make = Effect.fnUntraced(function* (engine: Engine, ceiling: number) {
  const clock = yield* Clock.Clock
  const ref = yield* Ref.make(Level.initial(ceiling))
  const initial = yield* Ref.get(ref)
  const permits = yield* Semaphore.make(initial.atOnce)
  const room = yield* Semaphore.make(Level.underWay(initial))

  const sampled = (sample: Level.Sample) =>
    Effect.flatMap(
      Ref.modify(ref, (level) => {
        const next = Level.sampled(level, sample)
        return [next.atOnce !== level.atOnce || Level.underWay(next) !== Level.underWay(level), next]
      }),
      (isChanged) => (isChanged ? resized : Effect.void)
    )
  const resized = Effect.flatMap(Ref.get(ref), (level) =>
    Effect.andThen(permits.resize(level.atOnce), room.resize(Level.underWay(level)))
  )

  const timed = <A>(
    kind: Level.Sample["kind"],
    call: Effect.Effect<A, ContainerEngineError>,
    meaning: (result: A) => Meaning
  ) =>
    Effect.flatMap(Ref.get(ref), ({ epoch }) => {
      const started = clock.monotonicTimeNanosUnsafe()
      const ended = (how: Meaning) => {
        if (how === "nothing") return Effect.void
        const millis = Number(clock.monotonicTimeNanosUnsafe() - started) / 1e6
        return sampled({ kind, epoch, millis, failed: how === "failed" })
      }
      return call.pipe(
        Effect.tap((result) => ended(meaning(result))),
        Effect.tapError(({ reason }) => ended(reason._tag === "Withheld" ? "nothing" : "failed"))
      )
    })

  return {
    engine: {
      ...engine,
      inspect: (id) => timed("inspect", engine.inspect(id), () => "worked"),
      remove: (id) => timed("remove", engine.remove(id), meaningOf)
    },
    atOnce: Effect.map(Ref.get(ref), ({ atOnce }) => atOnce),
    withRoom: room.withPermit,
    aside: (wait) =>
      // At a ceiling of 1, games go one after another, and a waiting game has already begun.
      ceiling === 1
        ? wait
        : Effect.acquireUseRelease(
            Effect.andThen(permits.release(1), room.release(1)),
            () => wait,
            () => Effect.andThen(room.take(1), permits.take(1))
          ),
    withPermit: (work) =>
      Effect.acquireUseRelease(
        Effect.andThen(Effect.interruptible(permits.take(1)), Ref.update(ref, Level.entered)),
        () => work,
        () => Effect.andThen(Ref.update(ref, Level.left), permits.release(1))
      )
  } satisfies EngineLimit
})
