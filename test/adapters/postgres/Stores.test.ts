import { Layer } from "effect"
import * as ActsSuite from "../../ports/ActsSuite.ts"
import * as GameLeasesSuite from "../../ports/GameLeasesSuite.ts"
import * as HoldsSuite from "../../ports/HoldsSuite.ts"
import * as KnownEngineSuite from "../../ports/KnownEngineSuite.ts"
import * as OperationLogSuite from "../../ports/OperationLogSuite.ts"
import * as OverviewSuite from "../../ports/OverviewSuite.ts"
import * as PassLogSuite from "../../ports/PassLogSuite.ts"
import * as PausesSuite from "../../ports/PausesSuite.ts"
import * as RuntimeRecordsSuite from "../../ports/RuntimeRecordsSuite.ts"
import { layerStores, postgresServer } from "../../support/postgres.ts"

const layer = Layer.provide(layerStores(), postgresServer())

RuntimeRecordsSuite.suite("RuntimeRecords in PostgreSQL keeps the contract", layer)
GameLeasesSuite.suite("GameLeases in PostgreSQL keeps the contract", layer)
KnownEngineSuite.suite("KnownEngine in PostgreSQL keeps the contract", layer)
HoldsSuite.suite("Holds in PostgreSQL keeps the contract", layer)
PausesSuite.suite("Pauses in PostgreSQL keeps the contract", layer)
ActsSuite.suite("Acts in PostgreSQL keeps the contract", layer)
PassLogSuite.suite("PassLog in PostgreSQL keeps the contract", layer)
OperationLogSuite.suite("OperationLog in PostgreSQL keeps the contract", layer)
OverviewSuite.suite("Overview in PostgreSQL keeps the contract", layer)
