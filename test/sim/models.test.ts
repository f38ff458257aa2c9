import { Context, Effect, Layer } from "effect"
import { ContainerEngine } from "../../src/ports/ContainerEngine.ts"
import { makeFixture } from "../adapters/memory/Fixture.ts"
import * as ActsSuite from "../ports/ActsSuite.ts"
import * as ContainerEngineSuite from "../ports/ContainerEngineSuite.ts"
import * as GameLeasesSuite from "../ports/GameLeasesSuite.ts"
import * as HoldsSuite from "../ports/HoldsSuite.ts"
import * as KnownEngineSuite from "../ports/KnownEngineSuite.ts"
import * as OperationLogSuite from "../ports/OperationLogSuite.ts"
import * as OverviewSuite from "../ports/OverviewSuite.ts"
import * as PassLogSuite from "../ports/PassLogSuite.ts"
import * as PausesSuite from "../ports/PausesSuite.ts"
import * as RuntimeRecordsSuite from "../ports/RuntimeRecordsSuite.ts"
import { StoreFixture } from "../ports/StoreFixture.ts"
import { containerId } from "../support/world.ts"
import { makeDatabase, makeEngine } from "./alone.ts"

const layerEngine = Layer.syncContext(() => {
  const { daemon, engine, now } = makeEngine()
  let containers = 0
  const create: ContainerEngineSuite.EngineFixture["Service"]["create"] = ({ gameId, state }) =>
    Effect.sync(() => {
      const id = containerId(++containers)
      daemon.create(id, gameId, now())
      if (state !== "created") daemon.start(id, now())
      if (state === "exited") daemon.stop(id, now())
      if (state === "paused") daemon.pause(id)
      if (state === "restarting") daemon.fallOver(id, now())
      return id
    })
  return Context.make(ContainerEngine, engine).pipe(Context.add(ContainerEngineSuite.EngineFixture, { create }))
})

const layerStores = Layer.syncContext(() => {
  const { now, stores, tables } = makeDatabase()
  return Context.add(stores, StoreFixture, makeFixture(tables, now))
})

ContainerEngineSuite.suite("ContainerEngine in the simulation keeps the contract", layerEngine)
RuntimeRecordsSuite.suite("RuntimeRecords in the simulation keeps the contract", layerStores)
GameLeasesSuite.suite("GameLeases in the simulation keeps the contract", layerStores)
KnownEngineSuite.suite("KnownEngine in the simulation keeps the contract", layerStores)
HoldsSuite.suite("Holds in the simulation keeps the contract", layerStores)
PausesSuite.suite("Pauses in the simulation keeps the contract", layerStores)
ActsSuite.suite("Acts in the simulation keeps the contract", layerStores)
PassLogSuite.suite("PassLog in the simulation keeps the contract", layerStores)
OperationLogSuite.suite("OperationLog in the simulation keeps the contract", layerStores)
OverviewSuite.suite("Overview in the simulation keeps the contract", layerStores)
