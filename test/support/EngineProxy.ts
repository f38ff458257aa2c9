import { mkdtemp, rm } from "node:fs/promises"
import { createServer, type IncomingMessage, request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { Duration, Effect, type Scope } from "effect"
import type { DockerHost } from "../../src/adapters/docker/Requests.ts"

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
}

const times = /"(Created|StartedAt|FinishedAt)":"(?!0001)([^"]*)"/g

const aged = (body: string, age: Duration.Duration) =>
  body.replace(times, (_, name, time) => {
    const earlier = new Date(Date.parse(time) - Duration.toMillis(age))
    return `"${name}":"${earlier.toISOString()}"`
  })

export const serve = (
  engine: DockerHost,
  options: { readonly age: Duration.Input }
): Effect.Effect<EngineProxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    const age = Duration.fromInputUnsafe(options.age)
    const requests: Array<string> = []
    const waiting: Array<() => void> = []
    let held: RegExp | undefined
    const ask = (method: string, path: string) =>
      new Promise<IncomingMessage>((resolve, reject) => {
        request({ ...engine, protocol: "http:", method, path }, resolve)
          .on("error", reject)
          .end()
      })
    const server = createServer(async ({ method = "", url = "" }, response) => {
      const line = `${method} ${url}`
      requests.push(line)
      for (const look of waiting.splice(0)) look()
      try {
        const answer = await ask(method, url)
        const body = await text(answer)
        if (held?.test(line)) return
        const { "content-length": _, "transfer-encoding": __, ...headers } = answer.headers
        response.writeHead(answer.statusCode ?? 502, headers)
        response.end(answer.statusCode === 204 ? undefined : aged(body, age))
      } catch {
        response.destroy()
      }
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
      }
    }
  })
