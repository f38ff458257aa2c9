import { Context, Data, type Effect, Schema } from "effect"
import type { Container } from "../domain/Container.ts"
import type { ContainerId } from "../domain/ContainerId.ts"
import { EngineId } from "../domain/EngineId.ts"

export { EngineId }

/** No answer: the connection was refused, cut or not answered within the engine timeout. */
export class Unreachable extends Schema.TaggedError<Unreachable>()("Unreachable", {
  detail: Schema.String
}) {}

/** An answer that is neither a success nor a known refusal. `status` is its HTTP status, if it had one. */
export class UnexpectedAnswer extends Schema.TaggedError<UnexpectedAnswer>()("UnexpectedAnswer", {
  status: Schema.UndefinedOr(Schema.Int),
  detail: Schema.String
}) {}

/** The call was not made, because the engine is known to be away. */
export class Withheld extends Schema.TaggedError<Withheld>()("Withheld", {
  detail: Schema.String
}) {}

export class ContainerEngineError extends Schema.TaggedError<ContainerEngineError>()("ContainerEngineError", {
  operation: Schema.Literals(["ping", "identity", "inspect", "find", "remove"]),
  reason: Schema.Union([Unreachable, UnexpectedAnswer, Withheld])
}) {
  override get message() {
    return `engine ${this.operation}: ${this.reason.detail}`
  }
}

/**
 * An error status in answer to a removal. `engine`: the engine itself refused (the answer has the `Api-Version` header;
 * 409 is one of these), so no removal of ours is in flight. `proxy`: a proxy's 4xx, which has most likely not passed
 * the request on. `words` are printable.
 */
export class RemovalRefused extends Data.TaggedClass("RemovalRefused")<{
  readonly by: "engine" | "proxy"
  readonly words: string
}> {}

/** No answer, or an unusable one: the engine might still carry out the request. `words` say what came, and are printable. */
export class RemovalUnknown extends Data.TaggedClass("RemovalUnknown")<{ readonly words: string }> {}

/**
 * `removed`: our request removed it (the engine's own 204). `absent`: it was not there. After the others only another look can
 * tell.
 */
export type RemoveResult = "removed" | "absent" | RemovalUnknown | RemovalRefused

/**
 * The engine, asked for one thing at a time. Every call ends within the engine timeout, follows no redirect and decodes
 * its answer. Only the engine itself can report a removal or an absence: a proxy's 404 is an `UnexpectedAnswer`.
 */
export class ContainerEngine extends Context.Service<
  ContainerEngine,
  {
    /** Succeeds if the engine answers at all. */
    readonly ping: Effect.Effect<void, ContainerEngineError>
    readonly identity: Effect.Effect<EngineId, ContainerEngineError>
    /** `undefined` if the engine says that there is no such container. */
    readonly inspect: (id: ContainerId) => Effect.Effect<Container | undefined, ContainerEngineError>
    /** All containers, in any state, whose label names the game. */
    readonly findByGame: (gameId: string) => Effect.Effect<ReadonlyArray<ContainerId>, ContainerEngineError>
    /**
     * Removes a container that does not run, without force, and keeps its volumes. Fails only if the request certainly
     * did not reach the engine. Interruption ends the waiting, not the removal.
     */
    readonly remove: (id: ContainerId) => Effect.Effect<RemoveResult, ContainerEngineError>
  }
>()("rtmanager/ports/ContainerEngine") {}
