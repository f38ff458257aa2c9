import { mkdtemp, rm } from "node:fs/promises"
import { createServer, type IncomingMessage, request } from "node:http"
import type { Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { Duration, Effect, type Scope } from "effect"
import type { DockerHost } from "../../src/adapters/docker/Requests.ts"
import * as Gate from "./Gate.ts"

/** The only requests that the engine may ever see: method and path with query. */
export const allowedRequest =
  /^(?:GET|HEAD) \/_ping$|^GET \/(?:version|info|networks\/none|containers\/json\?.*|containers\/[0-9a-f]{64}\/json)$|^DELETE \/containers\/[0-9a-f]{64}$/

/**
 * A real engine as the service sees it through this socket: every container's times lie `age` in the past, since a test
 * cannot wait for a container to grow old. It keeps a list of what was asked.
 */
export interface EngineProxy {
  readonly socketPath: string
  /** Method and path with query, in the order of arrival. */
  readonly requests: ReadonlyArray<string>
  /** Waits until so many requests that match have arrived. */
  readonly asked: (matching: RegExp, count: number) => Effect.Effect<void>
  /** Requests that match are passed on to the engine, but their answers are held back until the proxy closes. */
  readonly holdAnswers: (matching: RegExp) => void
  /** After every client has ended: waits until the engine has answered all that was passed on to it. */
  readonly idle: Effect.Effect<void>
}

interface Options {
  readonly age: Duration.Input
  /** Containers whose times are left as they are. */
  readonly unaged?: ReadonlySet<string>
  readonly gate?: Gate.Gate
}

const times = /"(Created|StartedAt|FinishedAt)":"(?!0001)([^"]*)"/g

const aged = (body: string, age: Duration.Duration) =>
  body.replace(times, (_, name, time) => {
    const earlier = new Date(Date.parse(time) - Duration.toMillis(age))
    return `"${name}":"${earlier.toISOString()}"`
  })

export const serve = (
  engine: DockerHost,
  { gate = Gate.open, unaged, ...options }: Options
): Effect.Effect<EngineProxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    const age = Duration.fromInputUnsafe(options.age)
    const requests: Array<string> = []
    const waiting: Array<() => void> = []
    const wake = () => {
      for (const look of waiting.splice(0)) look()
    }
    const clients = new Set<Socket>()
    let underway = 0
    let held: RegExp | undefined
    const ask = (method: string, path: string) =>
      new Promise<IncomingMessage>((resolve, reject) => {
        // A connection that is kept would not survive the engine's restart.
        request({ ...engine, protocol: "http:", method, path, agent: false }, resolve)
          .on("error", reject)
          .end()
      })
    const carriedOut = async (method: string, path: string) => {
      underway++
      try {
        const answer = await ask(method, path)
        return [answer, await text(answer)] as const
      } finally {
        underway--
        wake()
      }
    }
    const server = createServer(async ({ method = "", url = "" }, response) => {
      const line = `${method} ${url}`
      requests.push(line)
      wake()
      const pass = async (side: "before" | "after") => (await gate({ side, what: line, parameters: [] })) === "pass"
      try {
        if (!(await pass("before"))) return void response.destroy()
        const [answer, body] = await carriedOut(method, url)
        if (!(await pass("after"))) return void response.destroy()
        if (held?.test(line)) return
        const { "content-length": _, "transfer-encoding": __, ...headers } = answer.headers
        response.writeHead(answer.statusCode ?? 502, headers)
        const young = unaged?.has(url.split("/")[2] ?? "")
        response.end(answer.statusCode === 204 ? undefined : young ? body : aged(body, age))
      } catch {
        response.destroy()
      }
    })
    server.on("connection", (client) => {
      clients.add(client)
      client.on("close", () => {
        clients.delete(client)
        wake()
      })
    })
    const folder = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "engine-proxy-"))),
      (folder) => Effect.promise(() => rm(folder, { recursive: true }))
    )
    const socketPath = join(folder, "engine.sock")
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => void server.listen(socketPath, () => resume(Effect.void))),
      () =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    return {
      socketPath,
      requests,
      asked: (matching, count) =>
        Effect.callback<void>((resume) => {
          const look = () => {
            if (requests.filter((line) => matching.test(line)).length >= count) resume(Effect.void)
            else waiting.push(look)
          }
          look()
        }),
      holdAnswers: (matching) => {
        held = matching
      },
      idle: Effect.callback<void>((resume) => {
        const look = () => (underway + clients.size === 0 ? resume(Effect.void) : waiting.push(look))
        // What the gate has just let go is on its way by then.
        setImmediate(look)
      })
    }
  })
