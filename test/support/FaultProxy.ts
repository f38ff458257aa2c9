import { createConnection, createServer, type NetConnectOpts, type Socket } from "node:net"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { Effect } from "effect"
import { temporaryFolder } from "./postgres.ts"

/**
 * What can go wrong with the bytes between two programs. `latency`: each chunk of the server's comes late. `reset`: every
 * connection is reset, also new ones. `half_open`: nothing is passed on in either direction and nothing is closed. `slow`:
 * the server's bytes come a few at a time. `truncated`: half of the server's answer, then the end. `garbage`: random bytes
 * in place of the server's. `5xx`: an HTTP proxy answers in the server's place. `hang`: requests get no answer.
 */
export const faults = ["latency", "reset", "half_open", "slow", "truncated", "garbage", "5xx", "hang"] as const
export type Fault = (typeof faults)[number]

/** Right after the server was sent its `count`th chunk that matches. */
export interface Moment {
  readonly matching: RegExp
  readonly count: number
}

export interface FaultProxy {
  /** A unix socket's path, or a host and port. */
  readonly address: string
  /** Starts the fault for all that flows from now on, or from the moment on. */
  readonly inject: (fault: Fault, moment?: Moment) => void
  readonly heal: () => void
  /** How often the fault in force has spoilt something, since it was injected. */
  readonly hits: () => number
  /** After every client has ended: waits until the server has closed its side, so that it is done with all it was sent. */
  readonly idle: Effect.Effect<void>
}

const lateMillis = 200
/** Bytes that come together, a millisecond apart, on a slow connection. */
const piece = 16
/** Without the header that an engine sets on its own answers. */
const unavailable = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

/** Random bytes, the same ones for the same seed. */
const makeGarbage = (seed: number) => {
  let state = seed
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 24
  }
  return (length: number) => Buffer.from(Array.from({ length }, next))
}

/** Listens until the scope closes, on a unix socket or on a free port of 127.0.0.1, and passes bytes on to the server. */
export const serve = Effect.fnUntraced(function* (server: NetConnectOpts, network: "unix" | "tcp", seed = 1) {
  const garbage = makeGarbage(seed)
  const clients = new Set<Socket>()
  const upstreams = new Set<Socket>()
  const waiting: Array<() => void> = []
  let fault: Fault | undefined
  let awaited: { readonly fault: Fault; readonly matching: RegExp; left: number } | undefined
  let hits = 0

  const reset = (client: Socket) => {
    hits++
    if (network === "tcp") client.resetAndDestroy()
    else client.destroy()
  }
  const start = (starting: Fault) => {
    fault = starting
    awaited = undefined
    if (fault === "reset") for (const client of clients) reset(client)
  }

  const outward = (client: Socket, upstream: Socket) => (chunk: Buffer) => {
    if (fault === "hang" || fault === "half_open" || fault === "5xx") {
      hits++
      if (fault === "5xx") client.end(unavailable)
      return
    }
    upstream.write(chunk)
    if (awaited?.matching.test(chunk.toString("latin1")) && --awaited.left === 0) start(awaited.fault)
  }

  const inward = async (upstream: Socket, client: Socket) => {
    for await (const chunk of upstream as AsyncIterable<Buffer>) {
      if (fault !== undefined && fault !== "hang") hits++
      if (fault === "half_open") continue
      if (fault === "truncated") return void client.end(chunk.subarray(0, chunk.length / 2))
      if (fault === "5xx") return void client.end(unavailable)
      if (fault === "latency") await setTimeout(lateMillis)
      if (fault === "slow") {
        for (let at = 0; at < chunk.length; at += piece) {
          client.write(chunk.subarray(at, at + piece))
          await setTimeout(1)
        }
      } else client.write(fault === "garbage" ? garbage(chunk.length) : chunk)
    }
  }

  const listener = createServer({ noDelay: true }, (client) => {
    client.on("error", () => client.destroy())
    if (fault === "reset") return reset(client)
    const upstream = createConnection(server)
    clients.add(client)
    upstreams.add(upstream)
    upstream.on("error", () => upstream.destroy())
    client.on("data", outward(client, upstream))
    // The server sees an ended client as the kernel would tell it: after all that was sent before.
    client.on("close", () => {
      clients.delete(client)
      upstream.end()
    })
    upstream.on("close", () => {
      upstreams.delete(upstream)
      for (const look of waiting.splice(0)) look()
    })
    void inward(upstream, client)
      .catch(() => undefined)
      .finally(() => fault === "half_open" || fault === "hang" || client.destroySoon())
  })
  const path = network === "unix" ? join(yield* temporaryFolder, "proxy.sock") : undefined
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      const listening = () => resume(Effect.void)
      if (path === undefined) listener.listen(0, "127.0.0.1", listening)
      else listener.listen(path, listening)
    }),
    () =>
      Effect.callback<void>((resume) => {
        listener.close(() => resume(Effect.void))
        for (const socket of [...clients, ...upstreams]) socket.destroy()
      })
  )
  const address = listener.address()
  const proxy: FaultProxy = {
    address: typeof address === "object" ? `127.0.0.1:${address?.port}` : address,
    inject: (next, moment) => {
      hits = 0
      if (moment === undefined) start(next)
      else awaited = { fault: next, matching: moment.matching, left: moment.count }
    },
    heal: () => {
      fault = awaited = undefined
    },
    hits: () => hits,
    idle: Effect.callback<void>((resume) => {
      const look = () => (upstreams.size === 0 ? resume(Effect.void) : waiting.push(look))
      look()
    })
  }
  return proxy
})
