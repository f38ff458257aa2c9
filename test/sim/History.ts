import type { Violation } from "./checks/Evidence.ts"
import { Liveness, lookEvery } from "./checks/Liveness.ts"
import { make as makeRng } from "./kernel/Rng.ts"
import { Trace } from "./kernel/Trace.ts"
import { Universe } from "./kernel/Universe.ts"
import type { FaultKind } from "./world/Faults.ts"
import { Fleet } from "./world/Fleet.ts"
import { People } from "./world/People.ts"
import { draw, type Plan } from "./world/Plan.ts"
import { runOnce, type Sabotage } from "./world/Replica.ts"
import { schedule } from "./world/schedule.ts"
import { World } from "./world/World.ts"

export interface HistoryOptions {
  readonly seed: number
  /** How many of the last events are kept. */
  readonly kept?: number
  /** Replaces what the seed has drawn. */
  readonly plan?: (drawn: Plan) => Plan
  readonly sabotage?: Sabotage
  /** Goes on after a violation. */
  readonly toTheEnd?: boolean
}

export interface HistoryResult {
  readonly seed: number
  readonly violations: ReadonlyArray<Violation>
  readonly faults: ReadonlyMap<FaultKind, number>
  /** What acts came to, and how often. */
  readonly acts: ReadonlyMap<string, number>
  /** How attempts and passes ended, and how often. */
  readonly endings: ReadonlyMap<string, number>
  /** Containers that our processes removed. */
  readonly removals: number
  readonly trace: ReadonlyArray<string>
}

/** What may still be on its way when the faults have stopped, a circuit's last wait among it: milliseconds. */
const settling = 240_000

/** How long games that back off are waited for at most: milliseconds. */
const patience = 3 * 3_600_000

/** One history: things go wrong for a while, then no more, and everything that is due must go. */
export const run = (options: HistoryOptions): HistoryResult => {
  // Nobody reads the stacks of simulated failures, and they take most of the time.
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return simulate(options)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

const simulate = ({ seed, kept = 120, plan: change = (drawn) => drawn, sabotage, toTheEnd }: HistoryOptions) => {
  const rng = makeRng(seed)
  const universe = new Universe(rng, new Trace(kept))
  const plan = change(draw(rng))
  universe.note("history", "seed", seed, { ...plan, faults: [...plan.faults] })
  const world = new World(universe, plan)
  const fleet = new Fleet(world, sabotage)
  const people = new People(world, fleet)
  const { witness } = world
  const { evidence } = witness
  const isOver = () => evidence.violations.length > 0 && toTheEnd !== true

  schedule(world, fleet, people)
  for (let place = 0; place < plan.replicas; place++) {
    universe.after(rng.int(0, plan.interval), () => fleet.start(place))
  }
  universe.runUntil(plan.length, isOver)

  if (!isOver()) calm(world, fleet, people)
  universe.runUntil(universe.now + settling, isOver)
  if (!isOver()) watchQuietPhase(world, fleet, isOver)
  if (!isOver()) {
    witness.atEnd()
    lookAtRefusals(world)
    terminateAll(world, fleet, isOver)
  }
  return {
    seed,
    violations: evidence.violations,
    faults: world.faults.counts,
    acts: people.ends,
    endings: evidence.endings,
    removals: witness.engine.removals.size,
    // Put into words only where somebody is going to read it.
    trace: evidence.violations.length > 0 || kept === Infinity ? universe.trace.read() : []
  }
}

/** The faults stop, and a person looks after what waits for one. */
const calm = (world: World, fleet: Fleet, people: People) => {
  const { universe, faults, engines, database, plan } = world
  universe.note("history", "the faults stop")
  faults.on = false
  fleet.listener = () => {}
  for (const engine of engines) engine.heal()
  database.heal()
  for (const process of world.engineOf.keys()) {
    process.wallOffset = 0
    process.continue()
  }
  fleet.startMissing()

  const lookAfter = () => {
    people.endAll()
    for (const engine of engines) {
      const known = database.tables.engines.get(engine.name)
      if (known?.braked) runOnce(world, `person.${engine.name}.${universe.now}`, engine, fleet.options)
    }
    universe.after(plan.interval, lookAfter)
  }
  lookAfter()
}

const watchQuietPhase = (world: World, fleet: Fleet, isOver: () => boolean) => {
  const { universe, witness, plan } = world
  const started = universe.now
  const alive = fleet.running
  witness.passes.longest = 0
  const liveness = new Liveness(world)
  const end = started + plan.leaseTtl + 2 * plan.interval
  while (!isOver()) {
    const { overdue, open } = liveness.look()
    for (const gameId of overdue) witness.evidence.violated("liveness", `${gameId} is due and healthy, but still there`)
    if (universe.now > started + patience || (universe.now >= end && open.length === 0)) break
    universe.runUntil(universe.now + lookEvery, isOver)
  }
  for (const process of alive) {
    if (!isOver() && (witness.passes.lastGood.get(process) ?? 0) < started) {
      witness.evidence.violated("liveness", `${process.name} has done no pass since the faults stopped`)
    }
  }
}

const recordingFaults: ReadonlyArray<FaultKind> = ["recording_refused", "commit_refused", "commit_swallowed"]

/** A connection that was lost, for one, says nothing of what the database records. */
const lookAtRefusals = ({ plan, witness: { evidence } }: World) => {
  const refused = evidence.endings.has("pass ended: cannot_record")
  if (refused && !recordingFaults.some((kind) => plan.faults.has(kind))) {
    evidence.violated("S13", "a pass was refused as cannot_record, and the database records everything")
  }
}

/** With nothing in the way, being told to stop ends a replica by itself. */
const terminateAll = (world: World, fleet: Fleet, isOver: () => boolean) => {
  for (const process of fleet.running) {
    fleet.terminate(process, (inTime) => {
      if (!inTime) world.witness.evidence.violated("shutdown", `${process.name} had to be killed`)
    })
  }
  world.universe.runUntil(world.universe.now + 10_000, isOver)
}
