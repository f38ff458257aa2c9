import { writeFileSync } from "node:fs"
import { type ClientRequestArgs, type IncomingHttpHeaders, request as send } from "node:http"
import { connect } from "node:net"
import { join } from "node:path"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { HttpServer } from "effect/http"
import { CurrentSettings } from "../../src/config/CurrentSettings.ts"
import type { Settings } from "../../src/config/Settings.ts"
import { Author } from "../../src/domain/Act.ts"
import type { Caller } from "../../src/domain/Caller.ts"
import { nodeServer } from "../../src/http/nodeServer.ts"
import * as Server from "../../src/http/server.ts"
import { newToken } from "../../src/http/tokenFile.ts"
import { temporaryFolder } from "./postgres.ts"
import { testIn } from "./testIn.ts"
import { layerWorld, settings } from "./world.ts"

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A request as it goes over the socket: nothing is added but what Node needs. */
export interface Asked extends Pick<ClientRequestArgs, "method" | "headers"> {
  readonly path: string
  readonly body?: string
}

/** The whole service on in-memory ports behind a real server on a port of its own. */
export class ApiServer extends Context.Service<
  ApiServer,
  {
    readonly port: number
    readonly tokensFile: string
    /** The token of `ann`, who may act, and of `bob`, who may only look. */
    readonly tokens: Record<"ann" | "bob", string>
    readonly ask: (asked: Asked) => Effect.Effect<Answer>
  }
>()("test/ApiServer") {}

const tokenOf = (name: string, role: Caller["role"]) =>
  Effect.map(newToken({ name: Author.make(name), role }, undefined), ({ line, token }) => ({
    line,
    token: Redacted.value(token)
  }))

const askAt =
  (port: number) =>
  ({ body, headers, method = "GET", path }: Asked) =>
    Effect.callback<Answer>((resume) => {
      const request = send(
        { host: "127.0.0.1", port, path, method, headers: headers ?? {}, agent: false },
        (response) => {
          const chunks: Array<Buffer> = []
          response.on("data", (chunk) => chunks.push(chunk))
          response.on("end", () =>
            resume(
              Effect.succeed({
                status: response.statusCode ?? 0,
                headers: response.headers,
                body: Buffer.concat(chunks).toString()
              })
            )
          )
        }
      )
      request.on("error", (error) => resume(Effect.die(error)))
      request.end(body)
      return Effect.sync(() => request.destroy())
    })

/**
 * What comes back over a connection of its own for exactly this text, until either side ends it. `more` is sent once something has
 * come back.
 */
export const exchange = Effect.fnUntraced(function* (text: string, more?: string) {
  const { port } = yield* ApiServer
  return yield* Effect.callback<string>((resume) => {
    const received: Array<Buffer> = []
    const socket = connect(port, "127.0.0.1", () => socket.write(text, "latin1"))
    socket.on("data", (chunk) => received.push(Buffer.from(chunk)))
    if (more !== undefined) socket.once("data", () => socket.write(more, "latin1"))
    socket.on("error", () => {})
    socket.on("close", () => resume(Effect.succeed(Buffer.concat(received).toString())))
    return Effect.sync(() => socket.destroy())
  })
})

/** Such a server, for tests that give it services of their own. */
export const layerApiServer = (options: Partial<Pick<Settings, "mode">> = {}) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const tokensFile = join(folder, "tokens")
      const [ann, bob] = [yield* tokenOf("ann", "act"), yield* tokenOf("bob", "read")]
      writeFileSync(tokensFile, `${ann.line}\n${bob.line}\n`, { mode: 0o600 })
      const http = Layer.merge(
        NodeHttpServer.layerHttpServices,
        NodeHttpServer.layerServer(nodeServer, { host: "127.0.0.1", port: 0, gracefulShutdownTimeout: 0 })
      )
      const server = Server.layer({
        ...settings,
        ...options,
        api: { ...settings.api, tokensFile, hosts: ["cleanup.example"] }
      })
      const address = Layer.effect(
        ApiServer,
        Effect.map(HttpServer.HttpServer, ({ address }) => {
          const port = address._tag === "InetAddressV4" ? address.port : 0
          return ApiServer.of({ port, tokensFile, tokens: { ann: ann.token, bob: bob.token }, ask: askAt(port) })
        })
      )
      return Layer.merge(server, address).pipe(
        Layer.provide(http),
        Layer.provide(Layer.succeed(CurrentSettings, settings)),
        Layer.orDie,
        Layer.provideMerge(layerWorld(options))
      )
    })
  )

/** Tests that each have such a server to themselves. */
export const inApi = Object.assign(testIn(layerApiServer()), {
  with: (options: Parameters<typeof layerApiServer>[0]) => testIn(layerApiServer(options))
})

const Problem = Schema.fromJsonString(
  Schema.Struct({
    type: Schema.String,
    status: Schema.Int,
    title: Schema.String,
    detail: Schema.optionalKey(Schema.String)
  })
)
const Body = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Any))

type Who = "ann" | "bob"

/** A request with somebody's token. */
export const as = Effect.fnUntraced(function* (who: Who, { headers, ...asked }: Asked) {
  const { ask, tokens } = yield* ApiServer
  return yield* ask({ ...asked, headers: { authorization: `Bearer ${tokens[who]}`, ...headers } })
})

export const bodyOf = (answer: Answer, status = 200) => {
  assert.strictEqual(answer.status, status, answer.body)
  return Schema.decodeSync(Body)(answer.body)
}

/** What a path of the API answers to somebody who may look. */
export const get = (path: string, who: Who = "bob") =>
  Effect.map(as(who, { path: `/api/v1${path}` }), (answer) => bodyOf(answer))

export const asJson = { "content-type": "application/json" }

/** An act that `ann` asks for. */
export const post = (path: string, body: object, headers: Record<string, string> = {}, who: Who = "ann") =>
  as(who, { method: "POST", path: `/api/v1${path}`, body: JSON.stringify(body), headers: { ...asJson, ...headers } })

export const problemOf = ({ body, headers, status }: Answer) => {
  assert.strictEqual(headers["content-type"], "application/problem+json", body)
  const problem = Schema.decodeSync(Problem)(body)
  assert.strictEqual(problem.status, status)
  return problem
}
