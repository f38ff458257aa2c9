import { STATUS_CODES } from "node:http"
import { isIPv6 } from "node:net"
import { ByteSize, Cause, Effect } from "effect"
import {
  HttpIncomingMessage,
  HttpRouter,
  HttpServerError,
  HttpServerRequest,
  HttpServerResponse,
  ProblemDetails
} from "effect/http"
import type { Settings } from "../config/Settings.ts"
import { Api } from "./Api.ts"

/** Names of this machine that no resolver can point elsewhere. */
const loopbackHosts = ["localhost", "127.0.0.1", "[::1]"] as const

/** The names that the service goes by: those of this machine, its own address, and what the settings add. */
export const hostsOf = ({ api, http }: Pick<Settings, "api" | "http">): ReadonlySet<string> =>
  new Set([...loopbackHosts, isIPv6(http.host) ? `[${http.host}]` : http.host, ...api.hosts])

/** The body of a problem that has nothing to say of itself but its status. */
export const detailsOf = (status: number, detail?: string) => ({
  type: ProblemDetails.blankType,
  status,
  title: STATUS_CODES[status] ?? "Error",
  ...(detail !== undefined && { detail })
})

const problem = (status: number, detail?: string) => ProblemDetails.toResponse(detailsOf(status, detail))

/** The name in a `Host` header, in lower case and without the port; `undefined` if it is none. */
export const hostName = (host: string | undefined): string | undefined =>
  /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?$/i.exec(host ?? "")?.[1]?.toLowerCase()

/** Whether a browser says that another site's page sent the request. */
export const isForeign = ({
  host,
  origin,
  "sec-fetch-site": site
}: Readonly<Record<string, string | undefined>>): boolean =>
  (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) ||
  (site !== undefined && site !== "same-origin" && site !== "none")

const isJson = (type: string | undefined) => /^application\/json(?:\s*;.*)?$/i.test(type ?? "")

const isReading = (method: string) => method === "GET" || method === "HEAD"

/** The endpoints of the API, each with its path as a pattern. */
const endpoints = Object.values(Api.groups)
  .flatMap((group): ReadonlyArray<{ method: string; path: string }> => Object.values(group.endpoints))
  .map(({ method, path }) => ({ method, path: new RegExp(`^${path.replaceAll(/:[a-z]+/gi, "[^/]+")}$`) }))

/** A plan of some 5000 games fits in a pass's. To read it takes up to half a second, in which this process does nothing else. */
const largestBody = (path: string) => (path === "/api/v1/passes" ? ByteSize.mebibytes(1) : ByteSize.kibibytes(64))

/** For every response, whoever made it. A page that needs more says so itself. */
export const headers = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store"
}

/** Why a request is not let through to its handler, if it is not. */
const refused = (hosts: ReadonlySet<string>, { headers, method }: HttpServerRequest.HttpServerRequest) => {
  if (headers["host"] === undefined) return problem(400, "a request has to name its host")
  const name = hostName(headers["host"])
  if (name === undefined || !hosts.has(name))
    return problem(421, "this service does not go by that name: see RTMANAGER_HTTP_HOSTS")
  if (isReading(method)) return undefined
  if (isForeign(headers)) return problem(403, "a page of another site may not ask for that")
  // By the method, because many paths lead to one endpoint: any of their letters can be percent-encoded.
  if (method !== "POST" || isJson(headers["content-type"])) return undefined
  return problem(415, "the body must be application/json")
}

/** The methods of a path of the API; none if there is no such path. */
const methodsOf = (path: string) => endpoints.filter((endpoint) => endpoint.path.test(path)).map(({ method }) => method)

/** The router found no handler. */
const unknown = (methods: ReadonlyArray<string>, method: string) => {
  if (methods.length === 0) return problem(404, "there is nothing here")
  if (methods.includes(isReading(method) ? "GET" : method))
    return problem(400, "the path is not UTF-8 in percent-encoding")
  return HttpServerResponse.setHeader(problem(405), "allow", methods.join(", "))
}

const isProblem = ({ headers }: HttpServerResponse.HttpServerResponse) =>
  headers["content-type"]?.startsWith(ProblemDetails.contentType) === true

const details: Readonly<Record<number, string>> = {
  413: "the body is too large: at most 64 KiB, and 1 MiB of a pass with a plan"
}

const asProblem = (methods: ReadonlyArray<string>, method: string, response: HttpServerResponse.HttpServerResponse) => {
  const { status } = response
  const found =
    status < 400 || isProblem(response)
      ? response
      : status === 404
        ? unknown(methods, method)
        : problem(status, details[status])
  return status === 401 ? HttpServerResponse.setHeader(found, "www-authenticate", "Bearer") : found
}

const answered = <E, R>(
  methods: ReadonlyArray<string>,
  method: string,
  handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
) =>
  Effect.catchCause(handler, (cause) =>
    Effect.gen(function* () {
      const [response] = yield* HttpServerError.causeResponse(cause)
      if (response.status === 500) yield* Effect.logError("http.failed", Cause.pretty(cause))
      return response
    })
  ).pipe(Effect.map((response) => asProblem(methods, method, response)))

/**
 * Stands before everything but the health pages: the name that is asked for, pages of other sites, media types and the size of bodies.
 * Whatever goes wrong is a problem of RFC 9457, and every response has the headers that keep browsers in bounds.
 */
export const layer = (hosts: ReadonlySet<string>) =>
  HttpRouter.middleware(
    (handler) =>
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const [path = ""] = request.url.split("?")
        if (path === "/healthz" || path === "/readyz") return yield* handler
        const methods = methodsOf(path)
        const bounded = Effect.provideService(handler, HttpIncomingMessage.MaxBodySize, largestBody(path))
        const response = refused(hosts, request) ?? (yield* answered(methods, request.method, bounded))
        return HttpServerResponse.setHeaders(response, { ...headers, ...response.headers })
      }),
    { global: true }
  )
