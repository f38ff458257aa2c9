import type { Universe } from "../kernel/Universe.ts"
import type { DatabaseAnswer, DatabaseRequest } from "./DatabaseServer.ts"
import type { EngineAnswer, EngineRequest } from "./engine.ts"
import type { Faults } from "./Faults.ts"

interface Way<Answer> {
  /** The request has arrived; to be called with its answer, once. */
  readonly arrive: (answer: (answer: Answer) => void) => void
  /** The answer has arrived. */
  readonly answer: (answer: Answer) => void
}

export interface NetworkOptions {
  /** Milliseconds for one way, at most. */
  readonly latency: number
  /** Milliseconds: how long a process waits for an answer. */
  readonly engineTimeout: number
  readonly statementTimeout: number
}

/** The ways between our processes, the engine and the database. */
export class Network {
  private readonly universe: Universe
  private readonly faults: Faults
  private readonly options: NetworkOptions

  constructor(universe: Universe, faults: Faults, options: NetworkOptions) {
    this.universe = universe
    this.faults = faults
    this.options = options
  }

  private get latency() {
    return this.universe.rng.int(1, this.options.latency)
  }

  private strikes(kind: Parameters<Faults["strikes"]>[0]) {
    if (!this.faults.strikes(kind)) return false
    this.faults.took(kind)
    return true
  }

  toEngine(request: EngineRequest, way: Way<EngineAnswer>) {
    const { universe, options } = this
    if (this.strikes("engine_request_lost")) {
      request.pending = false
      if (universe.rng.chance(0.5)) universe.after(this.latency, () => way.answer({ kind: "cut" }))
      return
    }
    const slow = this.strikes("engine_slow") ? universe.rng.int(1, options.engineTimeout * 2) : 0
    const back = universe.rng.chance(0.5)
    universe.after(this.latency + (back ? 0 : slow), () =>
      way.arrive((answer) => {
        if (!this.strikes("engine_answer_lost")) {
          universe.after(this.latency + (back ? slow : 0), () => way.answer(answer))
        } else if (universe.rng.chance(0.5)) universe.after(this.latency, () => way.answer({ kind: "cut" }))
      })
    )
  }

  toDatabase(request: DatabaseRequest, way: Way<DatabaseAnswer>) {
    const { universe, options } = this
    if (this.strikes("statement_unanswered")) return
    const cut = () => universe.after(this.latency, () => way.answer({ kind: "failed", why: "disconnected" }))
    if (this.strikes("statement_lost")) return void cut()
    const late = request.statement.writes && this.faults.strikes("statement_late")
    if (late) request.late = true
    const slow = this.strikes("statement_slow") ? universe.rng.int(1, options.statementTimeout * 1.2) : 0
    const delay = late ? universe.rng.int(options.statementTimeout, options.statementTimeout * 30) : this.latency + slow
    universe.after(delay, () =>
      way.arrive((answer) => {
        if (this.strikes("statement_answer_lost")) cut()
        else universe.after(this.latency, () => way.answer(answer))
      })
    )
  }
}
