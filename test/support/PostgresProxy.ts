import { createConnection, createServer, type Socket } from "node:net"
import { join } from "node:path"
import { Effect, Redacted } from "effect"
import { temporaryFolder } from "./postgres.ts"

/** A socket between the driver and the server on which answers get lost. */
export interface PostgresProxy {
  readonly url: Redacted.Redacted
  /** The connection is cut when the server answers the next statement that contains this text: it was carried out. */
  loseAnswerTo: string | undefined
  /** Nothing more is passed on in either direction, and nothing is closed, as on a half-open connection. */
  frozen: boolean
  /** How many answers were lost. */
  lost: number
  readonly cut: Effect.Effect<void>
}

export const makePostgresProxy = Effect.fnUntraced(function* (server: Redacted.Redacted) {
  const target = new URL(Redacted.value(server)).searchParams.get("host") ?? ""
  const folder = yield* temporaryFolder
  const sockets = new Set<Socket>()
  const proxy: PostgresProxy = {
    url: Redacted.make(`postgres:///postgres?host=${encodeURIComponent(folder)}&user=postgres`),
    loseAnswerTo: undefined,
    frozen: false,
    lost: 0,
    cut: Effect.sync(() => {
      for (const socket of sockets) socket.destroy()
    })
  }
  const listener = createServer((client) => {
    const upstream = createConnection(join(target, ".s.PGSQL.5432"))
    let losing = false
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on("error", () => socket.destroy())
    }
    client.on("data", (data) => {
      if (proxy.frozen) return
      if (proxy.loseAnswerTo !== undefined && data.includes(proxy.loseAnswerTo)) {
        proxy.loseAnswerTo = undefined
        losing = true
      }
      upstream.write(data)
    })
    upstream.on("data", (data) => {
      if (proxy.frozen) return
      if (!losing) return client.write(data)
      proxy.lost++
      client.destroy()
    })
    client.on("close", () => upstream.destroy())
    upstream.on("close", () => proxy.frozen || client.destroy())
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      listener.listen(join(folder, ".s.PGSQL.5432"), () => resume(Effect.void))
    }),
    () =>
      Effect.andThen(
        proxy.cut,
        Effect.callback<void>((resume) => {
          listener.close(() => resume(Effect.void))
        })
      )
  )
  return proxy
})
