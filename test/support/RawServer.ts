import { mkdtemp, rm } from "node:fs/promises"
import { createServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Queue, type Scope } from "effect"

/** A server that speaks whatever bytes the test wants. */
export interface RawServer {
  readonly host: { readonly socketPath: string } | { readonly protocol: "http"; readonly host: string; port: number }
  /** The head of every request, as it came: request line and headers. */
  readonly requests: Queue.Dequeue<string>
  /** Every connection that the client has closed or lost. */
  readonly closed: Queue.Dequeue<Socket>
}

const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "raw-server-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true }))
)

/** Listens until the scope closes, on a unix socket or on a free port of 127.0.0.1. */
export const serve = (
  answer: (socket: Socket, request: string) => void,
  network: "unix" | "tcp" = "unix"
): Effect.Effect<RawServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const requests = yield* Queue.unbounded<string>()
    const closed = yield* Queue.unbounded<Socket>()
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on("error", () => socket.destroy())
      socket.on("close", () => Queue.offerUnsafe(closed, socket))
      socket.on("data", (data) => {
        Queue.offerUnsafe(requests, data.toString())
        answer(socket, data.toString())
      })
    })
    const path = network === "unix" ? join(yield* temporaryFolder, "engine.sock") : undefined
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => {
        const listening = () => resume(Effect.void)
        if (path === undefined) server.listen(0, "127.0.0.1", listening)
        else server.listen(path, listening)
      }),
      () =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          for (const socket of sockets) socket.destroy()
        })
    )
    const address = server.address()
    return {
      host:
        typeof address === "object" && address !== null
          ? { protocol: "http", host: "127.0.0.1", port: address.port }
          : { socketPath: String(address) },
      requests,
      closed
    }
  })
