import { randomUUID } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Duration, Effect, Layer } from "effect"
import { HttpServer } from "effect/http/HttpServer"
import type { SqlClient } from "effect/sql/SqlClient"
import * as Docker from "./adapters/docker/ContainerEngine.ts"
import * as EmbeddedPostgres from "./adapters/embedded/EmbeddedPostgres.ts"
import * as Memory from "./adapters/memory/ContainerEngine.ts"
import * as Acts from "./adapters/postgres/Acts.ts"
import * as Database from "./adapters/postgres/Database.ts"
import * as GameLeases from "./adapters/postgres/GameLeases.ts"
import * as Holds from "./adapters/postgres/Holds.ts"
import * as KnownEngine from "./adapters/postgres/KnownEngine.ts"
import { migrate } from "./adapters/postgres/migrations.ts"
import * as OperationLog from "./adapters/postgres/OperationLog.ts"
import * as Overview from "./adapters/postgres/Overview.ts"
import * as PassLog from "./adapters/postgres/PassLog.ts"
import * as Pauses from "./adapters/postgres/Pauses.ts"
import * as RoleRights from "./adapters/postgres/RoleRights.ts"
import * as RuntimeRecords from "./adapters/postgres/RuntimeRecords.ts"
import { sampleRecords } from "./adapters/postgres/samples.ts"
import * as Circuits from "./cleanup/circuits.ts"
import { Cleaner, type CleanerOptions } from "./cleanup/game/Cleaner.ts"
import { margin } from "./cleanup/game/remove.ts"
import { CleanupPass, type CleanupPassOptions } from "./cleanup/pass/CleanupPass.ts"
import { Heartbeat } from "./cleanup/pass/Heartbeat.ts"
import { CommandFailed, commandFailed, exitCode } from "./cli/CommandFailed.ts"
import { Migrations } from "./cli/migrate.ts"
import { SampleGames } from "./cli/SampleGames.ts"
import { SampleServer } from "./cli/serveSamples.ts"
import { CurrentSettings } from "./config/CurrentSettings.ts"
import { serverAt } from "./config/databaseUrl.ts"
import { decode, type Settings } from "./config/Settings.ts"
import { version } from "./config/version.ts"
import { nodeServer } from "./http/nodeServer.ts"
import * as EngineAttribute from "./observability/engineAttribute.ts"
import * as Logging from "./observability/logging.ts"
import * as Telemetry from "./observability/Telemetry.ts"
import { TelemetryProbe } from "./operator/doctor.ts"
import type { ContainerEngine } from "./ports/ContainerEngine.ts"

/** One per process: the owner of its leases and its `service.instance.id`. */
const instanceId = randomUUID()

/**
 * A statement must end while the lease that it relies on is still trusted: a look and a removal that both time out use
 * up twice the engine timeout, and the last part of a lease is not trusted.
 */
const statementTimeout = ({ database, leaseTtl, engineTimeout }: Settings) =>
  Duration.min(database.timeout, Duration.subtract(leaseTtl, Duration.sum(Duration.times(engineTimeout, 2), margin)))

const unreachable = ({ message }: { readonly message: string }) =>
  new CommandFailed({ code: exitCode.dependency, message })

/** A private PostgreSQL in the folder; it migrates itself. */
const layerEmbedded = (directory: string, options: Omit<Database.Options, "server">) =>
  EmbeddedPostgres.make(directory).pipe(
    Effect.mapError(unreachable),
    Effect.map(({ url }) => ({ ...options, server: serverAt(url) })),
    Effect.tap((options) =>
      Effect.mapError(migrate, commandFailed).pipe(Effect.provide(Database.layer({ ...options, forMigration: true })))
    ),
    Effect.map(Database.layer),
    Layer.unwrap
  )

const layerDatabase = (settings: Settings, more: Pick<Database.Options, "forMigration"> = {}) => {
  const { location, schema, pool } = settings.database
  const options = { schema, pool, timeout: statementTimeout(settings), ...more }
  return location._tag === "Embedded"
    ? layerEmbedded(location.directory, options)
    : Database.layer({ ...options, server: location.server })
}

const layerStores = ({ engineName, leaseTtl }: Pick<Settings, "engineName" | "leaseTtl">) =>
  Layer.mergeAll(
    Acts.layer,
    RoleRights.layer,
    Holds.layer,
    Pauses.layer,
    RuntimeRecords.layer({ engineName }),
    KnownEngine.layer({ engineName }),
    GameLeases.layer({ owner: instanceId, leaseTtl, engineName }),
    PassLog.layer({ owner: instanceId, engineName }),
    OperationLog.layer,
    Overview.layer({ engineName })
  )

const layerEngine = ({ engine, engineTimeout, gameLabel }: Settings) =>
  Docker.layer({ host: engine, timeout: engineTimeout, gameLabel })

const layerCleanup = (options: CleanupPassOptions & CleanerOptions) => {
  const patience = Duration.sum(Duration.times(options.engineTimeout, 2), Duration.seconds(30))
  return CleanupPass.layer(options).pipe(
    Layer.provideMerge(Layer.merge(Cleaner.layer(options), Heartbeat.layer({ patience })))
  )
}

/** Settings first, then logging and telemetry, then the layer that `build` makes from the settings. */
const withSettings = <A, E, R>(build: (settings: Settings) => Layer.Layer<A, E, R>) =>
  Layer.unwrap(
    Effect.map(decode(process.env, { isTerminal: process.stderr.isTTY === true }), (settings) =>
      build(settings).pipe(
        Layer.provideMerge(Telemetry.layer({ otel: settings.otel, serviceVersion: version, instanceId })),
        Layer.provideMerge(Logging.layer(settings.log)),
        Layer.provideMerge(EngineAttribute.layer(settings)),
        Layer.provideMerge(Layer.succeed(CurrentSettings, settings))
      )
    )
  )

/** Where a port has a circuit, its callers get that. */
const layerPorts = (settings: Settings, engine = layerEngine(settings)) =>
  Circuits.layer.pipe(
    Layer.provideMerge(Layer.merge(layerStores(settings).pipe(Layer.provide(layerDatabase(settings))), engine))
  )

/** For the commands that make no pass. */
export const ports = withSettings(layerPorts)

/** For `doctor`. */
export const doctor = Layer.provideMerge(
  Layer.succeed(
    TelemetryProbe,
    TelemetryProbe.of({
      send: (signal, url) =>
        Effect.flatMap(
          Effect.promise(() => import("./observability/tryExport.ts")),
          ({ tryExport }) => tryExport(signal, url)
        )
    })
  ),
  ports
)

/** For `run` and `clean`. The benchmark passes its own engine. */
export const pass = (engine?: Layer.Layer<ContainerEngine>) =>
  withSettings((settings) => layerCleanup(settings).pipe(Layer.provideMerge(layerPorts(settings, engine))))

const layerHttp = (address: Settings["http"]) =>
  NodeHttpServer.layerServer(nodeServer, { ...address, gracefulShutdownTimeout: "1 second" })

const unusable = (message: string) =>
  Layer.effect(HttpServer, Effect.fail(new CommandFailed({ code: exitCode.unusable, message })))

/** For `serve`. */
export const service = withSettings((settings) =>
  layerCleanup(settings).pipe(
    Layer.provideMerge(layerPorts(settings)),
    Layer.provideMerge(NodeHttpServer.layerHttpServices),
    Layer.provideMerge(
      Layer.catch(layerHttp(settings.http), ({ cause }) => unusable(`RTMANAGER_HTTP_ADDR cannot be used: ${cause}`))
    )
  )
)

/** For `migrate`. */
export const migrations = withSettings((settings) =>
  Layer.effect(
    Migrations,
    Effect.map(Effect.context<Database.Database | SqlClient>(), (context) =>
      Migrations.of({ migrate: Effect.provide(migrate, context) })
    )
  ).pipe(Layer.provide(layerDatabase(settings, { forMigration: true })))
)

/** For `demo`: a database of its own in a temporary folder, an engine in this process, and settings that are the same everywhere. */
export const demo = Layer.unwrap(
  Effect.gen(function* () {
    const directory = yield* Effect.acquireRelease(
      Effect.tryPromise({
        try: () => mkdtemp(join(tmpdir(), "rtmanager-demo-")),
        catch: (error) =>
          new CommandFailed({
            code: exitCode.unusable,
            message: `cannot create a folder for temporary files: ${error}`
          })
      }),
      (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
    )
    const settings = yield* decode({
      RTMANAGER_DATABASE_URL: `embedded:${directory}`,
      RTMANAGER_API_TOKENS_FILE: join(directory, "tokens"),
      RTMANAGER_DATABASE_TIMEOUT: "20s",
      RTMANAGER_CLEANUP_INTERVAL: "5s"
    })
    const stores = Layer.provideMerge(layerStores(settings), layerDatabase(settings))
    return Layer.mergeAll(layerSampleGames, layerSampleServer, layerCleanup(settings)).pipe(
      Layer.provideMerge(Layer.merge(stores, Memory.layer({ timeout: settings.engineTimeout }))),
      Layer.provideMerge(NodeHttpServer.layerHttpServices),
      Layer.provideMerge(Logging.layer({ level: "None", format: "pretty" })),
      Layer.provideMerge(Layer.succeed(CurrentSettings, settings))
    )
  })
)

const layerSampleServer = Layer.succeed(
  SampleServer,
  SampleServer.of({
    listen: (port) =>
      layerHttp({ host: "127.0.0.1", port }).pipe(
        Layer.catch(() => layerHttp({ host: "127.0.0.1", port: 0 })),
        Layer.catch(({ cause }) => unusable(`127.0.0.1 cannot be used: ${cause}`))
      )
  })
)

const layerSampleGames = Layer.effect(
  SampleGames,
  Effect.gen(function* () {
    const engine = yield* Memory.MemoryEngine
    const records = yield* sampleRecords
    return SampleGames.of({
      putHistory: records.putHistory,
      put: ({ record, container }) =>
        Effect.andThen(records.put(record), container === undefined ? Effect.void : engine.put(container)),
      look: Effect.fnUntraced(function* ({ record, container }) {
        const left = yield* engine.containers
        const { status, reason } = yield* records.look(record.gameId)
        return { status, reason, containerLeft: left.some(({ id }) => id === container?.id) }
      })
    })
  })
)
