import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { request } from "node:http"
import { join } from "node:path"
import { Context, Effect, Layer, type Scope } from "effect"
import { connect } from "../../src/adapters/docker/Requests.ts"
import { make, type TestEngine } from "./docker.ts"
import { eventually } from "./eventually.ts"
import { describeWith, skip } from "./needs.ts"
import { temporaryFolder } from "./postgres.ts"

const answers = (socketPath: string) =>
  Effect.callback<boolean>((resume) => {
    request({ socketPath, path: "/_ping" }, (response) => {
      response.resume()
      resume(Effect.succeed(response.statusCode === 200))
    })
      .on("error", () => resume(Effect.succeed(false)))
      .end()
  })

const hasDockerd = (process.env["PATH"] ?? "").split(":").some((folder) => existsSync(join(folder, "dockerd")))

/** Tests that run an engine of their own: `dockerd` from Debian's `docker.io`, as root, and what else may be `missing`. */
export const describeOwnEngine = (name: string, missing: string | undefined, body: () => void): void =>
  process.getuid?.() === 0
    ? describeWith(hasDockerd ? missing : "no dockerd on the path", name, body)
    : skip("dockerd needs root", name, body)

/** A second, empty engine of its own, gone with the scope. Its `/info` ID may equal the first one's: both share a key. */
export const startEngine: Effect.Effect<{ readonly socketPath: string }, never, Scope.Scope> = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  const socketPath = join(folder, "engine.sock")
  const args = [
    ["--host", `unix://${socketPath}`],
    ["--data-root", join(folder, "data")],
    ["--exec-root", join(folder, "exec")],
    ["--pidfile", join(folder, "engine.pid")],
    ["--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs"]
  ].flat()
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      // Without a network of its own it would remove the bridge of the machine's engine.
      const engine = spawn("unshare", ["--net", "dockerd", ...args], { stdio: "ignore" })
      return { engine, ended: new Promise<void>((resolve) => engine.once("close", () => resolve())) }
    }),
    ({ engine, ended }) => {
      engine.kill("SIGTERM")
      return Effect.promise(() => ended)
    }
  )
  yield* eventually(answers(socketPath), (isThere) => isThere)
  return { socketPath }
})

/** A second engine beside that of `TestEngine`, and the means to make containers on it. */
export class OtherEngine extends Context.Service<OtherEngine, TestEngine["Service"]>()("rtmanager/test/OtherEngine") {
  static readonly layer = Layer.effect(
    OtherEngine,
    Effect.flatMap(startEngine, (host) => Effect.promise(() => make({ docker: connect(host), host })))
  )
}
