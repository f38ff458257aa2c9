import { Deferred, Duration, Effect, FileSystem, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as Memory from "../../src/adapters/memory/ContainerEngine.ts"
import * as Circuits from "../../src/cleanup/circuits.ts"
import { Cleaner, type CleanerOptions } from "../../src/cleanup/game/Cleaner.ts"
import type { PauseGate } from "../../src/cleanup/game/PauseGate.ts"
import type { Recording } from "../../src/cleanup/game/Recording.ts"
import { CleanupPass, type CleanupPassOptions } from "../../src/cleanup/pass/CleanupPass.ts"
import { Heartbeat } from "../../src/cleanup/pass/Heartbeat.ts"
import { decode } from "../../src/config/Settings.ts"
import type { Container } from "../../src/domain/Container.ts"
import { defaultEngine } from "../../src/domain/EngineName.ts"
import type { RuntimeRecord } from "../../src/domain/RuntimeRecord.ts"
import { ContainerEngineError, UnexpectedAnswer, Unreachable } from "../../src/ports/ContainerEngine.ts"
import { StoreError, Unavailable } from "../../src/ports/StoreError.ts"
import { StoreState } from "../adapters/memory/StoreState.ts"
import { layerStores } from "../adapters/memory/Stores.ts"
import { containerId, micros } from "./records.ts"
import { testIn } from "./testIn.ts"

export { containerId }

export const now = Date.UTC(2026, 10, 1)
/** Every setting as the service has it where only what must be set is: layers take more than they ask for. */
export const settings = Effect.runSync(
  decode({ RTMANAGER_DATABASE_URL: "postgres://rt:password@db.internal/games" }).pipe(
    Effect.provide(FileSystem.layerNoop({}))
  )
)
export const { retention, engineTimeout, leaseTtl, maxClockSkew } = settings
/** The cutoff of a pass that starts at `now`. */
export const cutoff = now - Duration.toMillis(retention)
export const moment = { now, cutoff }

type WorldOptions = Partial<CleanupPassOptions & Pick<CleanerOptions, "concurrency" | "engineTimeout">>

/** The whole service on in-memory ports, at `now`. */
export const layerWorld = (options?: WorldOptions) =>
  CleanupPass.layer({ ...settings, ...options }).pipe(
    Layer.provideMerge(Layer.merge(Cleaner.layer({ ...settings, ...options }), layerHeartbeat)),
    Layer.provide(Circuits.layer),
    Layer.provideMerge(options?.engineTimeout === undefined ? layerPorts : portsWith(options.engineTimeout)),
    Layer.provideMerge(Layer.effectDiscard(TestClock.setTime(now)))
  )

export const layerHeartbeat = Heartbeat.layer({ patience: Duration.minutes(1) })

const portsWith = (timeout: Duration.Duration) => Layer.mergeAll(layerStores({ leaseTtl }), Memory.layer({ timeout }))

export const layerPorts = portsWith(engineTimeout)

/** Tests of the whole service, as it is by default or with options of their own. */
export const inWorld = Object.assign(testIn(layerWorld()), {
  with: (options: WorldOptions) => testIn(layerWorld(options))
})

/** For an attempt outside of a pass: a database that is known to record. */
export const recording: Recording = {
  rehearse: () => Effect.void,
  begin: () => Effect.succeed("begun"),
  check: () => Effect.void,
  fail: () => Effect.void,
  end: () => Effect.void,
  conclude: Effect.void
}

/** For an attempt outside of a pass: nobody has paused cleaning. */
export const unpaused: PauseGate = { ensure: Effect.void, isFresh: Effect.succeed(true) }

/** What comes first at every such call to the engine. */
export const atEngine = (operation: Memory.Operation, what: ReturnType<Memory.Intercept>) =>
  Effect.flatMap(Memory.MemoryEngine, ({ setIntercept }) =>
    setIntercept((asked) => (asked === operation ? what : Effect.void))
  )

/** Holds every such call to the engine: `reached` once there is one, until `letGo`. */
export const heldAtEngine = Effect.fnUntraced(function* (operation: Memory.Operation) {
  const reached = yield* Deferred.make<void>()
  const answer = yield* Deferred.make<void>()
  yield* atEngine(operation, Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(answer)))
  return { reached: Deferred.await(reached), letGo: Deferred.succeed(answer, undefined) }
})

export const unreachable = new ContainerEngineError({
  operation: "inspect",
  reason: new Unreachable({ detail: "refused" })
})
export const garbage = new ContainerEngineError({
  operation: "inspect",
  reason: new UnexpectedAnswer({ status: 200, detail: "garbage" })
})
export const storeDown = new StoreError({ operation: "clock", reason: new Unavailable({ cause: new Error("down") }) })

export const runOnce = Effect.flatMap(CleanupPass, (pass) => pass.runOnce({ trigger: "manual" }))

const ended = cutoff - Duration.toMillis("1 day")

interface Changes {
  readonly record?: Partial<RuntimeRecord>
  readonly container?: Partial<Container> | null
}

/** A game that ended a day before the cutoff, with its container stopped at that time; both can be changed. */
export const seed = Effect.fnUntraced(function* (gameId: string, number: number, changes?: Changes) {
  const state = yield* StoreState
  state.records.set(gameId, {
    gameId,
    engine: defaultEngine,
    status: "stopped",
    containerId: containerId(number),
    imageRef: "registry.example/game:1",
    lastOpAt: micros(ended),
    backoff: null,
    hold: null,
    ...changes?.record
  })
  if (changes?.container !== null) yield* seedOnEngine(gameId, number, changes?.container)
})

/** So many such games: `game-0` and on, with the containers 0 and on. */
export const seedMany = (count: number, changes?: Changes) =>
  Effect.forEach(Array.from({ length: count }), (_, i) => seed(`game-${i}`, i, changes))

/** Such a game's container alone. */
export const seedOnEngine = Effect.fnUntraced(function* (gameId: string, number: number, changes?: Partial<Container>) {
  yield* (yield* Memory.MemoryEngine).put({
    id: containerId(number),
    state: "exited",
    gameId,
    createdAt: ended - 2,
    startedAt: ended - 1,
    finishedAt: ended,
    ...changes
  })
})

/** The acts as the tables have them, oldest first, without what the database adds. */
export const actRows = Effect.map(StoreState, ({ acts }) =>
  [...acts.values()].map(({ askedAt: _, endedAt: __, id: ___, key: ____, ...row }) => row)
)
