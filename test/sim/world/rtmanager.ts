import type { ContainerId } from "../../../src/domain/ContainerId.ts"
import type { RecordRow } from "../model/Tables.ts"
import type { World } from "./World.ts"

/** What others do to games, their records and their containers. Each says whether it had an effect. */

const recordOf = (world: World, gameId: string) => world.database.tables.records.get(gameId)

const containerOf = (world: World, row: RecordRow | undefined) =>
  row?.containerId == null ? undefined : world.engineNamed(row.engine)?.home.inspect(row.containerId as ContainerId)

/** Another part of `rtmanager` takes the game's lease, as the documentation asks; `undefined`: somebody else has it. */
const takeLease = (world: World, gameId: string) => {
  const { tables, clock } = world.database
  const lease = tables.leases.get(gameId)
  if (lease !== undefined && lease.expiresAt > clock) return undefined
  const row = { owner: "rtmanager", token: 0n, expiresAt: clock + world.plan.leaseTtl }
  const taken = world.write(`takes the lease of ${gameId}`, (tables) => {
    row.token = tables.nextToken()
    tables.setLease(gameId, row)
  })
  return taken ? row : undefined
}

const giveLease = (world: World, gameId: string) => {
  if (world.database.tables.leases.get(gameId)?.owner !== "rtmanager") return
  world.write(`gives back the lease of ${gameId}`, (tables) => tables.setLease(gameId, undefined))
}

const startContainer = (
  world: World,
  gameId: string,
  isNew: boolean,
  engine = world.engineNamed(recordOf(world, gameId)?.engine)
): ContainerId | undefined => {
  if (engine === undefined) return undefined
  if (!isNew) {
    const container = containerOf(world, recordOf(world, gameId))
    if (container === undefined || container.gameId !== gameId) return undefined
    return engine.home.start(container.id, engine.clock) === "done" ? container.id : undefined
  }
  const id = world.newContainerId()
  engine.home.create(id, gameId, engine.clock)
  engine.home.start(id, engine.clock)
  return id
}

/** Record and container, in either order and with time in between; sometimes under the game's lease. */
const startAgain = (world: World, gameId: string, isNew: boolean): boolean => {
  const { universe } = world
  const row = recordOf(world, gameId)
  if (row?.status !== "stopped") return false
  const leased = universe.rng.chance(0.5)
  if (leased && takeLease(world, gameId) === undefined) return false
  const isContainerFirst = universe.rng.chance(0.5)
  const before = world.engineNamed(row.engine)
  // A game can move when it gets a new container.
  const engine = isNew && universe.rng.chance(0.5) ? universe.rng.pick(world.engines) : before
  const started = isContainerFirst ? startContainer(world, gameId, isNew, engine) : undefined
  if (isContainerFirst) universe.note("rtmanager", "starts", gameId, started ?? "in vain")
  universe.after(universe.rng.int(0, 300), () => {
    const current = recordOf(world, gameId)
    if (current === undefined || (isContainerFirst && started === undefined)) return giveLease(world, gameId)
    const id = started ?? current.containerId
    world.write(`${gameId} is running`, (tables) =>
      tables.setRecord(gameId, {
        ...current,
        engine: engine?.name ?? current.engine,
        status: "running",
        containerId: id,
        lastOpAt: world.nowMicros
      })
    )
    universe.after(isContainerFirst ? 1 : universe.rng.int(0, 300), () => {
      if (!isContainerFirst) {
        const id = startContainer(world, gameId, isNew) ?? startContainer(world, gameId, true)
        universe.note("rtmanager", "starts", gameId, id)
        const current = recordOf(world, gameId)
        if (id !== undefined && current !== undefined && current.containerId !== id) {
          world.write(`${gameId} has a new container`, (tables) =>
            tables.setRecord(gameId, { ...current, containerId: id })
          )
        }
      }
      if (leased) giveLease(world, gameId)
    })
  })
  return !isContainerFirst || started !== undefined
}

/** A write to a stopped record, which somebody may mend later. */
const spoil = (world: World, gameId: string, what: string, change: Partial<RecordRow> | undefined): boolean => {
  const { universe } = world
  const row = recordOf(world, gameId)
  if (row?.status !== "stopped") return false
  const spoiled = change && { ...row, ...change }
  const done = world.write(`${what} ${gameId}`, (tables) => tables.setRecord(gameId, spoiled))
  if (done && universe.rng.chance(0.6)) {
    universe.after(universe.rng.int(1, world.plan.interval * 2), () => {
      if (recordOf(world, gameId) !== spoiled) return
      world.write(`mends the record of ${gameId}`, (tables) => tables.setRecord(gameId, row))
    })
  }
  return done
}

export const acts = {
  started_again: (world: World, gameId: string) => startAgain(world, gameId, false),

  started_in_new_container: (world: World, gameId: string) => startAgain(world, gameId, true),

  /** `docker start` by hand. */
  started_without_record: (world: World, gameId: string) => {
    if (recordOf(world, gameId)?.status !== "stopped") return false
    const id = startContainer(world, gameId, false)
    if (id !== undefined) world.universe.note("somebody", "starts", id)
    return id !== undefined
  },

  paused_or_restarting: (world: World, gameId: string) => {
    const { universe } = world
    const row = recordOf(world, gameId)
    if (row?.status !== "stopped") return false
    startContainer(world, gameId, false)
    const engine = world.engineNamed(row.engine)
    const container = containerOf(world, row)
    if (engine === undefined || container === undefined) return false
    universe.note("somebody", "pauses or breaks", container.id)
    return universe.rng.chance(0.5)
      ? engine.home.pause(container.id) === "done"
      : engine.home.fallOver(container.id, engine.clock) === "done"
  },

  ended: (world: World, gameId: string) => {
    const { universe } = world
    const row = recordOf(world, gameId)
    if (row?.status !== "running") return false
    const engine = world.engineNamed(row.engine)
    const container = containerOf(world, row)
    if (engine !== undefined && container !== undefined) engine.home.stop(container.id, engine.clock)
    universe.after(universe.rng.int(0, 200), () => {
      const row = recordOf(world, gameId)
      if (row?.status !== "running") return
      world.write(`${gameId} has ended`, (tables) =>
        tables.setRecord(gameId, { ...row, status: "stopped", lastOpAt: world.nowMicros })
      )
    })
    return true
  },

  pruned: (world: World, gameId: string) => {
    const container = containerOf(world, recordOf(world, gameId))
    if (container === undefined || container.state === "running" || container.state === "removing") return false
    world.universe.note("somebody", "removes", container.id)
    world.engineNamed(recordOf(world, gameId)?.engine)?.home.removeByForce(container.id)
    return true
  },

  pruned_all: (world: World) => {
    const engine = world.universe.rng.pick(world.engines)
    world.universe.note("somebody", "prunes all containers of", engine.name)
    return engine.home.prune() > 0
  },

  lease_of_rtmanager: (world: World, gameId: string) => {
    const row = recordOf(world, gameId)
    if (row?.status !== "stopped" || takeLease(world, gameId) === undefined) return false
    const { rng } = world.universe
    if (rng.chance(0.5)) world.universe.after(rng.int(10, 5000), () => giveLease(world, gameId))
    return true
  },

  record_repointed: (world: World, gameId: string) => {
    const { rng } = world.universe
    const others = [...world.database.tables.records.values()].map(({ containerId }) => containerId)
    const containerId = others.length > 0 && rng.chance(0.5) ? rng.pick(others) : world.newContainerId()
    if (containerId === recordOf(world, gameId)?.containerId) return false
    return spoil(world, gameId, "repoints", { containerId })
  },

  /** Of another of our engines, or of one that no service cleans. */
  record_on_another_engine: (world: World, gameId: string) => {
    const engine = world.universe.rng.pick([...world.engines.map(({ name }) => name), "nowhere"])
    if (engine === recordOf(world, gameId)?.engine) return false
    return spoil(world, gameId, "moves to another engine the record of", { engine })
  },

  record_vanished: (world: World, gameId: string) => spoil(world, gameId, "deletes", undefined),

  record_changed_oddly: (world: World, gameId: string) => {
    const future = world.nowMicros + 86_400_000_000n
    const change = world.universe.rng.pick([{ status: "archived" }, { lastOpAt: null }, { lastOpAt: future }])
    return spoil(world, gameId, "changes oddly", change)
  },

  record_undecodable: (world: World, gameId: string) =>
    spoil(world, gameId, "garbles", { problem: "game_id is not a text" })
}
