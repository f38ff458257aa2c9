import { execFileSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { existsSync } from "node:fs"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Context, Effect, Layer, Option, Schema } from "effect"
import { Engine as EngineSettings } from "../src/config/EngineSettings.ts"
import type { Game } from "./database.ts"
import { BenchFailed, round, say, timed } from "./progress.ts"
import { type Address, connect, type RawEngine } from "./rawEngine.ts"

/** A static binary, the whole content of the image. Debian: `busybox-static`. */
const busybox = "/bin/busybox"

/** Above this the engine creates no faster. */
const createdAtOnce = 4

/** Settings take the shortest retention as 0.0007 days; a container must have ended longer ago than that. */
export const retentionDays = "0.0007"
const oldEnoughMillis = 62_000

/** Whatever makes a container slow to create and does not change what removing one costs. */
const hostConfig = {
  NetworkMode: "host",
  PidMode: "host",
  IpcMode: "host",
  UTSMode: "host",
  LogConfig: { Type: "none" },
  SecurityOpt: ["seccomp=unconfined"]
}

/** Exited containers of one contender. */
export interface Group {
  /** As a label filter of Docker's command line. */
  readonly filter: string
  readonly games: ReadonlyArray<Game>
}

const failed = (error: unknown) => new BenchFailed({ message: `the engine: ${String(error)}` })
const attempt = <A>(call: () => Promise<A>) => Effect.tryPromise({ try: call, catch: failed })

const find = Effect.gen(function* () {
  const variables = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ""))
  const found = yield* Effect.mapError(Schema.decodeUnknownEffect(EngineSettings)(variables), failed)
  if ("tls" in found || ("protocol" in found && found.protocol === "https"))
    return yield* failed("measured only without TLS")
  const address: Address = "socketPath" in found ? found : { host: found.host, port: found.port }
  const raw = yield* Effect.acquireRelease(
    Effect.sync(() => connect(address, 16)),
    (engine) => Effect.sync(engine.close)
  )
  yield* Effect.timeout(
    attempt(() => raw.expect(200, "GET", "/_ping")),
    "3 seconds"
  ).pipe(Effect.mapError((error) => new BenchFailed({ message: `no Docker engine answers: ${error.message}` })))
  if (!existsSync(busybox)) return yield* failed(`no ${busybox} to make an image from`)
  return { address, raw }
})

const Created = Schema.fromJsonString(Schema.Struct({ Id: Schema.String }))
/** A container that ends at once has ended by then. */
const lostAfter = "30 seconds"

const Listed = Schema.fromJsonString(Schema.Array(Schema.Struct({ Id: Schema.String })))
const Version = Schema.fromJsonString(Schema.Struct({ Version: Schema.String }))

const list = async (raw: RawEngine, label: string) => {
  const filters = encodeURIComponent(JSON.stringify({ label: [label] }))
  return Schema.decodeUnknownSync(Listed)(
    (await raw.expect(200, "GET", `/containers/json?all=1&filters=${filters}`)).toString()
  )
}

const make = Effect.gen(function* () {
  const { address, raw } = yield* find
  const run = randomUUID()
  const image = `rtmanager-bench:${run}`
  const gameLabel = `rtmanager.bench.game.${run}`
  const runLabel = `rtmanager.bench.run=${run}`
  let youngest = 0
  let groups = 0

  const bounded = <A>(call: () => Promise<A>) => Effect.timeoutOption(attempt(call), lostAfter)

  /** An engine under load may lose the end of a container and say for ever that it runs: that one is no use. */
  const create = (group: string, gameId: string): Effect.Effect<Game, BenchFailed> =>
    Effect.gen(function* () {
      const spec = {
        Image: image,
        Cmd: ["/busybox", "true"],
        Labels: { "rtmanager.bench.run": run, "rtmanager.bench.group": group, [gameLabel]: gameId },
        HostConfig: hostConfig
      }
      const made = yield* attempt(() => raw.expect(201, "POST", "/containers/create", spec))
      const { Id } = Schema.decodeUnknownSync(Created)(made.toString())
      yield* attempt(() => raw.expect(204, "POST", `/containers/${Id}/start`))
      const exited = yield* bounded(() => raw.expect(200, "POST", `/containers/${Id}/wait`))
      youngest = Date.now()
      if (Option.isSome(exited)) return { gameId, containerId: Id }
      yield* say(`  container ${Id} does not end: another in its place`)
      const removed = yield* bounded(() => raw.expect(204, "DELETE", `/containers/${Id}?force=1`))
      if (Option.isNone(removed)) return yield* failed(`the engine does not remove container ${Id}`)
      return yield* create(group, gameId)
    })

  const removeEverything = Effect.gen(function* () {
    const left = yield* attempt(() => list(raw, runLabel))
    if (left.length > 0) yield* say(`removing the ${left.length} containers that are left`)
    const remove = ({ Id }: { readonly Id: string }) => attempt(() => raw.call("DELETE", `/containers/${Id}?force=1`))
    yield* Effect.forEach(left, remove, { concurrency: 16, discard: true })
    yield* attempt(() => raw.call("DELETE", `/images/${image}`))
  })
  yield* Effect.addFinalizer(() => Effect.catch(removeEverything, ({ message }) => say(message)))
  yield* attempt(async () => {
    const tar = execFileSync("tar", ["-c", "-C", "/bin", "busybox"], { maxBuffer: 1e9 })
    await raw.expect(200, "POST", `/images/create?fromSrc=-&repo=rtmanager-bench&tag=${run}`, tar)
  })

  /** Containers that have run and exited. An interruption waits for those that are being made, so none is left. */
  const group = Effect.fnUntraced(function* (count: number) {
    const name = `${run}-${++groups}`
    const one = (index: number) => Effect.uninterruptible(create(name, `${name}-${index}`))
    const games = yield* Effect.forEach(Array.from({ length: count }).keys(), one, { concurrency: createdAtOnce })
    return { filter: `label=rtmanager.bench.group=${name}`, games } satisfies Group
  })

  return BenchEngine.of({
    address,
    gameLabel,
    groups: Effect.fnUntraced(function* (count, size) {
      yield* say(`making ${count} groups of ${size} containers`)
      const made = yield* timed(Effect.forEach(Array.from({ length: count }), () => group(size)))
      yield* say(`  ${round((count * size) / made.seconds)} a second`)
      return made.value
    }),
    oldEnough: Effect.suspend(() => {
      const millis = Math.max(0, youngest + oldEnoughMillis - Date.now())
      return Effect.andThen(say(`waiting ${round(millis / 1000)} s for retention`), Effect.sleep(millis))
    }),
    mustBeGone: Effect.fnUntraced(function* ({ filter }) {
      const left = yield* attempt(() => list(raw, filter.slice("label=".length)))
      if (left.length > 0) return yield* failed(`${left.length} containers are left`)
    }),
    version: attempt(async () =>
      Schema.decodeUnknownSync(Version)((await raw.expect(200, "GET", "/version")).toString())
    )
  })
})

/** The real engine, with an image of its own; all that was made here goes with the scope. */
export class BenchEngine extends Context.Service<
  BenchEngine,
  {
    readonly address: Address
    readonly gameLabel: string
    readonly groups: (count: number, size: number) => Effect.Effect<ReadonlyArray<Group>, BenchFailed>
    /** Until retention is over for every container that was made so far. */
    readonly oldEnough: Effect.Effect<void>
    readonly mustBeGone: (group: Group) => Effect.Effect<void, BenchFailed>
    readonly version: Effect.Effect<{ readonly Version: string }, BenchFailed>
  }
>()("rtmanager/bench/BenchEngine") {
  static readonly layer = Layer.effect(BenchEngine, make).pipe(Layer.provide(NodeServices.layer))
}
