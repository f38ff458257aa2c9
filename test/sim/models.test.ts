import { Context, Duration, Effect, Layer, Schema } from "effect"
import { RuntimeRecord } from "../../src/domain/RuntimeRecord.ts"
import { ContainerEngine, EngineId } from "../../src/ports/ContainerEngine.ts"
import * as ContainerEngineSuite from "../ports/ContainerEngineSuite.ts"
import * as GameLeasesSuite from "../ports/GameLeasesSuite.ts"
import * as KnownEngineSuite from "../ports/KnownEngineSuite.ts"
import * as RuntimeRecordsSuite from "../ports/RuntimeRecordsSuite.ts"
import { StoreFixture } from "../ports/StoreFixture.ts"
import { containerId } from "../support/world.ts"
import { Process } from "./kernel/Process.ts"
import { make as makeRng } from "./kernel/Rng.ts"
import { Trace } from "./kernel/Trace.ts"
import { epoch, Universe } from "./kernel/Universe.ts"
import { Daemon } from "./model/Daemon.ts"
import * as Stores from "./model/stores.ts"
import { DatabaseServer } from "./world/DatabaseServer.ts"
import { makeSend } from "./world/databasePorts.ts"
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

const isRecord = Schema.is(RuntimeRecord)

const layerEngine = Layer.syncContext(() => {
  const { universe, faults, process, network, pass } = makeWorld()
  const daemon = new Daemon(EngineId.make("home/none"))
  const times = { patience: 1000, removalTime: 10 }
  const server = new EngineServer(universe, faults, daemon, times, { removes: () => {}, removed: () => {} })
  const ask = EnginePort.makeAsk(process, server, network, { timeout: 1000, onSend: pass })
  let containers = 0
  const create: ContainerEngineSuite.EngineFixture["Service"]["create"] = ({ gameId, state }) =>
    Effect.sync(() => {
      const id = containerId(++containers)
      daemon.create(id, gameId, server.clock)
      if (state !== "created") daemon.start(id, server.clock)
      if (state === "exited") daemon.stop(id, server.clock)
      if (state === "paused") daemon.pause(id)
      if (state === "restarting") daemon.fallOver(id, server.clock)
      return id
    })
  return Context.make(ContainerEngine, EnginePort.make(ask)).pipe(
    Context.add(ContainerEngineSuite.EngineFixture, { create })
  )
})

const layerStores = Layer.syncContext(() => {
  const { universe, faults, process, network, pass } = makeWorld()
  const server = new DatabaseServer(universe, faults, { applied: () => {} })
  server.clockOffset = Date.now() - epoch
  const { tables } = server
  const send = makeSend(process, server, network, { timeout: 1000, onSend: pass })
  const fixture = StoreFixture.of({
    put: ({ backoff, ...record }) =>
      Effect.sync(() => {
        const problem = isRecord({ ...record, backoff }) ? undefined : "does not decode"
        tables.setRecord(record.gameId, { ...record, ...(problem && { problem }) })
        tables.setBackoff(record.gameId, backoff ?? undefined)
      }),
    record: (gameId) =>
      Effect.sync(() => {
        const record = tables.records.get(gameId)
        return record && { ...record, backoff: tables.backoffs.get(gameId) ?? null }
      }),
    putLease: ({ gameId, owner, token }, expired) =>
      Effect.sync(() => tables.setLease(gameId, { owner, token, expiresAt: expired ? 0 : Infinity })),
    expireLeases: Effect.sync(() => {
      for (const [gameId, lease] of tables.leases) tables.setLease(gameId, { ...lease, expiresAt: 0 })
    }),
    lease: (gameId) =>
      Effect.sync(() => {
        const lease = tables.leases.get(gameId)
        return lease && { gameId, owner: lease.owner, token: lease.token }
      }),
    leaseLeft: (gameId) => Effect.sync(() => Math.max(0, (tables.leases.get(gameId)?.expiresAt ?? 0) - server.clock)),
    log: (gameId) => Effect.sync(() => tables.log.filter((row) => row.gameId === gameId)),
    clear: Effect.sync(() => {
      tables.records.clear()
      tables.leases.clear()
      tables.backoffs.clear()
      tables.log.length = 0
      tables.known = undefined
    })
  })
  return Stores.make(send, { owner: process.name, leaseTtl: Duration.minutes(1) }).pipe(
    Context.add(StoreFixture, fixture)
  )
})

ContainerEngineSuite.suite("ContainerEngine in the simulation keeps the contract", layerEngine)
RuntimeRecordsSuite.suite("RuntimeRecords in the simulation keeps the contract", layerStores)
GameLeasesSuite.suite("GameLeases in the simulation keeps the contract", layerStores)
KnownEngineSuite.suite("KnownEngine in the simulation keeps the contract", layerStores)
