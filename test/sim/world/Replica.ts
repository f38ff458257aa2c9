import { Context, Duration, Effect, Layer } from "effect"
import { shared } from "../../../src/adapters/postgres/shared.ts"
import * as CleanupWorker from "../../../src/cleanup/CleanupWorker.ts"
import * as Circuits from "../../../src/cleanup/circuits.ts"
import { Cleaner } from "../../../src/cleanup/game/Cleaner.ts"
import { CleanupPass } from "../../../src/cleanup/pass/CleanupPass.ts"
import { Heartbeat } from "../../../src/cleanup/pass/Heartbeat.ts"
import { CurrentSettings } from "../../../src/config/CurrentSettings.ts"
import type { Settings } from "../../../src/config/Settings.ts"
import { Acts } from "../../../src/ports/Acts.ts"
import { ContainerEngine } from "../../../src/ports/ContainerEngine.ts"
import { GameLeases } from "../../../src/ports/GameLeases.ts"
import { Holds } from "../../../src/ports/Holds.ts"
import { KnownEngine } from "../../../src/ports/KnownEngine.ts"
import { PassLog } from "../../../src/ports/PassLog.ts"
import { Pauses } from "../../../src/ports/Pauses.ts"
import { RuntimeRecords } from "../../../src/ports/RuntimeRecords.ts"
import * as Watch from "../checks/watch.ts"
import { Process } from "../kernel/Process.ts"
import * as Stores from "../model/stores.ts"
import { makeWay } from "./databasePorts.ts"
import type { EngineServer } from "./EngineServer.ts"
import type { Errand, Wish } from "./Errand.ts"
import * as EnginePort from "./enginePort.ts"
import type { World } from "./World.ts"

/** A call of one of our processes, as it leaves. */
export interface Sent {
  readonly process: Process
  readonly operation: string
  /** Where the call is about one game or one container. */
  readonly subject: string | undefined
}

export type Ports = ContainerEngine | RuntimeRecords | GameLeases | KnownEngine | Holds | Pauses | Acts | PassLog

/** Breaks the code on purpose: the ports as the code gets them, made from the right ones. `wish`: what a person has the process for. */
export type Sabotage = (
  ports: Context.Context<Ports>,
  ask: EnginePort.Ask,
  way: Stores.Way,
  wish: Wish | undefined
) => Context.Context<Ports>

export interface ReplicaOptions {
  readonly onSend: (sent: Sent) => void
  readonly sabotage: Sabotage | undefined
}

const portsOf = (world: World, process: Process, { onSend, sabotage }: ReplicaOptions) => {
  const { plan, witness } = world
  const engine = witness.evidence.engineOf(process)
  const ask = EnginePort.makeAsk(process, engine, world.network, {
    timeout: plan.engineTimeout,
    onSend: (request) => {
      witness.engine.sends(request)
      onSend({ process, operation: request.operation, subject: request.id })
    }
  })
  const way = makeWay(process, world.database, world.network, {
    timeout: plan.statementTimeout,
    onSend: ({ operation, statement }) => {
      witness.acts.sends(process, operation)
      onSend({ process, operation, subject: Stores.gameOf(statement) })
    }
  })
  const stores = Stores.make(way, {
    owner: process.name,
    engineName: engine.name,
    leaseTtl: Duration.millis(plan.leaseTtl),
    share: shared
  })
  const ports = Context.make(ContainerEngine, Watch.engine(witness, process, EnginePort.make(ask))).pipe(
    Context.add(RuntimeRecords, Watch.records(witness, process, Context.get(stores, RuntimeRecords))),
    Context.add(GameLeases, Watch.leases(witness, process, Context.get(stores, GameLeases))),
    Context.add(KnownEngine, Context.get(stores, KnownEngine)),
    Context.add(Holds, Context.get(stores, Holds)),
    Context.add(Pauses, Context.get(stores, Pauses)),
    Context.add(Acts, Context.get(stores, Acts)),
    Context.add(PassLog, Context.get(stores, PassLog))
  )
  return sabotage === undefined ? ports : sabotage(ports, ask, way, witness.evidence.known(process).errand?.wish)
}

const settingsOf = ({ plan }: World) => ({
  retention: Duration.millis(plan.retention),
  maxClockSkew: Duration.millis(plan.maxClockSkew),
  leaseTtl: Duration.millis(plan.leaseTtl),
  engineTimeout: Duration.millis(plan.engineTimeout),
  mode: "enforce" as const,
  concurrency: plan.concurrency,
  pageSize: plan.pageSize,
  maxRemovals: plan.maxRemovals
})

/** The real cleaning over simulated ports. */
const layerPass = (world: World, process: Process, options: ReplicaOptions) => {
  const { witness } = world
  const settings = settingsOf(world)
  const cleaner = Watch.layerCleaner(witness, process).pipe(Layer.provide(Cleaner.layer(settings)))
  return Watch.layerPass(witness, process).pipe(
    Layer.provide(CleanupPass.layer(settings)),
    Layer.provide(cleaner),
    Layer.provideMerge(Heartbeat.layer({ patience: Duration.minutes(2) })),
    Layer.provideMerge(Circuits.layer),
    Layer.provideMerge(Layer.succeedContext(portsOf(world, process, options)))
  )
}

const newProcess = (world: World, name: string, engine: EngineServer) => {
  const process = new Process(world.universe, name, {
    shuffled: world.plan.shuffled,
    maxOpsBeforeYield: world.plan.maxOpsBeforeYield,
    onError: (line) => {
      if (line.includes("defect")) world.witness.evidence.violated("defect", line)
    }
  })
  world.engineOf.set(process, engine)
  return process
}

/** A service like `serve`'s: the loop, until it is told to stop. */
export const serve = (
  world: World,
  name: string,
  engine: EngineServer,
  options: ReplicaOptions,
  onExit: () => void
): Process => {
  const process = newProcess(world, name, engine)
  const loop = CleanupWorker.layer({ interval: Duration.millis(world.plan.interval) })
  process.start(Layer.launch(Layer.provide(loop, layerPass(world, process, options))), onExit)
  return process
}

/** Like `run --accept-absent`: one pass by a person who takes absence as it is. */
export const runOnce = (world: World, name: string, engine: EngineServer, options: ReplicaOptions): Process => {
  const process = newProcess(world, name, engine)
  const pass = Effect.flatMap(CleanupPass, (pass) => pass.runOnce({ trigger: "manual", acceptAbsent: true }))
  process.start(Effect.provide(pass, layerPass(world, process, options)), () => {})
  return process
}

/** One command of a person, over the same ports. */
export const command = (
  world: World,
  name: string,
  engine: EngineServer,
  options: ReplicaOptions,
  errand: Errand,
  work: Effect.Effect<unknown, unknown, Ports | CleanupPass | CurrentSettings>,
  onExit: () => void
): Process => {
  const process = newProcess(world, name, engine)
  world.witness.begins(process, errand)
  // Of all settings the acts use these alone.
  const settings = Layer.succeed(CurrentSettings, settingsOf(world) as Partial<Settings> as Settings)
  process.start(Effect.provide(work, Layer.merge(layerPass(world, process, options), settings)), onExit)
  return process
}
