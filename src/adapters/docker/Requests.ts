import http, { IncomingMessage } from "node:http"
import https from "node:https"
import { createRequire } from "node:module"
import { inspect } from "node:util"
import Docker from "dockerode"
import { Duration, Effect, Redacted, Schema } from "effect"
import { printable } from "../../domain/printable.ts"
import { UnexpectedAnswer, Unreachable } from "../../ports/ContainerEngine.ts"

/**
 * dockerode's modem follows redirects with its own `http`, and a redirect to another scheme ends the process. Node's
 * own modules follow none, so a redirect is an answer like any other.
 */
const transports: { http: typeof http; https: typeof https } = createRequire(
  createRequire(import.meta.url).resolve("dockerode")
)("docker-modem/lib/http")
transports.http = http
transports.https = https

/** Where the engine listens. With TLS its certificate is always verified, with `ca` or else with Node's own list. */
export type DockerHost =
  | { readonly socketPath: string }
  | {
      readonly protocol: "http" | "https"
      /** A name or an address; IPv6 without brackets. */
      readonly host: string
      readonly port: number
      /** PEM. */
      readonly tls?: { readonly ca: string; readonly cert: string; readonly key: Redacted.Redacted<string> }
    }

/** Every request that is ever sent. A path is checked against this list right before it leaves, whatever built it. */
const allowed =
  /^(GET \/(_ping|info|networks\/none|containers\/json|containers\/[0-9a-f]{64}\/json)|DELETE \/containers\/[0-9a-f]{64})$/

/** Bytes. Answers to the requests above stay far below it, and eight answers of this size at once are harmless. */
const largestAnswer = 4 * 1024 * 1024

export interface Request {
  readonly method: "GET" | "DELETE"
  readonly path: string
  /** The path with placeholders for ids, for the span. */
  readonly template: string
  readonly query?: Record<string, unknown>
}

export interface Answer {
  readonly status: number
  /** The answer has the header that Docker sets on each of its own, so it is not a proxy's. */
  readonly fromEngine: boolean
  /** The answer has the header that podman sets on each of its own. */
  readonly fromPodman: boolean
  readonly body: string
}

/** `sent: false`: the engine certainly did not get the request. `cut`: the connection ended without an answer. */
export class RequestFailed extends Schema.TaggedError<RequestFailed>()("RequestFailed", {
  sent: Schema.Boolean,
  cut: Schema.Boolean,
  reason: Schema.Union([Unreachable, UnexpectedAnswer])
}) {}

class TooLarge extends Schema.TaggedError<TooLarge>()("TooLarge", { status: Schema.Int }) {}

/** Every status is an answer; with `isStream` it arrives as Node's own response, including its headers. */
const statusCodes: Record<number, true> = Object.fromEntries(
  Array.from({ length: 900 }, (_, index) => [index + 100, true])
)

/** dockerode for this host; it ignores `DOCKER_*`. With `fresh`, each request has a connection of its own. */
export const connect = (host: DockerHost, options?: { readonly fresh: boolean }) => {
  // Undefined members keep the modem from reading the environment, because the settings have done that already.
  const blank = { host: undefined, port: undefined, ca: undefined, cert: undefined, key: undefined, timeout: undefined }
  const agent = options?.fresh ? { agent: freshAgent("socketPath" in host ? "http" : host.protocol) } : {}
  if ("socketPath" in host) return new Docker({ ...blank, ...agent, socketPath: host.socketPath, protocol: "http" })
  return new Docker({
    ...blank,
    ...agent,
    protocol: host.protocol,
    // A bare IPv6 address would be taken for a scheme.
    host: `http://${host.host.includes(":") ? `[${host.host}]` : host.host}`,
    port: host.port,
    ...(host.tls !== undefined && { ca: host.tls.ca, cert: host.tls.cert, key: Redacted.value(host.tls.key) })
  })
}

/** The modem describes its options in full at every request, for a debug line, and an agent holds all of its sockets. */
const freshAgent = (protocol: "http" | "https") =>
  Object.assign(new transports[protocol].Agent({ keepAlive: false }), { [inspect.custom]: () => "Agent" })

/** TLS failures that happen before any byte of a request can be sent. */
const handshake = /^ERR_(TLS|OSSL)_|CERT|SIGNATURE/

const neverSent = (error: NodeJS.ErrnoException): boolean =>
  error instanceof AggregateError
    ? error.errors.every(neverSent)
    : error.syscall === "connect" || error.syscall === "getaddrinfo" || handshake.test(error.code ?? "")

const failure = (cause: unknown, answered = false): RequestFailed => {
  if (cause instanceof TooLarge) {
    const detail = `the answer is larger than ${largestAnswer} bytes`
    return new RequestFailed({ sent: true, cut: false, reason: new UnexpectedAnswer({ status: cause.status, detail }) })
  }
  const error: NodeJS.ErrnoException = cause instanceof Error ? cause : new Error(String(cause))
  if (error.code?.startsWith("HPE_")) {
    const detail = "the answer is not HTTP"
    return new RequestFailed({ sent: true, cut: false, reason: new UnexpectedAnswer({ status: undefined, detail }) })
  }
  const detail = printable(error.message || (error.code ?? error.name))
  const cut = !answered && (error.code === "ECONNRESET" || error.code === "EPIPE")
  return new RequestFailed({ sent: !neverSent(error), cut, reason: new Unreachable({ detail }) })
}

/** One request and its whole answer; interruption closes the connection. Every status is an answer. */
const send = (docker: Docker, { method, path, query }: Request) =>
  Effect.callback<Answer, RequestFailed>((resume, abortSignal) => {
    const fail = (cause: unknown) => resume(Effect.fail(failure(cause)))
    const receive = (response: IncomingMessage) => {
      const status = response.statusCode ?? 0
      const chunks: Array<Buffer> = []
      let length = 0
      response.on("data", (chunk: Buffer) => {
        length += chunk.length
        if (length > largestAnswer) response.destroy(new TooLarge({ status }))
        else chunks.push(chunk)
      })
      response.on("error", (cause) => resume(Effect.fail(failure(cause, true))))
      response.once("end", () => {
        const body = Buffer.concat(chunks).toString()
        const { headers } = response
        const fromPodman = "libpod-api-version" in headers
        resume(Effect.succeed({ status, fromEngine: "api-version" in headers, fromPodman, body }))
      })
    }
    const dialled = {
      method,
      // The modem appends the query only after a question mark.
      path: query === undefined ? path : `${path}?`,
      ...(query !== undefined && { options: { _query: query } }),
      isStream: true,
      statusCodes,
      abortSignal
    }
    try {
      docker.modem.dial(dialled, (error, response) =>
        response instanceof IncomingMessage ? receive(response) : fail(error ?? new Error("no response"))
      )
    } catch (cause) {
      // A certificate that cannot be read.
      fail(cause)
    }
  })

/**
 * Requests to one engine. Each ends within `timeout`, including its answer; interruption closes its connection. The
 * current span, which is to be of this one call, gets the attributes of an HTTP call.
 *
 * Questions use the connections that Node keeps open. A proxy can close one just as a question arrives, so a question
 * that was cut without an answer is asked once more on a new connection. A removal must not be sent twice or lost like
 * that, so it always uses a new connection.
 */
export const make = (options: { readonly host: DockerHost; readonly timeout: Duration.Input }) => {
  const kept = connect(options.host)
  const fresh = connect(options.host, { fresh: true })
  const timeout = Duration.fromInputUnsafe(options.timeout)
  const server =
    "socketPath" in options.host
      ? { "server.address": options.host.socketPath }
      : { "server.address": options.host.host, "server.port": options.host.port }

  return Effect.fnUntraced(function* (request: Request) {
    if (!allowed.test(`${request.method} ${request.path}`)) {
      return yield* Effect.die(new Error(`refused to send ${request.method} ${printable(request.path)}`))
    }
    yield* Effect.annotateCurrentSpan({
      "http.request.method": request.method,
      "url.template": request.template,
      ...server
    })
    const sent =
      request.method === "DELETE"
        ? send(fresh, request)
        : Effect.catchIf(
            send(kept, request),
            ({ cut }) => cut,
            () => send(fresh, request)
          )
    const answer = yield* sent.pipe(
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () => {
          const detail = `no answer within ${Duration.format(timeout)}`
          return Effect.fail(new RequestFailed({ sent: true, cut: false, reason: new Unreachable({ detail }) }))
        }
      })
    )
    yield* Effect.annotateCurrentSpan({
      "http.response.status_code": answer.status,
      ...(answer.status >= 500 && { "error.type": String(answer.status) })
    })
    return answer
  })
}
