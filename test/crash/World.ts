import { Duration, Effect, Redacted, type Scope } from "effect"
import { defaultEngine } from "../../src/domain/EngineName.ts"
import * as EngineProxy from "../support/EngineProxy.ts"
import * as E2e from "../support/e2e.ts"
import { eventually } from "../support/eventually.ts"
import type { Gate } from "../support/Gate.ts"
import { makePostgresProxy } from "../support/PostgresProxy.ts"
import { PostgresServer } from "../support/postgres.ts"
import { type Process, start } from "../support/service.ts"
import { fixtures, type Game, isOfWorld, type KindName, kinds, put, recordRows } from "./games.ts"

/** Variables on top of a world's own. */
export type Env = Readonly<Record<string, string>>

/** As short as a busy machine allows, for whoever has to wait for them: the lease is the shortest for this timeout. */
export const short: Env = { RTMANAGER_ENGINE_TIMEOUT: "2s", RTMANAGER_GAME_LEASE_TTL: "16s" }

/** One engine's records in a schema and its games' containers, with all that is known of them, for any number of processes one after another. */
export interface World {
  readonly parts: E2e.World
  readonly games: Map<string, Game>
  readonly unaged: Set<string>
  /** Games whose records rtmanager itself moved to `removed`, with no audit row of ours. */
  readonly movedByOthers: Set<string>
  /** Error codes that this world's faults excuse, for games of any kind. */
  readonly excused: Set<string>
  /** Every request that any process has sent to the engine. */
  readonly requests: Array<string>
  /** What dead processes have sent and what has not arrived yet. */
  readonly late: Array<Late>
  readonly env: Env
}

interface Late {
  /** It arrives when other processes have come this far: so many statements, requests and answers. */
  passages: number
  readonly deliver: () => void
  /** Waits until it is carried out. */
  readonly quiet: Effect.Effect<void>
}

/** One process of the service, with proxies of its own to the database and the engine. */
export interface Replica {
  readonly process: Process
  /** The process ids of its sessions on the database server. */
  readonly sessions: ReadonlySet<number>
  /** Waits until the process has ended and all that it had sent is carried out. */
  readonly quiet: Effect.Effect<void>
}

export const makeWorld = (names: ReadonlyArray<KindName> = fixtures) =>
  Effect.flatMap(E2e.world(), (parts) => worldOf(parts, names))

/** Two over one schema, each of the service with its own name and of its own engine. */
export const makeTwoWorlds = Effect.fnUntraced(function* (names: ReadonlyArray<KindName> = fixtures) {
  const [first, second] = yield* E2e.twoWorlds("host-1", "host-2")
  return [yield* worldOf(first, names), yield* worldOf(second, names)] as const
})

const worldOf = Effect.fnUntraced(function* (parts: E2e.World, names: ReadonlyArray<KindName>) {
  const world: World = {
    parts,
    games: new Map(),
    unaged: new Set(),
    movedByOthers: new Set(),
    excused: new Set(),
    requests: [],
    late: [],
    env: {
      ...parts.env,
      RTMANAGER_ENGINE_TIMEOUT: "5s",
      RTMANAGER_GAME_LEASE_TTL: "22s",
      RTMANAGER_CLEANUP_INTERVAL: "1s",
      RTMANAGER_CLEANUP_PAGE_SIZE: "5"
    }
  }
  yield* add(world, names)
  return world
})

/** Puts one game of each kind that is named. */
export const add = Effect.fnUntraced(function* (world: World, names: ReadonlyArray<KindName>) {
  const { engineName } = world.parts
  // No two engines of a schema have a game of the same name.
  const prefix = engineName === defaultEngine ? "" : `${engineName}-`
  const made = yield* Effect.forEach(
    names,
    (name, index) => put(world.parts, name, `${prefix}${name}-${world.games.size + index}`, world.unaged),
    { concurrency: 4 }
  )
  const rows = new Map((yield* recordRows(world.parts)).map((row) => [row.gameId, row]))
  return made.map((game): Game => {
    const { row = "", fixed = "" } = rows.get(game.gameId) ?? {}
    const known = { ...game, row, fixed }
    world.games.set(game.gameId, known)
    return known
  })
})

/** From now on other things may become of the game. */
export const become = (world: World, gameId: string, name: KindName) => {
  const game = world.games.get(gameId)
  if (game !== undefined) world.games.set(gameId, { ...game, kind: kinds[name] })
}

export const startReplica = (
  world: World,
  args: ReadonlyArray<string>,
  options: { readonly gate: Gate; readonly env?: Env }
): Effect.Effect<Replica, never, PostgresServer | Scope.Scope> =>
  Effect.gen(function* () {
    const gate: Gate = (passage) => {
      for (const late of world.late) if (late.passages-- === 0) late.deliver()
      return options.gate(passage)
    }
    const database = yield* makePostgresProxy((yield* PostgresServer).url, gate)
    const engine = yield* EngineProxy.serve(world.parts.engine.host, {
      age: Duration.days(40),
      unaged: world.unaged,
      gate: (passage) => {
        if (passage.side === "before") world.requests.push(passage.what)
        return gate(passage)
      }
    })
    const process = yield* start(args, {
      ...world.env,
      RTMANAGER_DATABASE_URL: Redacted.value(database.url),
      DOCKER_HOST: `unix://${engine.socketPath}`,
      ...options.env
    })
    return {
      process,
      sessions: database.sessions,
      quiet: Effect.all([process.ended, database.idle, engine.idle], { discard: true })
    }
  })

/** No test waits where the time itself is not its subject: all leases of this engine's games, or one process's, have run out. */
export const expireLeases = ({ parts }: World, owner?: string) =>
  Effect.orDie(
    Effect.asVoid(parts.sql`
      update game_leases as t set expires_at = clock_timestamp()
      where ${owner === undefined ? isOfWorld(parts) : parts.sql`owner = ${owner}::uuid`}`)
  )

/** As if a day had passed: leases have run out, and games that failed may be tried again. */
export const passTime = (world: World) =>
  Effect.andThen(
    expireLeases(world),
    Effect.orDie(world.parts.sql`delete from cleanup_backoff as t where ${isOfWorld(world.parts)}`)
  )

/** What the dead have sent arrives now at the latest. */
export const deliverLate = Effect.fnUntraced(function* (world: World, lates: ReadonlyArray<Late> = [...world.late]) {
  for (const late of lates) {
    late.deliver()
    yield* late.quiet
    world.late.splice(world.late.indexOf(late), 1)
  }
})

/** Waits until some process has moved every record that must go. */
export const allRemoved = ({ games, parts }: World) =>
  eventually(recordRows(parts), (rows) =>
    rows.every(({ gameId, status }) => games.get(gameId)?.kind.fate !== "cleaned" || status === "removed")
  )
