import { Duration, Effect } from "effect"
import { shared } from "../../src/adapters/postgres/shared.ts"
import { defaultEngine } from "../../src/domain/EngineName.ts"
import { EngineId } from "../../src/ports/ContainerEngine.ts"
import { Process } from "./kernel/Process.ts"
import { make as makeRng } from "./kernel/Rng.ts"
import { Trace } from "./kernel/Trace.ts"
import { epoch, Universe } from "./kernel/Universe.ts"
import { Daemon } from "./model/Daemon.ts"
import * as Stores from "./model/stores.ts"
import { DatabaseServer } from "./world/DatabaseServer.ts"
import { makeWay } from "./world/databasePorts.ts"
import { EngineServer } from "./world/EngineServer.ts"
import * as EnginePort from "./world/enginePort.ts"
import { Faults } from "./world/Faults.ts"
import { Network } from "./world/Network.ts"

/** What the histories run on, with nothing going wrong, and time that passes as soon as something is asked. */
const makeWorld = () => {
  const universe = new Universe(makeRng(1), new Trace(0))
  const faults = new Faults(universe.rng, { enabled: [], perCall: 0 })
  const process = new Process(universe, "11111111-1111-4111-8111-111111111111", {
    shuffled: false,
    maxOpsBeforeYield: 2048,
    onError: () => {}
  })
  const network = new Network(universe, faults, { latency: 5, engineTimeout: 1000, statementTimeout: 1000 })
  const pass = () => void setImmediate(() => universe.runUntil(universe.now + 100))
  return { universe, faults, process, network, pass }
}

/** The simulation's engine, alone. */
export const makeEngine = () => {
  const { universe, faults, process, network, pass } = makeWorld()
  const daemon = new Daemon(EngineId.make("home/none"))
  const times = { patience: 1000, removalTime: 10 }
  const server = new EngineServer(universe, faults, defaultEngine, daemon, times, {
    removes: () => {},
    removed: () => {}
  })
  const ask = EnginePort.makeAsk(process, server, network, { timeout: 1000, onSend: pass })
  return { daemon, engine: EnginePort.make(ask), now: () => server.clock }
}

/** The simulation's database, alone, whose clock is near this machine's. */
export const makeDatabase = () => {
  const { universe, faults, process, network, pass } = makeWorld()
  const server = new DatabaseServer(universe, faults, { applied: () => {}, clockMoved: () => {} })
  server.clockOffset = Date.now() - epoch
  const way = makeWay(process, server, network, { timeout: 1000, onSend: pass })
  return {
    tables: server.tables,
    now: Effect.sync(() => server.clock),
    stores: Stores.make(way, {
      owner: process.name,
      engineName: defaultEngine,
      leaseTtl: Duration.minutes(1),
      share: shared
    })
  }
}
