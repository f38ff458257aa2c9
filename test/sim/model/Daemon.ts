import type { Container } from "../../../src/domain/Container.ts"
import type { ContainerId } from "../../../src/domain/ContainerId.ts"
import type { EngineId } from "../../../src/ports/ContainerEngine.ts"

/** How the engine answers a command; the numbers are HTTP's. */
export type Answer = "done" | "not modified" | "absent" | "conflict"

/**
 * The containers of one engine and what its commands make of them, as Docker does it. Each command is one step: the time
 * between a removal's check and its stop, in which a start can lose, is not modelled.
 */
export class Daemon {
  /** As long as it hides nothing. */
  readonly own: EngineId
  identity: EngineId
  private readonly all = new Map<ContainerId, Container>()
  /** There, but it does not see them. */
  private readonly hidden = new Map<ContainerId, Container>()

  constructor(identity: EngineId) {
    this.own = identity
    this.identity = identity
  }

  /** Started again in another way, so that it sees nothing of what it has; with another identity, or the same. */
  hide(identity: EngineId) {
    this.identity = identity
    for (const [id, container] of this.all) this.hidden.set(id, container)
    this.all.clear()
  }

  /** Started again as it was. What came into being meanwhile would be hidden in turn; here it stays. */
  reveal(): ReadonlyArray<ContainerId> {
    this.identity = this.own
    const revealed = [...this.hidden.keys()]
    for (const [id, container] of this.hidden) this.all.set(id, container)
    this.hidden.clear()
    return revealed
  }

  isHidden(id: ContainerId) {
    return this.hidden.has(id)
  }

  get hidesAny() {
    return this.hidden.size > 0
  }

  get containers(): ReadonlyMap<ContainerId, Container> {
    return this.all
  }

  inspect(id: ContainerId) {
    return this.all.get(id)
  }

  byLabel(gameId: string): ReadonlyArray<ContainerId> {
    return [...this.all.values()].filter((container) => container.gameId === gameId).map(({ id }) => id)
  }

  put(container: Container) {
    this.all.set(container.id, container)
  }

  create(id: ContainerId, gameId: string | null, now: number): Answer {
    if (this.all.has(id)) return "conflict"
    this.put({ id, state: "created", gameId, createdAt: now, startedAt: null, finishedAt: null })
    return "done"
  }

  start(id: ContainerId, now: number): Answer {
    return this.change(id, (container) => {
      if (container.state === "running" || container.state === "restarting") return "not modified"
      if (container.state !== "created" && container.state !== "exited") return "conflict"
      return { ...container, state: "running", startedAt: now }
    })
  }

  stop(id: ContainerId, now: number): Answer {
    return this.change(id, (container) =>
      container.state === "running" || container.state === "paused" || container.state === "restarting"
        ? { ...container, state: "exited", finishedAt: now }
        : "not modified"
    )
  }

  pause(id: ContainerId): Answer {
    return this.change(id, (container) =>
      container.state === "running" ? { ...container, state: "paused" } : "conflict"
    )
  }

  unpause(id: ContainerId): Answer {
    return this.change(id, (container) =>
      container.state === "paused" ? { ...container, state: "running" } : "conflict"
    )
  }

  /** Its process ended and its restart policy is about to start it again. */
  fallOver(id: ContainerId, now: number): Answer {
    return this.change(id, (container) =>
      container.state === "running" ? { ...container, state: "restarting", finishedAt: now } : "conflict"
    )
  }

  /** The first half of a `DELETE` without force: from here on the container cannot be started. */
  beginRemoval(id: ContainerId): Answer {
    return this.change(id, (container) =>
      container.state === "created" || container.state === "exited" || container.state === "dead"
        ? { ...container, state: "removing" }
        : "conflict"
    )
  }

  /** The second half. A removal that fails in between leaves a `dead` container. */
  endRemoval(id: ContainerId, failed = false) {
    const container = this.all.get(id)
    if (container?.state !== "removing") return
    if (failed) this.put({ ...container, state: "dead" })
    else this.all.delete(id)
  }

  removeByForce(id: ContainerId) {
    this.all.delete(id)
  }

  /** `docker container prune` */
  prune() {
    const gone = [...this.all.values()].filter(({ state }) => state === "created" || state === "exited")
    for (const { id } of gone) this.all.delete(id)
    return gone.length
  }

  /** Killed and started again; `restarts` says which running containers their restart policy brings back. */
  restart(now: number, restarts: (id: ContainerId) => boolean) {
    for (const container of this.all.values()) {
      if (container.state === "removing") this.put({ ...container, state: "dead" })
      else if (container.state === "running" || container.state === "paused" || container.state === "restarting") {
        this.put(
          restarts(container.id)
            ? { ...container, state: "running", startedAt: now, finishedAt: now }
            : { ...container, state: "exited", finishedAt: now }
        )
      }
    }
  }

  private change(id: ContainerId, next: (container: Container) => Container | "not modified" | "conflict"): Answer {
    const container = this.all.get(id)
    if (container === undefined) return "absent"
    const changed = next(container)
    if (typeof changed === "string") return changed
    this.put(changed)
    return "done"
  }
}
