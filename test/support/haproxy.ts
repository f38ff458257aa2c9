import { join } from "node:path"
import { Effect } from "effect"
import { temporaryFolder } from "./postgres.ts"
import { describeServer, serveOn } from "./server.ts"

export const describeHaproxy = describeServer("haproxy", "-v")

/** The proxy of `deploy/haproxy.cfg` in front of this socket, until the scope closes; it listens on a socket as well. */
export const serve = Effect.fnUntraced(function* (engine: string) {
  const socketPath = join(yield* temporaryFolder, "proxy.sock")
  const env = { LISTEN: `unix@${socketPath}`, ENGINE_SOCKET: engine }
  yield* serveOn(socketPath, "haproxy", ["-db", "-f", "deploy/haproxy.cfg"], { env })
  return { socketPath }
})
