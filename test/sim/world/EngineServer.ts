import type { ContainerId } from "../../../src/domain/ContainerId.ts"
import type { EngineId } from "../../../src/domain/EngineId.ts"
import type { EngineName } from "../../../src/domain/EngineName.ts"
import { epoch, type Universe } from "../kernel/Universe.ts"
import type { Daemon } from "../model/Daemon.ts"
import type { EngineAnswer, EngineListener, EngineRequest } from "./engine.ts"
import type { Faults } from "./Faults.ts"

interface Job {
  readonly request: EngineRequest
  /** The engine that was behind the address when the request arrived. */
  readonly daemon: Daemon
  readonly answer: (answer: EngineAnswer) => void
  /** Its removal is in progress. */
  begun: boolean
  over: boolean
}

/** What is behind the address of one engine: a daemon, and everything that can go wrong with it. */
export class EngineServer {
  readonly name: EngineName
  present: Daemon
  readonly home: Daemon
  /** Milliseconds that the engine's clock is ahead. */
  clockOffset = 0
  private readonly universe: Universe
  private readonly faults: Faults
  private readonly listener: EngineListener
  /** Milliseconds; a bound for how long things take here. */
  private readonly patience: number
  /** Milliseconds: how long a removal takes at most, if nothing goes wrong. */
  private readonly removalTime: number
  private downUntil = 0
  private frozenUntil = 0
  private readonly hanging = new Map<ContainerId, number>()
  private readonly jobs = new Set<Job>()
  private tookDown = () => {}
  private tookFrozen = () => {}
  private tookHanging = () => {}
  private tookSwapped = () => {}
  private tookHidden = () => {}
  /** By the universe's time: until when each container was hidden behind the same identity, the last time. */
  private readonly outOfSight = new Map<ContainerId, number>()

  constructor(
    universe: Universe,
    faults: Faults,
    name: EngineName,
    home: Daemon,
    { patience, removalTime }: { readonly patience: number; readonly removalTime: number },
    listener: EngineListener
  ) {
    this.universe = universe
    this.faults = faults
    this.name = name
    this.home = home
    this.present = home
    this.patience = patience
    this.removalTime = removalTime
    this.listener = listener
  }

  /** Unix milliseconds by the engine's clock. */
  get clock() {
    if (this.clockOffset !== 0) this.faults.took("engine_clock_off")
    return epoch + this.universe.now + this.clockOffset
  }

  receive(request: EngineRequest, answer: (answer: EngineAnswer) => void) {
    if (this.universe.now < this.downUntil) {
      this.tookDown()
      request.pending = false
      return answer({ kind: "unconnected" })
    }
    if (this.present !== this.home) this.tookSwapped()
    else if (this.home.hidesAny) this.tookHidden()
    const job: Job = { request, daemon: this.present, answer, begun: false, over: false }
    this.jobs.add(job)
    this.serve(job)
  }

  private serve(job: Job) {
    if (job.over || job.begun) return
    const { now } = this.universe
    const { operation, id } = job.request
    const until = Math.max(this.frozenUntil, this.hanging.get(id as ContainerId) ?? 0)
    if (now < until) {
      if (now < this.frozenUntil) this.tookFrozen()
      else this.tookHanging()
      this.universe.after(until - now, () => this.serve(job))
      return
    }
    if (operation === "remove") return this.remove(job)
    this.answer(job, this.look(job))
  }

  private look({ request, daemon }: Job): EngineAnswer {
    switch (request.operation) {
      case "identity":
        return { kind: "ok", value: daemon.identity }
      case "find":
        return { kind: "ok", value: daemon.byLabel(request.id) }
      case "inspect": {
        const container = daemon.inspect(request.id as ContainerId)
        return container === undefined ? { kind: "absent" } : { kind: "ok", value: container }
      }
      default:
        return { kind: "ok", value: undefined }
    }
  }

  private remove(job: Job) {
    const { request, daemon } = job
    const id = request.id as ContainerId
    const container = daemon.inspect(id)
    if (request.force && container !== undefined) {
      this.listener.removes(request, container)
      daemon.removeByForce(id)
      this.listener.removed(request, id)
      return this.answer(job, { kind: "ok", value: undefined })
    }
    const begun = daemon.beginRemoval(id)
    if (begun === "absent") return this.answer(job, { kind: "absent" })
    if (begun !== "done" || container === undefined) return this.answer(job, { kind: "conflict" })

    job.begun = true
    this.listener.removes(request, container)
    if (!request.awaited) this.faults.took("removal_late")
    const failed = this.faults.strikes("removal_failed")
    const slow = this.faults.strikes("removal_slow")
    if (failed) this.faults.took("removal_failed")
    if (slow) this.faults.took("removal_slow")
    const { rng } = this.universe
    const duration = slow ? rng.int(this.patience / 4, this.patience * 3) : rng.int(0, this.removalTime)
    if (this.faults.strikes("removal_left_dead")) {
      this.universe.after(rng.int(0, duration), () => this.restart(rng.int(100, 20_000)))
    }
    this.universe.after(duration, () => {
      if (job.over) return
      daemon.endRemoval(id, failed)
      this.universe.note("engine", failed ? "could not remove" : "removed", id)
      if (!failed) this.listener.removed(request, id)
      this.answer(job, failed ? { kind: "error" } : { kind: "ok", value: undefined })
    })
  }

  private answer(job: Job, answer: EngineAnswer) {
    job.over = true
    job.request.pending = false
    this.jobs.delete(job)
    const { from, operation, id } = job.request
    this.universe.note(
      job.daemon.identity,
      "to",
      from.name,
      operation,
      id,
      answer.kind === "ok" ? answer.value : answer.kind
    )
    const garbage = this.faults.strikes("engine_garbage")
    if (garbage) this.faults.took("engine_garbage")
    job.answer(garbage ? { kind: "garbage" } : answer)
  }

  /** Killed and started again: what it was doing stays half done, every connection is cut. */
  restart(downtime: number) {
    this.cutAll()
    const { present, faults } = this
    this.universe.note("engine", "restarts")
    for (const { state } of present.containers.values()) if (state === "removing") faults.took("removal_left_dead")
    present.restart(this.clock, () => this.universe.rng.chance(0.5))
    this.goDown(downtime, () => {})
  }

  /** Nothing listens at its address; what it is working on goes on, but no answer gets through. */
  goDown(duration: number, took: () => void) {
    this.downUntil = this.universe.now + duration
    this.tookDown = took
  }

  /** It takes requests but works on none, and on all of them afterwards. */
  freeze(duration: number) {
    this.frozenUntil = this.universe.now + duration
    this.tookFrozen = this.faults.once("engine_frozen")
  }

  /** Requests for this one container wait. */
  hang(id: ContainerId, duration: number) {
    this.hanging.set(id, this.universe.now + duration)
    this.tookHanging = this.faults.once("container_hangs")
  }

  swap(other: Daemon, duration: number) {
    this.present = other
    this.tookSwapped = this.faults.once("engine_swapped")
    this.universe.after(duration, () => {
      if (this.present === other) this.present = this.home
    })
  }

  /** Started again so that it sees no container that it has, and later as it was. */
  hide(kind: "containers_hidden" | "containers_out_of_sight", identity: EngineId, duration: number) {
    if (this.present !== this.home || this.home.hidesAny) return
    this.restart(this.universe.rng.int(100, 5000))
    this.home.hide(identity)
    this.tookHidden = this.faults.once(kind)
    this.universe.after(duration, () => {
      if (!this.home.hidesAny || this.present !== this.home) return
      this.restart(this.universe.rng.int(100, 5000))
      this.reveal()
    })
  }

  /** Whether the container was hidden behind the engine's own identity at some time since then. */
  wasOutOfSight(id: ContainerId, since: number) {
    const isNow = this.home.isHidden(id) && this.home.identity === this.home.own
    return isNow || (this.outOfSight.get(id) ?? -1) >= since
  }

  private reveal() {
    const wasSame = this.home.identity === this.home.own
    for (const id of this.home.reveal()) if (wasSame) this.outOfSight.set(id, this.universe.now)
  }

  /** Whatever was wrong with it is over. */
  heal() {
    this.reveal()
    this.downUntil = 0
    this.frozenUntil = 0
    this.hanging.clear()
    this.present = this.home
    this.clockOffset = 0
    for (const job of this.jobs) this.serve(job)
  }

  private cutAll() {
    for (const job of this.jobs) {
      if (job.daemon !== this.present) continue
      this.jobs.delete(job)
      job.over = true
      job.request.pending = false
      job.answer({ kind: "cut" })
    }
  }
}
