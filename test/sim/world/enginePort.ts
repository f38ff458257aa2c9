import { Effect } from "effect"
import type { Container } from "../../../src/domain/Container.ts"
import type { ContainerId } from "../../../src/domain/ContainerId.ts"
import {
  type ContainerEngine,
  ContainerEngineError,
  type EngineId,
  RemovalRefused,
  RemovalUnknown,
  type RemoveResult,
  UnexpectedAnswer,
  Unreachable
} from "../../../src/ports/ContainerEngine.ts"
import type { Process } from "../kernel/Process.ts"
import type { EngineServer } from "./EngineServer.ts"
import type { EngineAnswer, EngineRequest } from "./engine.ts"
import type { Network } from "./Network.ts"

type Operation = ContainerEngineError["operation"]

/** No answer came in time, however long the engine works on. */
type Outcome = EngineAnswer | { readonly kind: "timeout" }

export interface EnginePortOptions {
  /** Milliseconds. */
  readonly timeout: number
  /** Hears of every request as it leaves. */
  readonly onSend: (request: EngineRequest) => void
}

/** One request as it leaves, and what comes back: never a failure, whatever happened to it. */
export const makeAsk =
  (process: Process, server: EngineServer, network: Network, { timeout, onSend }: EnginePortOptions) =>
  (operation: Operation, id: string, force = false): Effect.Effect<Outcome> =>
    Effect.callback<Outcome>((resume) => {
      const request: EngineRequest = { from: process, operation, id, force, awaited: true, pending: true }
      const settle = (outcome: Outcome) => {
        if (!request.awaited) return
        request.awaited = false
        cancel()
        resume(Effect.succeed(outcome))
      }
      const cancel = process.timer(timeout, () => settle({ kind: "timeout" }))
      onSend(request)
      network.toEngine(request, {
        arrive: (answer) => server.receive(request, answer),
        answer: (answer) => process.deliver(() => settle(answer))
      })
      return Effect.sync(() => {
        request.awaited = false
        cancel()
      })
    })

export type Ask = ReturnType<typeof makeAsk>

const failed = (operation: Operation, kind: Exclude<Outcome["kind"], "ok">) =>
  new ContainerEngineError({
    operation,
    reason:
      kind === "timeout" || kind === "cut" || kind === "unconnected"
        ? new Unreachable({ detail: kind })
        : new UnexpectedAnswer({ status: kind === "garbage" ? undefined : 500, detail: kind })
  })

const removeResults: Record<Exclude<Outcome["kind"], "unconnected">, RemoveResult> = {
  ok: "removed",
  absent: "absent",
  conflict: new RemovalRefused({ by: "engine", words: "conflict" }),
  error: new RemovalRefused({ by: "engine", words: "error" }),
  garbage: new RemovalUnknown({ words: "garbage" }),
  cut: new RemovalUnknown({ words: "cut" }),
  timeout: new RemovalUnknown({ words: "timeout" })
}

/** The port over the simulated engine, answering as the adapter of the real one does. */
export const make = (ask: Ask): ContainerEngine["Service"] => {
  const value = <A>(operation: Operation, id: string) =>
    Effect.flatMap(ask(operation, id), (outcome) =>
      outcome.kind === "ok" ? Effect.succeed(outcome.value as A) : Effect.fail(failed(operation, outcome.kind))
    )
  return {
    ping: value<void>("ping", ""),
    identity: value<EngineId>("identity", ""),
    inspect: (id) =>
      Effect.flatMap(ask("inspect", id), (outcome) => {
        if (outcome.kind === "absent") return Effect.succeed(undefined)
        return outcome.kind === "ok"
          ? Effect.succeed(outcome.value as Container)
          : Effect.fail(failed("inspect", outcome.kind))
      }),
    findByGame: (gameId) => value<ReadonlyArray<ContainerId>>("find", gameId),
    remove: (id) =>
      Effect.flatMap(ask("remove", id), ({ kind }) =>
        kind === "unconnected" ? Effect.fail(failed("remove", kind)) : Effect.succeed(removeResults[kind])
      )
  }
}
