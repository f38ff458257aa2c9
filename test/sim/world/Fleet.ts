import type { Process } from "../kernel/Process.ts"
import type { EngineServer } from "./EngineServer.ts"
import { type ReplicaOptions, type Sabotage, type Sent, serve } from "./Replica.ts"
import type { World } from "./World.ts"

/** `serve` ends itself this long after it was told to stop, whatever still goes on: milliseconds. */
const hardStop = 9000

/** Our replicas: each is a place where one process runs, and after it another. */
export class Fleet {
  readonly places: Array<Process | undefined> = []
  /** Hears of every call of a replica as it leaves. */
  listener: (sent: Sent) => void = () => {}
  private readonly world: World
  private readonly sabotage: Sabotage | undefined
  private started = 0

  constructor(world: World, sabotage: Sabotage | undefined) {
    this.world = world
    this.sabotage = sabotage
  }

  get options(): ReplicaOptions {
    return { onSend: (sent) => this.listener(sent), sabotage: this.sabotage }
  }

  get running(): ReadonlyArray<Process> {
    return this.places.filter((process) => process !== undefined)
  }

  start(place: number) {
    if (this.places[place] !== undefined) return
    // One per process, so that leases of an earlier one are another's.
    const name = `replica-${place}.${++this.started}`
    this.world.universe.note(name, "starts")
    this.places[place] = serve(this.world, name, this.engineAt(place), this.options, () =>
      this.world.witness.evidence.violated("defect", `${name} ended without being told to`)
    )
  }

  /** Every engine has its service. */
  private engineAt(place: number) {
    const { engines } = this.world
    return engines[place % engines.length] as EngineServer
  }

  /** An engine whose service has no process gets one. */
  startMissing() {
    const isServed = (engine: EngineServer) =>
      this.running.some((process) => this.world.engineOf.get(process) === engine)
    for (const [place, engine] of this.world.engines.entries()) if (!isServed(engine)) this.start(place)
  }

  kill(process: Process) {
    this.world.universe.note(process.name, "is killed")
    process.kill()
    this.forget(process)
  }

  /** SIGTERM. Calls back when the process has ended, by itself or by its hard stop. */
  terminate(process: Process, ended: (inTime: boolean) => void) {
    this.world.universe.note(process.name, "is told to stop")
    const stop = this.world.universe.after(hardStop, () => {
      this.kill(process)
      ended(false)
    })
    process.terminate(() => {
      stop.cancelled = true
      this.world.universe.note(process.name, "has ended")
      this.forget(process)
      ended(true)
    })
  }

  restart(process: Process, place: number, delay: number) {
    this.world.universe.after(delay, () => {
      if (this.places[place] === undefined || this.places[place] === process) this.start(place)
    })
  }

  placeOf(process: Process) {
    return this.places.indexOf(process)
  }

  private forget(process: Process) {
    const place = this.placeOf(process)
    if (place >= 0) this.places[place] = undefined
  }
}
