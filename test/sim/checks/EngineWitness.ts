import { Duration } from "effect"
import type { Container } from "../../../src/domain/Container.ts"
import { isContainerId } from "../../../src/domain/ContainerId.ts"
import type { Process } from "../kernel/Process.ts"
import type { EngineListener, EngineRequest } from "../world/engine.ts"
import type { ActWitness } from "./ActWitness.ts"
import { type Attempt, type Evidence, mayGo, type Violation } from "./Evidence.ts"
import type { GuardWitness } from "./GuardWitness.ts"
import type { HoldWitness } from "./HoldWitness.ts"
import type { PauseWitness } from "./PauseWitness.ts"

/** What of a lease's trust a removal must leave over, and what of the lease is not trusted: milliseconds. */
const margin = Duration.toMillis("5 seconds")

const isBusy = ({ state }: Container) => state === "running" || state === "paused" || state === "restarting"

/** A container that a request of ours removed. */
interface Removal {
  readonly attempt: Attempt
  /** Nobody waited for the answer any more. */
  readonly late: boolean
}

/** Who else wants to know of each removal that leaves. */
interface Others {
  readonly holds: HoldWitness
  readonly pauses: PauseWitness
  readonly acts: ActWitness
  readonly guards: GuardWitness
}

/** Sees what our processes ask of the engine and what it does then: S1, S2, S3, S8, S9, S13 and S17. */
export class EngineWitness implements EngineListener {
  /** By container id. */
  readonly removals = new Map<string, Removal>()
  private readonly evidence: Evidence
  private readonly others: Others
  private readonly attempts = new Map<EngineRequest, Attempt>()

  constructor(evidence: Evidence, others: Others) {
    this.evidence = evidence
    this.others = others
  }

  /** A request leaves for the engine. */
  sends(request: EngineRequest) {
    const { evidence } = this
    const { from, operation, id, force } = request
    if (force) evidence.violated("S9", "a removal with force")
    if ((operation === "inspect" || operation === "remove") && !isContainerId(id)) {
      evidence.violated("S9", `${operation} of ${id}`)
    }
    if (operation !== "remove") return
    this.recordingHolds(from)
    this.others.pauses.removes(from)
    this.others.guards.touches(from, `removes ${id}`)
    const candidates = [...evidence.known(from).attempts.values()].filter(
      ({ over, record }) => !over && record?.containerId === id
    )
    const problems = candidates.map((attempt) => this.problem(attempt))
    const good = problems.indexOf(undefined)
    const attempt = candidates[Math.max(0, good)]
    if (attempt === undefined) {
      return evidence.violated("S2", `${from.name} removes ${id}, which is on no record that it has read under a lease`)
    }
    attempt.deletes.push(request)
    this.attempts.set(request, attempt)
    const problem = good < 0 ? problems[0] : undefined
    if (problem !== undefined) {
      evidence.violated(attempt.byHand ? "S17" : problem.invariant, `${from.name}: ${problem.message}`)
    }
    this.others.holds.removes(attempt)
    this.others.acts.removes(attempt)
  }

  private recordingHolds(from: Process) {
    const { evidence } = this
    const known = evidence.known(from)
    if (!known.rehearsed) evidence.violated("S13", `${from.name} removes before it has rehearsed`)
    if (known.unrecorded !== undefined && ++known.unrecorded > evidence.bounds.concurrency) {
      evidence.violated("S13", `${from.name} goes on removing what is not recorded`)
    }
  }

  /** Why this attempt must not remove its record's container now. */
  private problem(attempt: Attempt): Violation | undefined {
    const { leaseTtl, engineTimeout } = this.evidence.bounds
    const { asked, byHand, gameId, moment, process, record, seen } = attempt
    if (record === undefined || moment === undefined || !mayGo(attempt)) {
      return { invariant: "S3", message: `the record of ${gameId} was not stopped and due at the re-read` }
    }
    const { name } = this.evidence.engineOf(process)
    if (record.engine !== name) {
      return {
        invariant: "S14",
        message: `the record of ${gameId} was on ${record.engine} at the re-read, not ${name}`
      }
    }
    if (seen === undefined) return { invariant: "S3", message: `the container of ${gameId} was not looked at` }
    if (seen.gameId !== gameId) return { invariant: "S2", message: `the container of ${gameId} has another's label` }
    if (isBusy(seen) || seen.state === "removing") {
      return { invariant: "S1", message: `the container of ${gameId} is ${seen.state}` }
    }
    if (!byHand && Math.max(seen.createdAt, seen.startedAt ?? 0, seen.finishedAt ?? 0) >= moment.cutoff) {
      return { invariant: "S3", message: `the container of ${gameId} changed after the cutoff` }
    }
    const passed = Math.max(process.monotonic - asked.monotonic, process.wall - asked.wall)
    return passed + engineTimeout + margin > leaseTtl - margin
      ? { invariant: "S8", message: `the lease of ${gameId} was asked for ${passed} ms ago` }
      : undefined
  }

  /** The engine's description of a container has reached a process. */
  sees(process: Process, id: string, container: Container | undefined) {
    for (const attempt of this.evidence.known(process).attempts.values()) {
      if (!attempt.over && attempt.record?.containerId === id) attempt.seen = container
    }
  }

  removes(request: EngineRequest, container: Container) {
    if (isBusy(container)) this.evidence.violated("S1", `a ${container.state} container is removed: ${container.id}`)
    const attempt = this.attempts.get(request)
    if (attempt !== undefined && container.gameId !== attempt.gameId) {
      this.evidence.violated("S2", `the removed container's label is ${container.gameId}, not ${attempt.gameId}`)
    }
  }

  removed(request: EngineRequest, id: string) {
    const attempt = this.attempts.get(request)
    if (attempt === undefined) return
    attempt.removed = true
    this.removals.set(id, { attempt, late: !request.awaited })
  }
}
