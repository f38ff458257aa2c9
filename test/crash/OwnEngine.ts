import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { Context, Effect, Layer, Schedule } from "effect"
import { connect } from "../../src/adapters/docker/Requests.ts"
import { make as makeTestEngine, TestEngine } from "../support/docker.ts"
import { temporaryFolder } from "../support/postgres.ts"

/** An engine of our own that can be killed, frozen and started again on the same data. */
export class OwnEngine extends Context.Service<
  OwnEngine,
  {
    readonly socketPath: string
    /** At once, whatever it is doing. */
    readonly signal: (name: "SIGKILL" | "SIGSTOP" | "SIGCONT") => void
    /** After a kill: returns when it answers again. */
    readonly restart: Effect.Effect<void>
    readonly dataRoot: string
    /** Ends in an orderly way and starts again, with other arguments on top or after something was done to its data. */
    readonly restartWith: (args: ReadonlyArray<string>, meanwhile?: Effect.Effect<void>) => Effect.Effect<void>
  }
>()("rtmanager/test/OwnEngine") {}

const make = Effect.fnUntraced(function* (driver: string) {
  const folder = yield* temporaryFolder
  const socketPath = join(folder, "engine.sock")
  const data = join(folder, "data")
  const docker = connect({ socketPath })
  const args = [
    ["--host", `unix://${socketPath}`],
    ["--data-root", data],
    ["--exec-root", join(folder, "exec")],
    ["--pidfile", join(folder, "engine.pid")],
    ["--bridge=none", "--iptables=false", "--ip6tables=false"]
  ].flat()
  let engine: ChildProcess
  let ended: Promise<void>
  const start = Effect.fnUntraced(function* (more: ReadonlyArray<string>) {
    // Without a network of its own it would remove the bridge of the machine's engine.
    const all = [...args, `--storage-driver=${driver}`, ...more]
    engine = spawn("unshare", ["--net", "dockerd", ...all], { stdio: "ignore" })
    ended = new Promise((resolve) => engine.once("close", () => resolve()))
    yield* Effect.tryPromise(() => docker.ping()).pipe(
      Effect.retry(Schedule.spaced("50 millis")),
      Effect.timeout("2 minutes"),
      Effect.orDie
    )
  })
  yield* Effect.acquireRelease(start([]), () =>
    Effect.promise(async () => {
      engine.kill("SIGCONT")
      engine.kill("SIGTERM")
      await ended
      // A killed engine leaves its data folder mounted on itself, and the next one takes that for somebody else's.
      spawnSync("umount", [data], { stdio: "ignore" })
    })
  )
  return OwnEngine.of({
    socketPath,
    dataRoot: data,
    signal: (name) => engine.kill(name),
    restart: Effect.andThen(
      Effect.promise(async () => {
        await ended
        // Its containerd dies with it, but not at once: the next engine would wait for this one to answer.
        await rm(join(folder, "exec/containerd/containerd.pid"), { force: true })
      }),
      start([])
    ),
    restartWith: (more, meanwhile = Effect.void) =>
      Effect.promise(() => {
        engine.kill("SIGTERM")
        return ended
      }).pipe(Effect.andThen(meanwhile), Effect.andThen(start(more)))
  })
})

/** The engine, and the means to make containers on it, in place of the machine's own. */
export const layer = (driver = "vfs") =>
  Layer.effect(
    TestEngine,
    Effect.gen(function* () {
      const host = { socketPath: (yield* OwnEngine).socketPath }
      return yield* Effect.promise(() => makeTestEngine({ docker: connect(host), host }))
    })
  ).pipe(Layer.provideMerge(Layer.effect(OwnEngine, make(driver))))
