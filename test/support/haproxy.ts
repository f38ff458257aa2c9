import { spawn, spawnSync } from "node:child_process"
import { connect } from "node:net"
import { join } from "node:path"
import { assert } from "@effect/vitest"
import { Effect, Schedule, type Scope } from "effect"
import { describeWith } from "./needs.ts"
import { temporaryFolder } from "./postgres.ts"

/** Debian puts it where only root looks. */
const env = { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin` }

const missing = spawnSync("haproxy", ["-v"], { env }).status === 0 ? undefined : "no haproxy on the path"

export const describeHaproxy = (name: string, body: () => void): void => describeWith(missing, name, body)

const listens = (path: string) =>
  Effect.callback<boolean>((resume) => {
    const socket = connect(path)
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    socket.once("error", () => resume(Effect.succeed(false)))
  })

/** The proxy of `deploy/haproxy.cfg` in front of this socket, until the scope closes; it listens on a socket as well. */
export const serve = (engine: string): Effect.Effect<{ readonly socketPath: string }, never, Scope.Scope> =>
  Effect.gen(function* () {
    const socketPath = join(yield* temporaryFolder, "proxy.sock")
    const variables = { LISTEN: `unix@${socketPath}`, ENGINE_SOCKET: engine }
    const proxy = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn("haproxy", ["-db", "-f", "deploy/haproxy.cfg"], {
          env: { ...env, ...variables },
          stdio: ["ignore", "ignore", "inherit"]
        })
        return { child, ended: new Promise<void>((resolve) => child.once("close", () => resolve())) }
      }),
      ({ child, ended }) =>
        Effect.andThen(
          Effect.sync(() => child.kill("SIGKILL")),
          Effect.promise(() => ended)
        )
    )
    yield* Effect.repeat(listens(socketPath), {
      until: (listening) => listening || proxy.child.exitCode !== null,
      schedule: Schedule.spaced("5 millis")
    })
    assert.isNull(proxy.child.exitCode, "haproxy ended")
    return { socketPath }
  })
