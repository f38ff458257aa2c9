import type { Container } from "../../../src/domain/Container.ts"
import type { ContainerId } from "../../../src/domain/ContainerId.ts"
import type { ContainerEngineError, EngineId } from "../../../src/ports/ContainerEngine.ts"
import type { Process } from "../kernel/Process.ts"

/** What a process asks of the engine. */
export interface EngineRequest {
  readonly from: Process
  readonly operation: ContainerEngineError["operation"]
  /** As it would stand in the URL. */
  readonly id: string
  readonly force: boolean
  /** Whether somebody still waits for the answer. */
  awaited: boolean
  /** Whether it is still on its way to the engine, or the engine still works on it. */
  pending: boolean
}

/** What arrives at the other end of the connection. */
export type EngineAnswer =
  | { readonly kind: "ok"; readonly value: Container | EngineId | ReadonlyArray<ContainerId> | number | undefined }
  | { readonly kind: "absent" | "conflict" | "error" | "garbage" | "cut" | "unconnected" }

export interface EngineListener {
  /** The engine begins to remove this container, as it is asked to. */
  readonly removes: (request: EngineRequest, container: Container) => void
  /** It is gone. */
  readonly removed: (request: EngineRequest, id: ContainerId) => void
}
