import type { Container } from "../../../src/domain/Container.ts"
import { ContainerId } from "../../../src/domain/ContainerId.ts"
import { defaultEngine, EngineName } from "../../../src/domain/EngineName.ts"
import { EngineId } from "../../../src/ports/ContainerEngine.ts"
import { Evidence } from "../checks/Evidence.ts"
import { Witness } from "../checks/Witness.ts"
import type { Process } from "../kernel/Process.ts"
import { epoch, type Universe } from "../kernel/Universe.ts"
import { Daemon } from "../model/Daemon.ts"
import type { RecordRow } from "../model/Tables.ts"
import { DatabaseServer } from "./DatabaseServer.ts"
import { EngineServer } from "./EngineServer.ts"
import type { EngineListener } from "./engine.ts"
import { Faults } from "./Faults.ts"
import { Network } from "./Network.ts"
import type { Plan } from "./Plan.ts"
import { acts } from "./rtmanager.ts"

export const gameLabel = (number: number) => `game-${String(number).padStart(2, "0")}`

/** Everything outside of our processes, with the games in it. */
export class World {
  readonly universe: Universe
  readonly plan: Plan
  readonly faults: Faults
  readonly engines: ReadonlyArray<EngineServer>
  /** No service's. */
  readonly foreign = new Daemon(EngineId.make("other/none"))
  /** Those that a person is about to accept, who sees which one it is: meanwhile nobody puts another one in its place. */
  readonly looked: Array<EngineServer> = []
  /** Which engine each of our processes cleans. */
  readonly engineOf = new Map<Process, EngineServer>()
  readonly database: DatabaseServer
  readonly network: Network
  readonly witness: Witness
  /** Container id → when it came into being, by the universe's time. */
  private readonly born = new Map<string, number>()

  constructor(universe: Universe, plan: Plan) {
    this.universe = universe
    this.plan = plan
    this.faults = new Faults(universe.rng, { enabled: plan.faults, perCall: plan.perCall })
    this.database = new DatabaseServer(universe, this.faults, {
      applied: (...told) => this.witness.applied(...told),
      clockMoved: (...told) => this.witness.clockMoved(...told)
    })
    const times = { patience: plan.engineTimeout, removalTime: plan.removalTime }
    const listener: EngineListener = {
      removes: (request, container) => this.witness.engine.removes(request, container),
      removed: (request, id) => this.witness.engine.removed(request, id)
    }
    this.engines = [defaultEngine, "host-1", "host-2"].slice(0, plan.engines).map((name) => {
      const daemon = new Daemon(EngineId.make(`${name}/none/overlay2:/data`))
      return new EngineServer(universe, this.faults, EngineName.make(name), daemon, times, listener)
    })
    this.network = new Network(universe, this.faults, plan)
    const isOlder = (id: string, time: number) => (this.born.get(id) ?? 0) < time
    const engineOf = (process: Process) => {
      const engine = this.engineOf.get(process)
      if (engine === undefined) throw new Error(`${process.name} cleans no engine`)
      return engine
    }
    const around = { engineOf, databaseClock: () => this.database.clock }
    this.witness = new Witness(new Evidence(universe, this.database.tables, around, { ...plan, isOlder }))
    for (let number = 0; number < plan.games; number++) this.addGame(number)
    if (this.hasManyGames && this.faults.has("most_containers_lost")) {
      universe.after(universe.rng.int(0, plan.interval), () => {
        if (acts.pruned_all(this)) this.faults.took("most_containers_lost")
      })
    }
    // What a failover loses of a completed identity would be completed again, perhaps of a switched engine.
    const isOldForm = universe.rng.chance(0.3) && !this.faults.has("failover_lost_commits")
    for (const { home, name } of plan.engineKnown ? this.engines : []) {
      const id = isOldForm ? EngineId.make(`${name}/none`) : home.own
      const { formerRetention: retention } = plan
      this.database.tables.setKnown(name, { id, braked: false, ...(retention !== undefined && { retention }) })
    }
    this.database.tables.commit()
    this.database.tables.keepFromHere()
  }

  /** The engine that a record names, if there is one of that name. */
  engineNamed(name: string | undefined) {
    return this.engines.find((engine) => engine.name === name)
  }

  /** So many that a brake on absent containers has something to go by. */
  private get hasManyGames() {
    return this.plan.games >= 25
  }

  newContainerId() {
    const id = ContainerId.make((this.born.size + 1).toString(16).padStart(64, "0"))
    this.born.set(id, this.universe.now)
    return id
  }

  /** Microseconds by the database's clock, as `rtmanager` writes them. */
  get nowMicros() {
    return BigInt(Math.floor(this.database.clock)) * 1000n + BigInt(this.universe.rng.int(0, 999))
  }

  /** One statement of `rtmanager`; `false` where the database does not take it. */
  write(what: string, change: (tables: DatabaseServer["tables"]) => void): boolean {
    if (!this.database.writable) return false
    change(this.database.tables)
    const changes = this.database.tables.commit()
    if (changes.length > 0) this.universe.note("rtmanager", what)
    return changes.length > 0
  }

  private addGame(number: number) {
    const { rng } = this.universe
    const { retention, length } = this.plan
    const gameId = gameLabel(number)
    const roll = rng.next()
    const engine = rng.pick(this.engines)
    // Due already, or in the course of the history.
    const ended =
      epoch - (rng.chance(this.hasManyGames ? 0.9 : 0.6) ? retention + rng.int(1, 86_400_000) : rng.int(0, retention))
    const id = this.newContainerId()
    const container: Container = {
      id,
      state: roll < 0.27 ? "running" : rng.chance(0.05) ? "created" : rng.chance(0.05) ? "dead" : "exited",
      gameId,
      createdAt: ended - rng.int(1, length),
      startedAt: ended - rng.int(0, 1000),
      finishedAt: ended - rng.int(0, 500)
    }
    const row: RecordRow = {
      gameId,
      engine: engine.name,
      status: roll < 0.25 ? "running" : roll > 0.97 ? "removed" : "stopped",
      containerId: id,
      imageRef: "registry.example/game:1",
      lastOpAt: BigInt(ended) * 1000n
    }
    const isGone = rng.chance(0.05) && row.status === "stopped"
    const odd = this.makeOdd(row, container)
    this.database.tables.setRecord(gameId, odd.row)
    if (!isGone) engine.home.put(odd.container)
    if (row.status === "running") this.universe.after(rng.int(0, length), () => acts.ended(this, gameId))
  }

  private makeOdd(row: RecordRow, container: Container) {
    const { rng } = this.universe
    const odd = (["id_missing", "id_invalid", "id_shared", "label_wrong"] as const).find(
      (kind) => this.faults.has(kind) && rng.chance(0.12)
    )
    if (odd === undefined || row.status !== "stopped") return { row, container }
    this.faults.took(odd)
    switch (odd) {
      case "id_missing":
        return {
          row: { ...row, containerId: null },
          container: rng.chance(0.5) ? container : { ...container, gameId: "another" }
        }
      case "id_invalid":
        return { row: { ...row, containerId: rng.pick(invalidIds) }, container }
      case "id_shared": {
        const other = rng.pick([...this.database.tables.records.values(), row]).containerId
        return { row: { ...row, containerId: other }, container }
      }
      case "label_wrong":
        return { row, container: { ...container, gameId: rng.pick([null, "another", gameLabel(0)]) } }
    }
  }
}

const invalidIds = ["", "game-01", "a".repeat(63), "A".repeat(64), "../images/x", `${"a".repeat(64)}?force=1`, "\u0000"]
