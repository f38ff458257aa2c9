import { createHash } from "node:crypto"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { Effect, FileSystem } from "effect"
import { HttpRouter, type HttpServerRequest, HttpServerResponse } from "effect/http"

/** Nothing from elsewhere, nothing inline, and no frame around it. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join("; ")

const headers = {
  "content-security-policy": policy,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  // Asked for again each time, and not sent again while it is the same.
  "cache-control": "no-cache",
  vary: "accept-encoding"
}

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  svg: "image/svg+xml"
}

const typeOf = (path: string) => types[path === "/" ? "html" : path.slice(path.lastIndexOf(".") + 1)]

const own = new URL("../page/", import.meta.url)
// Node itself would get the variant for servers, which is one folder deeper.
const lit = new URL("../", import.meta.resolve("lit-html"))

/** Where the page expects the modules of its libraries, and where they are. */
const libraries = [
  ...["lit-html.js", "directive.js", "directive-helpers.js", "directives/repeat.js"].map(
    (name) => [`/lib/lit-html/${name}`, new URL(name, lit).href] as const
  ),
  ...["uPlot.esm.js", "uPlot.min.css"].map(
    (name) => [`/lib/${name}`, import.meta.resolve(`uplot/dist/${name}`)] as const
  )
]

const represent = (path: `/${string}`, body: Uint8Array) => {
  const zipped = gzipSync(body, { level: 9 })
  const hash = createHash("sha256").update(body).digest("base64url").slice(0, 22)
  return {
    path,
    plain: { body, etag: `"${hash}"`, headers },
    zipped: { body: zipped, etag: `"${hash}-gzip"`, headers: { ...headers, "content-encoding": "gzip" } },
    contentType: typeOf(path) ?? "application/octet-stream"
  }
}
type Represented = ReturnType<typeof represent>

const takesGzip = (accepted = "") => /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/.test(accepted)

const answer =
  ({ contentType, plain, zipped }: Represented) =>
  (request: HttpServerRequest.HttpServerRequest) => {
    const chosen = takesGzip(request.headers["accept-encoding"]) ? zipped : plain
    const { body, etag } = chosen
    const known = request.headers["if-none-match"]?.split(",").some((one) => one.trim() === etag)
    return Effect.succeed(
      known
        ? HttpServerResponse.empty({ status: 304, headers: { ...headers, etag } })
        : HttpServerResponse.uint8Array(body, { contentType, headers: { ...chosen.headers, etag } })
    )
  }

/** Every file of the page with its path, read once: what a request asks for is only ever looked up among these. */
const readAll = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const names = yield* fs.readDirectory(fileURLToPath(own), { recursive: true })
  const files = [
    ...names
      .map((name) => name.replaceAll("\\", "/"))
      .filter((name) => /\.(?:html|css|js|svg)$/.test(name))
      .map((name) => [name === "index.html" ? "/" : (`/${name}` as const), new URL(name, own).href] as const),
    ...libraries
  ] as const
  return yield* Effect.forEach(files, ([path, href]) =>
    Effect.map(fs.readFile(fileURLToPath(href)), (body) => represent(path as `/${string}`, body))
  )
})

interface Options {
  /** Where a trace can be looked at, with `{trace_id}` in it; `undefined`: nowhere. */
  readonly traceUrl: string | undefined
}

/** The page for people, at `/`: static files, the same for everybody, with a policy that lets nothing else run. */
export const layer = ({ traceUrl }: Options) =>
  HttpRouter.use((router) =>
    Effect.gen(function* () {
      const settings = new TextEncoder().encode(JSON.stringify({ trace_url: traceUrl ?? null }))
      const all = [...(yield* readAll), represent("/settings.json", settings)]
      yield* Effect.forEach(all, (one) => router.add("GET", one.path, answer(one)), { discard: true })
    })
  )
