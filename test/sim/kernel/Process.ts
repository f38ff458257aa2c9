import { Effect, type Fiber } from "effect"
import * as Services from "./services.ts"
import type { Inhabitant, Universe } from "./Universe.ts"
import { epoch } from "./Universe.ts"

interface Dispatcher {
  readonly tasks: Array<() => void>
}

interface Arrived {
  readonly kind: "timer" | "answer"
  readonly run: () => void
}

export interface ProcessOptions {
  /** Ready tasks of different fibers run in random order, else in the order in which they became ready. */
  readonly shuffled: boolean
  /** After how many steps a fiber lets others run. */
  readonly maxOpsBeforeYield: number
  /** What is logged at error level or above. */
  readonly onError: (line: string) => void
}

/**
 * One operating system process that runs Effect code: its own clocks, scheduler and timers, all of them simulated. It
 * can be killed and stopped like a real one; what it had sent by then is on its way and no more its own.
 */
export class Process implements Inhabitant, Services.Host {
  readonly name: string
  /** Milliseconds that its wall clock is ahead of the universe. */
  wallOffset = 0
  state: "running" | "stopped" | "dead" = "running"
  private readonly universe: Universe
  readonly maxOpsBeforeYield: number
  readonly onError: (line: string) => void
  private readonly shuffled: boolean
  private readonly born: number
  private readonly ready: Array<Dispatcher> = []
  private readonly arrived: Array<Arrived> = []
  private root: Fiber.Fiber<unknown, unknown> | undefined
  private onExit = () => {}

  constructor(universe: Universe, name: string, options: ProcessOptions) {
    this.universe = universe
    this.name = name
    this.maxOpsBeforeYield = options.maxOpsBeforeYield
    this.onError = options.onError
    this.shuffled = options.shuffled
    this.born = universe.now
  }

  /** Unix milliseconds by its wall clock. */
  get wall() {
    return Math.floor(epoch + this.universe.now + this.wallOffset)
  }

  /** Milliseconds since it began. */
  get monotonic() {
    return this.universe.now - this.born
  }

  /** Runs a program that needs nothing but this process, as its main fiber. */
  start(program: Effect.Effect<unknown, unknown>, onExit: () => void) {
    this.root = Effect.runForkWith(Services.make(this, this.universe.rng))(program)
    this.onExit = onExit
    this.root.addObserver(() => {
      if (this.state === "dead") return
      this.kill()
      this.onExit()
    })
    this.universe.wake(this)
  }

  /** SIGKILL. */
  kill() {
    this.state = "dead"
    this.ready.length = 0
    this.arrived.length = 0
  }

  /** SIGSTOP: its clocks go on, and what arrives waits. */
  stop() {
    if (this.state === "running") this.state = "stopped"
  }

  /** SIGCONT: timers that ran out and answers that arrived are seen in either order. Returns how many there were. */
  continue(): number {
    if (this.state !== "stopped") return 0
    this.state = "running"
    const first = this.universe.rng.pick(["timer", "answer"] as const)
    const arrived = this.arrived.splice(0)
    for (const { run } of arrived.filter(({ kind }) => kind === first)) run()
    for (const { run } of arrived.filter(({ kind }) => kind !== first)) run()
    this.universe.wake(this)
    return arrived.length
  }

  /** SIGTERM: its main fiber is interrupted. */
  terminate(onExit: () => void) {
    this.onExit = onExit
    this.arrive({ kind: "answer", run: () => this.root?.interruptUnsafe() })
  }

  /** Something from outside reaches it: at once, once it runs again, or never. */
  deliver(run: () => void) {
    this.arrive({ kind: "answer", run })
  }

  /** Returns how to call it off. */
  timer(millis: number, run: () => void): () => void {
    const event = this.universe.after(Math.max(1, Math.ceil(millis)), () =>
      this.arrive({
        kind: "timer",
        run: () => {
          if (!event.cancelled) run()
        }
      })
    )
    return () => {
      event.cancelled = true
    }
  }

  makeQueue() {
    const dispatcher: Dispatcher = { tasks: [] }
    return (task: () => void) => {
      if (this.state === "dead") return
      if (dispatcher.tasks.push(task) === 1) this.ready.push(dispatcher)
    }
  }

  private arrive(arrived: Arrived) {
    if (this.state === "dead") return
    if (this.state === "stopped") {
      this.arrived.push(arrived)
      return
    }
    arrived.run()
    this.universe.wake(this)
  }

  runReady() {
    for (let task = this.take(); task !== undefined; task = this.take()) task()
  }

  private take() {
    const index = this.shuffled && this.ready.length > 1 ? this.universe.rng.int(0, this.ready.length - 1) : 0
    const dispatcher = this.ready[index]
    const task = dispatcher?.tasks.shift()
    if (dispatcher?.tasks.length === 0) this.ready.splice(index, 1)
    return task
  }
}
