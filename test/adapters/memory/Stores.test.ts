import { Effect, Layer } from "effect"
import * as ActsSuite from "../../ports/ActsSuite.ts"
import * as GameLeasesSuite from "../../ports/GameLeasesSuite.ts"
import * as HoldsSuite from "../../ports/HoldsSuite.ts"
import * as KnownEngineSuite from "../../ports/KnownEngineSuite.ts"
import * as OperationLogSuite from "../../ports/OperationLogSuite.ts"
import * as OverviewSuite from "../../ports/OverviewSuite.ts"
import * as PassLogSuite from "../../ports/PassLogSuite.ts"
import * as PausesSuite from "../../ports/PausesSuite.ts"
import * as RuntimeRecordsSuite from "../../ports/RuntimeRecordsSuite.ts"
import { StoreFixture } from "../../ports/StoreFixture.ts"
import { makeFixture } from "./Fixture.ts"
import { StoreState } from "./StoreState.ts"
import { layerStores } from "./Stores.ts"

const fixture = Layer.effect(StoreFixture, Effect.map(StoreState, makeFixture))

const layer = Layer.provideMerge(fixture, layerStores({ leaseTtl: "1 minute" }))

RuntimeRecordsSuite.suite("RuntimeRecords in memory keeps the contract", layer)
GameLeasesSuite.suite("GameLeases in memory keeps the contract", layer)
KnownEngineSuite.suite("KnownEngine in memory keeps the contract", layer)
HoldsSuite.suite("Holds in memory keeps the contract", layer)
PausesSuite.suite("Pauses in memory keeps the contract", layer)
ActsSuite.suite("Acts in memory keeps the contract", layer)
PassLogSuite.suite("PassLog in memory keeps the contract", layer)
OperationLogSuite.suite("OperationLog in memory keeps the contract", layer)
OverviewSuite.suite("Overview in memory keeps the contract", layer)
