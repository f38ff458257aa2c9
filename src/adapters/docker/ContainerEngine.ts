import { type Duration, Effect, Layer } from "effect"
import type { Container } from "../../domain/Container.ts"
import type { ContainerId } from "../../domain/ContainerId.ts"
import { engineId } from "../../domain/EngineId.ts"
import {
  ContainerEngine,
  ContainerEngineError,
  RemovalRefused,
  RemovalUnknown,
  type RemoveResult,
  type UnexpectedAnswer
} from "../../ports/ContainerEngine.ts"
import * as Answers from "./answers.ts"
import * as Requests from "./Requests.ts"

const decodeInfo = Answers.decode(Answers.Info)
const decodeNetwork = Answers.decode(Answers.Network)
const decodeInspected = Answers.decode(Answers.Inspected)
const decodeListed = Answers.decode(Answers.Listed)

/** Turns a call's failure into the port's error. */
const as =
  (operation: ContainerEngineError["operation"]) =>
  <A>(call: Effect.Effect<A, Requests.RequestFailed | UnexpectedAnswer>): Effect.Effect<A, ContainerEngineError> =>
    Effect.mapError(
      call,
      (error) => new ContainerEngineError({ operation, reason: error._tag === "RequestFailed" ? error.reason : error })
    )

/** The client span of one request and of the look at its answer, which fails if there is no usable answer. */
const client = (name: string) => {
  const span = Effect.withSpan(`rtmanager.cleanup.${name}`, { kind: "client" })
  return <A, E extends Requests.RequestFailed | UnexpectedAnswer>(call: Effect.Effect<A, E>) =>
    span(Effect.tapError(call, (error) => Effect.annotateCurrentSpan("error.type", errorTypeOf(error))))
}

/** The status of an answer that is an error, or the name of what went wrong. */
const errorTypeOf = (error: Requests.RequestFailed | UnexpectedAnswer): string => {
  const reason = error._tag === "RequestFailed" ? error.reason : error
  return reason._tag === "UnexpectedAnswer" && (reason.status ?? 0) >= 400 ? String(reason.status) : reason._tag
}

const make = (options: Options) => {
  const request = Requests.make(options)

  const ping = Effect.gen(function* () {
    const answer = yield* request({ method: "GET", path: "/_ping", template: "/_ping" })
    if (answer.status !== 200) return yield* Answers.unexpected(answer, `answered ${answer.status}`)
  }).pipe(client("ping"), as("ping"))

  const info = request({ method: "GET", path: "/info", template: "/info" }).pipe(
    Effect.flatMap(decodeInfo),
    client("info")
  )
  const network = request({ method: "GET", path: "/networks/none", template: "/networks/none" }).pipe(
    Effect.flatMap(decodeNetwork),
    client("network")
  )

  const identity = Effect.all([info, network], { concurrency: 2 }).pipe(
    Effect.map(([info, none]) =>
      engineId({
        id: info.ID,
        none: none.Id,
        driver: info.Driver,
        containerd: Answers.containerdOf(info),
        root: info.DockerRootDir
      })
    ),
    as("identity")
  )

  const inspect = Effect.fnUntraced(
    function* (id: ContainerId) {
      const answer = yield* request({
        method: "GET",
        path: `/containers/${id}/json`,
        template: "/containers/{id}/json"
      })
      if (Answers.saysAbsent(answer, id)) return undefined
      const found = yield* decodeInspected(answer)
      if (found.Id !== id) return yield* Answers.unexpected(answer, "the answer describes another container")
      if (found.Created === null) return yield* Answers.unexpected(answer, "the container was never created")
      const container: Container = {
        id,
        state: found.State.Status,
        gameId: found.Config.Labels?.[options.gameLabel] ?? null,
        createdAt: found.Created,
        startedAt: found.State.StartedAt,
        finishedAt: found.State.FinishedAt,
        anonymousVolumes: Answers.anonymousVolumes(found)
      }
      return container
    },
    client("inspect"),
    as("inspect")
  )

  const findByGame = Effect.fnUntraced(
    function* (gameId: string) {
      const answer = yield* request({
        method: "GET",
        path: "/containers/json",
        template: "/containers/json",
        query: { all: true, filters: { label: [`${options.gameLabel}=${gameId}`] } }
      })
      const listed = yield* decodeListed(answer)
      // The engine applies the filter. If something ignored it, a container without the label is not the game's.
      return listed.filter(({ Labels }) => Labels?.[options.gameLabel] === gameId).map(({ Id }) => Id)
    },
    client("find"),
    as("find")
  )

  const remove = Effect.fnUntraced(
    function* (id: ContainerId): Effect.fn.Return<RemoveResult, Requests.RequestFailed> {
      const answer = yield* request({ method: "DELETE", path: `/containers/${id}`, template: "/containers/{id}" })
      if (answer.status === 204 && answer.fromEngine) return "removed"
      if (Answers.saysAbsent(answer, id)) return "absent"
      const words = Answers.wordsOf(answer)
      if (answer.fromEngine && answer.status >= 400) return new RemovalRefused({ by: "engine", words })
      // After a proxy's 5xx the engine might have received the request.
      if (answer.status >= 400 && answer.status < 500) return new RemovalRefused({ by: "proxy", words })
      return new RemovalUnknown({ words })
    },
    client("remove"),
    Effect.catchIf(
      ({ sent }) => sent,
      ({ reason }) => Effect.succeed<RemoveResult>(new RemovalUnknown({ words: reason.detail }))
    ),
    as("remove")
  )

  return ContainerEngine.of({ ping, identity, inspect, findByGame, remove })
}

export interface Options {
  readonly host: Requests.DockerHost
  /** Per call. */
  readonly timeout: Duration.Input
  /** The label that carries a container's game id. */
  readonly gameLabel: string
}

/** The engine behind `host`. Nothing is sent before the first call, so the layer builds while the engine is down. */
export const layer = (options: Options): Layer.Layer<ContainerEngine> =>
  Layer.sync(ContainerEngine, () => make(options))
