import { Duration, Effect, Layer, Redacted, type Scope } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { defaultEngine, EngineName } from "../../src/domain/EngineName.ts"
import { StoreFixture } from "../ports/StoreFixture.ts"
import { type CreatableState, TestEngine } from "./docker.ts"
import * as EngineProxy from "./EngineProxy.ts"
import { type Gate, open } from "./Gate.ts"
import { OtherEngine } from "./otherEngine.ts"
import { freshSchema, layerDatabase, layerFixture, PostgresServer } from "./postgres.ts"
import { micros } from "./records.ts"
import { command } from "./service.ts"

export { layer as layerEngine } from "./docker.ts"

/** How much older than they are the engine's containers look through the proxy. */
const age = Duration.days(40)

export interface WorldOptions {
  readonly age?: Duration.Duration
  /** Stands before the engine. */
  readonly gate?: Gate
  /** What the service calls the engine. */
  readonly engineName?: EngineName
  /** One that is there already, and has the games of other engines too. */
  readonly schema?: string
}

/** A real engine behind the proxy that ages its containers, and a migrated schema of its own on the real server. */
export const world = Effect.fnUntraced(function* (options: WorldOptions = {}) {
  const { url } = yield* PostgresServer
  const engine = yield* TestEngine
  const { engineName = defaultEngine, schema = freshSchema() } = options
  const proxy = yield* EngineProxy.serve(engine.host, { age: options.age ?? age, gate: options.gate ?? open })
  const env = {
    RTMANAGER_DATABASE_URL: Redacted.value(url),
    RTMANAGER_DATABASE_SCHEMA: schema,
    ...(engineName !== defaultEngine && { RTMANAGER_ENGINE_NAME: engineName }),
    RTMANAGER_HTTP_ADDR: "127.0.0.1:0",
    RTMANAGER_GAME_LABEL: engine.gameLabel,
    DOCKER_HOST: `unix://${proxy.socketPath}`
  }
  if (options.schema === undefined) yield* command(["migrate"], env)
  const context = yield* Layer.build(layerFixture.pipe(Layer.provideMerge(layerDatabase(schema))))
  yield* Effect.addFinalizer(() => engine.removeAll)
  return {
    env,
    schema,
    engineName,
    engine,
    proxy,
    store: yield* Effect.provide(StoreFixture, context),
    sql: yield* Effect.provide(SqlClient, context)
  }
})

export type World = Effect.Success<ReturnType<typeof world>>

/** Hosts by the names of their engines: the first is the machine's own engine, the second the other one, over one schema. */
export const twoWorlds = Effect.fnUntraced(function* (
  one: string,
  two: string
): Effect.fn.Return<readonly [World, World], never, PostgresServer | TestEngine | OtherEngine | Scope.Scope> {
  const first = yield* world({ engineName: EngineName.make(one) })
  const second = yield* Effect.provideService(
    world({ engineName: EngineName.make(two), schema: first.schema }),
    TestEngine,
    yield* OtherEngine
  )
  return [first, second]
})

/** A game that ended 40 days ago, with a container in the given state. */
export const game = Effect.fnUntraced(function* (
  { engine, engineName, store }: World,
  gameId: string,
  state: CreatableState,
  changes?: {
    readonly label?: string
    readonly containerId?: string
    readonly engine?: string
    readonly status?: string
    readonly daysAgo?: number
  }
) {
  const id = yield* engine.create({ gameId: changes?.label ?? gameId, state })
  yield* store.put({
    gameId,
    engine: changes?.engine ?? engineName,
    status: changes?.status ?? "stopped",
    containerId: changes?.containerId ?? id,
    imageRef: "games/chess:1",
    backoff: null,
    hold: null,
    lastOpAt: micros(Date.now() - Duration.toMillis(Duration.days(changes?.daysAgo ?? 40)))
  })
  return id
})

/** All rows of a table, in a fixed order, as text: equal before and after means that nothing has changed. */
export const dump = ({ sql }: World, table: string) =>
  Effect.map(sql<{ row: string }>`select t::text as row from ${sql(table)} t order by 1`, (rows) =>
    rows.map(({ row }) => row)
  )
