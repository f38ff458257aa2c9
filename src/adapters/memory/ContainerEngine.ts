import { Context, Duration, Effect, Layer } from "effect"
import type { Container } from "../../domain/Container.ts"
import type { ContainerId } from "../../domain/ContainerId.ts"
import {
  ContainerEngine,
  ContainerEngineError,
  EngineId,
  RemovalRefused,
  RemovalUnknown,
  type RemoveResult,
  Unreachable
} from "../../ports/ContainerEngine.ts"

export type Operation = ContainerEngineError["operation"]

/** How many requests are remembered, because a large backlog must not fill the memory. */
const callsKept = 10_000

/** One request that the engine received. */
export interface Call {
  readonly operation: Operation
  readonly id: ContainerId | undefined
}

/**
 * Runs before the engine acts on a call; it can change the containers, fail, die or never end. If it fails a `remove`
 * with an `UnexpectedAnswer`, the removal ends as `unknown`, like a cut or garbled answer of a real engine.
 */
export type Intercept = (operation: Operation, id?: ContainerId) => Effect.Effect<void, ContainerEngineError>

/** The other side of the in-memory engine, for the demo and the tests. */
export class MemoryEngine extends Context.Service<
  MemoryEngine,
  {
    /** Adds a container, or replaces the one with this id. */
    readonly put: (container: Container) => Effect.Effect<void>
    /** Removes a container behind the service's back. */
    readonly drop: (id: ContainerId) => Effect.Effect<void>
    readonly containers: Effect.Effect<ReadonlyArray<Container>>
    /** The last requests, at least 10 000, in order of arrival. */
    readonly calls: Effect.Effect<ReadonlyArray<Call>>
    readonly setIdentity: (id: EngineId) => Effect.Effect<void>
    readonly setIntercept: (intercept: Intercept) => Effect.Effect<void>
    /** Carries out the removals whose callers did not wait, as a real engine does once it is back. */
    readonly catchUp: Effect.Effect<void>
  }
>()("rtmanager/adapters/memory/MemoryEngine") {}

const make = (timeout: Duration.Duration) => {
  const containers = new Map<ContainerId, Container>()
  const calls: Array<Call> = []
  const unanswered: Array<ContainerId> = []
  let identity = EngineId.make("memory/none")
  let intercept: Intercept = () => Effect.void

  const receive = Effect.fnUntraced(function* (operation: Operation, id?: ContainerId) {
    if (calls.push({ operation, id }) >= 2 * callsKept) calls.splice(0, callsKept)
    yield* intercept(operation, id)
  })

  const bounded = <A>(operation: Operation, call: Effect.Effect<A, ContainerEngineError>) =>
    Effect.timeoutOrElse(call, {
      duration: timeout,
      orElse: () =>
        Effect.fail(
          new ContainerEngineError({
            operation,
            reason: new Unreachable({ detail: `no answer within ${Duration.format(timeout)}` })
          })
        )
    })

  const carryOut = (id: ContainerId): RemoveResult => {
    const state = containers.get(id)?.state
    if (state === undefined) return "absent"
    if (state !== "created" && state !== "exited" && state !== "dead") {
      return new RemovalRefused({ by: "engine", words: `the engine answered 409: the container is ${state}` })
    }
    containers.delete(id)
    return "removed"
  }

  const engine = ContainerEngine.of({
    ping: bounded("ping", receive("ping")),
    identity: bounded(
      "identity",
      Effect.map(receive("identity"), () => identity)
    ),
    inspect: (id) =>
      bounded(
        "inspect",
        Effect.map(receive("inspect", id), () => containers.get(id))
      ),
    findByGame: (gameId) =>
      bounded(
        "find",
        Effect.map(receive("find"), () =>
          [...containers.values()].filter((container) => container.gameId === gameId).map(({ id }) => id)
        )
      ),
    remove: (id) =>
      receive("remove", id).pipe(
        Effect.onInterrupt(() => Effect.sync(() => unanswered.push(id))),
        Effect.map(() => carryOut(id)),
        Effect.catch((error) => {
          const { reason } = error
          if (reason._tag !== "UnexpectedAnswer") return Effect.fail(error)
          const words = reason.detail
          return Effect.succeed<RemoveResult>(
            (reason.status ?? 0) >= 400 ? new RemovalRefused({ by: "engine", words }) : new RemovalUnknown({ words })
          )
        }),
        Effect.timeoutOrElse({
          duration: timeout,
          orElse: () => Effect.succeed<RemoveResult>(new RemovalUnknown({ words: "no answer" }))
        })
      )
  })

  const memory = MemoryEngine.of({
    put: (container) => Effect.sync(() => containers.set(container.id, container)),
    drop: (id) => Effect.sync(() => containers.delete(id)),
    containers: Effect.sync(() => [...containers.values()]),
    calls: Effect.sync(() => [...calls]),
    setIdentity: (id) =>
      Effect.sync(() => {
        identity = id
      }),
    setIntercept: (replacement) =>
      Effect.sync(() => {
        intercept = replacement
      }),
    catchUp: Effect.sync(() => {
      for (const id of unanswered.splice(0)) carryOut(id)
    })
  })

  return Context.make(ContainerEngine, engine).pipe(Context.add(MemoryEngine, memory))
}

/** An empty engine in this process. It keeps the port's contract, with `timeout` as the engine timeout. */
export const layer = (options: { readonly timeout: Duration.Input }): Layer.Layer<ContainerEngine | MemoryEngine> =>
  Layer.syncContext(() => make(Duration.fromInputUnsafe(options.timeout)))
