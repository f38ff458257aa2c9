import { isContainerId } from "../../../src/domain/ContainerId.ts"
import { EngineId } from "../../../src/domain/EngineId.ts"
import type { Process } from "../kernel/Process.ts"
import type { EngineServer } from "./EngineServer.ts"
import type { FaultKind } from "./Faults.ts"
import type { Fleet } from "./Fleet.ts"
import { acts } from "./rtmanager.ts"
import type { World } from "./World.ts"

/** The scene of an incident: the call that drew it, if it waited for one. */
export interface Scene {
  readonly world: World
  readonly fleet: Fleet
  readonly process: Process
  /** That of the process. */
  readonly engine: EngineServer
  readonly gameId: string
}

type Incident = (scene: Scene) => void

/** On the game that is at the scene, or where that cannot be, on others. */
const act =
  (kind: keyof typeof acts): Incident =>
  ({ world, gameId }) => {
    const others = [...world.database.tables.records.keys()]
    const games = [gameId, ...[1, 2, 3].flatMap(() => (others.length === 0 ? [] : [world.universe.rng.pick(others)]))]
    if (games.some((gameId) => acts[kind](world, gameId))) world.faults.took(kind)
  }

/** Milliseconds: from too short to be noticed to several timeouts. */
const duration = ({ universe: { rng }, plan }: World) =>
  rng.pick([rng.int(1, 500), rng.int(1, plan.engineTimeout * 2), rng.int(1000, 120_000)])

/** Milliseconds: until a person has mended it, several passes later at most. */
const longer = ({ universe: { rng }, plan }: World) =>
  rng.pick([rng.int(1, 1000), rng.int(1000, 120_000), plan.interval * rng.int(1, 3)])

const restartLater = ({ world, fleet, process }: Scene, place: number) =>
  fleet.restart(process, place, world.universe.rng.int(100, world.plan.interval))

const stopFor = (scene: Scene, kind: "stopped" | "stopped_beyond_lease", millis: number) => {
  const { world, process } = scene
  world.universe.note(process.name, "is stopped for", millis)
  process.stop()
  world.universe.after(millis, () => {
    if (process.continue() > 0) world.faults.took(kind)
    world.universe.note(process.name, "goes on")
  })
}

const offset = ({ universe: { rng } }: World) =>
  rng.pick([1, -1]) * rng.pick([rng.int(1, 50_000), rng.int(60_000, 600_000), rng.int(600_000, 7_200_000)])

/** With another storage driver, or as if with none of its data. */
const hide = ({ engine, world }: Scene, kind: "containers_hidden" | "containers_out_of_sight") => {
  const { universe, plan, database } = world
  const { own } = engine.home
  if (world.looked.includes(engine)) return
  // Whoever completes the identity of an engine that has been switched before takes that for the right one.
  if (kind === "containers_hidden" && database.tables.engines.get(engine.name)?.id !== own) return
  universe.note("engine", "sees none of its containers:", kind)
  const identity = kind === "containers_hidden" ? EngineId.make(own.replace("overlay2", "vfs")) : own
  engine.hide(kind, identity, universe.rng.int(plan.interval / 4, plan.interval * 3))
}

export const incidents: Partial<Record<FaultKind, Incident>> = {
  engine_frozen: ({ engine, world }) => {
    world.universe.note("engine", "freezes")
    engine.freeze(duration(world))
  },
  engine_down: ({ engine, world }) => {
    world.universe.note("engine", "goes down")
    engine.goDown(duration(world), world.faults.once("engine_down"))
  },
  engine_restarted: ({ engine, world }) => {
    world.faults.took("engine_restarted")
    engine.restart(world.universe.rng.int(100, 20_000))
  },
  engine_swapped: ({ engine, world }) => {
    if (world.looked.includes(engine)) return
    const others = [world.foreign, ...world.engines.filter((other) => other !== engine).map(({ home }) => home)]
    world.universe.note("engine", "is another")
    engine.swap(world.universe.rng.pick(others), duration(world))
  },
  containers_hidden: (scene) => hide(scene, "containers_hidden"),
  containers_out_of_sight: (scene) => hide(scene, "containers_out_of_sight"),
  engine_clock_off: ({ engine, world }) => {
    engine.clockOffset = offset(world)
    world.universe.note("engine", "clock is off by", engine.clockOffset)
  },
  container_hangs: ({ world, gameId }) => {
    const record = world.database.tables.records.get(gameId)
    const id = record?.containerId
    if (!isContainerId(id)) return
    world.universe.note("engine", "hangs on", id)
    world.engineNamed(record?.engine)?.hang(id, duration(world))
  },
  database_down: ({ world }) => {
    world.universe.note("database", "goes down")
    world.database.goDown(duration(world))
  },
  database_frozen: ({ world }) => {
    world.universe.note("database", "freezes")
    world.database.freeze(duration(world))
  },
  database_read_only: ({ world }) => {
    world.universe.note("database", "is read-only")
    world.database.readOnly(duration(world))
  },
  recording_refused: ({ world }) => {
    world.universe.note("database", "refuses to record")
    const operations = ["rehearse", "commit", "settle"]
    world.database.failRecording(longer(world), operations, world.faults.once("recording_refused"))
  },
  commit_refused: ({ world }) => {
    world.universe.note("database", "refuses commits that it took in a rehearsal")
    world.database.failRecording(longer(world), ["commit"], world.faults.once("commit_refused"))
  },
  commit_swallowed: ({ world }) => {
    world.universe.note("database", "lets no record move")
    world.database.failRecording(longer(world), ["commit"], world.faults.once("commit_swallowed"), true)
  },
  database_clock_jumped: ({ world }) => {
    world.database.jump(offset(world))
    world.universe.note("database", "clock is off by", world.database.clockOffset)
  },
  failover_lost_commits: ({ world }) => {
    const { rng } = world.universe
    const lost = world.database.failOver(rng.int(1, 6), rng.int(100, 10_000))
    world.universe.note("database", "fails over and loses", lost.length, "changes")
    world.witness.lost(lost)
    if (lost.some(({ table }) => table !== "token")) world.faults.took("failover_lost_commits")
  },
  killed: (scene) => {
    const { world, fleet, process } = scene
    const place = fleet.placeOf(process)
    if (place < 0) return
    world.faults.took("killed")
    if (world.witness.passes.isBusy(process)) world.faults.took("killed_in_attempt")
    fleet.kill(process)
    restartLater(scene, place)
  },
  stopped: (scene) => stopFor(scene, "stopped", scene.world.universe.rng.int(10, scene.world.plan.leaseTtl)),
  stopped_beyond_lease: (scene) =>
    stopFor(scene, "stopped_beyond_lease", scene.world.plan.leaseTtl * scene.world.universe.rng.int(1, 10)),
  terminated: (scene) => {
    const { world, fleet, process } = scene
    const place = fleet.placeOf(process)
    if (place < 0 || process.state !== "running") return
    world.faults.took("terminated")
    fleet.terminate(process, () => restartLater(scene, place))
  },
  clock_jumped: ({ world, process }) => {
    const before = process.wallOffset
    process.wallOffset = offset(world)
    world.universe.note(process.name, "clock is off by", process.wallOffset)
    world.faults.took("clock_jumped")
    if (world.universe.rng.chance(0.5)) {
      world.universe.after(duration(world), () => {
        if (world.faults.on) process.wallOffset = before
      })
    }
  },
  started_again: act("started_again"),
  started_in_new_container: act("started_in_new_container"),
  started_without_record: act("started_without_record"),
  paused_or_restarting: act("paused_or_restarting"),
  ended: act("ended"),
  pruned: act("pruned"),
  pruned_all: act("pruned_all"),
  lease_of_rtmanager: act("lease_of_rtmanager"),
  record_repointed: act("record_repointed"),
  record_on_another_engine: act("record_on_another_engine"),
  record_vanished: act("record_vanished"),
  record_changed_oddly: act("record_changed_oddly"),
  record_undecodable: act("record_undecodable")
}
