import type { Container } from "../../../src/domain/Container.ts"
import { isContainerId } from "../../../src/domain/ContainerId.ts"
import type { RecordRow } from "../model/Tables.ts"
import type { World } from "../world/World.ts"

/** How often the games are looked at: milliseconds. */
export const lookEvery = 15_000

/** Watches the quiet phase: every game that is due and healthy goes, and soon. */
export class Liveness {
  private readonly world: World
  /** Until when each game that is due and healthy has time, by the universe's time. */
  private readonly deadlines = new Map<string, number>()

  constructor(world: World) {
    this.world = world
  }

  /** Games that should have been removed by now, and those that still have time. */
  look(): { readonly overdue: ReadonlyArray<string>; readonly open: ReadonlyArray<string> } {
    const { universe, plan, witness, database } = this.world
    const overdue: Array<string> = []
    const open: Array<string> = []
    for (const row of database.tables.records.values()) {
      const { gameId } = row
      const isReady = this.isReady(row)
      if (!isReady || this.isKept(gameId)) {
        this.deadlines.delete(gameId)
        if (isReady) open.push(gameId)
        continue
      }
      const deadline = this.deadlines.get(gameId) ?? this.notBefore(gameId)
      this.deadlines.set(gameId, deadline)
      const passes = 2 * (plan.interval * this.share() + witness.passes.longest)
      if (universe.now > deadline + plan.leaseTtl + passes + lookEvery) overdue.push(gameId)
      else open.push(gameId)
    }
    return { overdue, open }
  }

  /** Now, or when the lease and the backoff that are there now have run out. */
  private notBefore(gameId: string) {
    const { universe, database } = this.world
    const lease = database.tables.leases.get(gameId)?.expiresAt ?? 0
    const backoff = database.tables.backoffs.get(gameId)?.nextAttemptAt ?? 0
    return universe.now + Math.max(0, lease - database.clock, backoff - database.clock)
  }

  /** While a person holds it, or cleaning is paused. */
  private isKept(gameId: string) {
    const { clock, tables } = this.world.database
    const { holds, pause } = tables
    const lasts = ({ until }: { readonly until: number | null }) => until === null || until > clock
    return (
      (pause !== undefined && lasts(pause)) || [...holds.values()].some((hold) => hold.gameId === gameId && lasts(hold))
    )
  }

  /** Passes that are limited to a few games need more of them. */
  private share() {
    const { maxRemovals } = this.world.plan
    return maxRemovals === undefined ? 1 : Math.ceil(this.world.plan.games / maxRemovals)
  }

  private isReady(row: RecordRow): boolean {
    if (row.status !== "stopped" || row.lastOpAt === null || row.problem !== undefined) return false
    const { database, plan } = this.world
    const engine = this.world.engineNamed(row.engine)
    if (engine === undefined) return false
    const cutoff = database.clock - plan.retention
    if (row.lastOpAt >= BigInt(Math.floor(cutoff)) * 1000n) return false
    if (row.containerId !== null && !isContainerId(row.containerId)) return false
    const container = row.containerId === null ? undefined : engine.home.inspect(row.containerId)
    return container === undefined
      ? engine.home.byLabel(row.gameId).length === 0
      : isRemovable(container, row.gameId, cutoff)
  }
}

const isRemovable = (container: Container, gameId: string, cutoff: number) =>
  container.gameId === gameId &&
  container.state !== "running" &&
  container.state !== "paused" &&
  container.state !== "restarting" &&
  container.state !== "removing" &&
  Math.max(container.createdAt, container.startedAt ?? 0, container.finishedAt ?? 0) < cutoff
