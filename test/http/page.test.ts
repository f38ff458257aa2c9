import { createServer, request } from "node:http"
import { buffer } from "node:stream/consumers"
import { gunzipSync } from "node:zlib"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import * as Page from "../../src/http/page.ts"

const served = HttpRouter.serve(Page.layer({ traceUrl: "https://traces/{trace_id}" }), {
  disableLogger: true,
  disableListenLog: true
}).pipe(Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })))

/** Sends the path as it stands: `fetch` would tidy it up. */
const ask = (path: string, headers: Readonly<Record<string, string>> = {}, method = "GET") =>
  Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    const { port } = new URL(HttpServer.formatAddress(address))
    return yield* Effect.promise(async () => {
      const response = await new Promise<import("node:http").IncomingMessage>((resolve, reject) =>
        request({ host: "127.0.0.1", port, path, headers, method }, resolve).on("error", reject).end()
      )
      return { status: response.statusCode, headers: response.headers, body: await buffer(response) }
    })
  })

layer(served, { excludeTestServices: true })("the page's files", (it) => {
  it.effect("let nothing run but what is served here, in no frame, and are asked for anew each time", () =>
    Effect.gen(function* () {
      for (const path of ["/", "/main.js", "/page.css", "/lib/lit-html/lit-html.js", "/settings.json"]) {
        const { headers, status } = yield* ask(path)
        assert.strictEqual(status, 200, path)
        assert.strictEqual(
          headers["content-security-policy"],
          "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        assert.strictEqual(headers["x-content-type-options"], "nosniff")
        assert.strictEqual(headers["referrer-policy"], "no-referrer")
        assert.strictEqual(headers["cache-control"], "no-cache")
      }
    })
  )

  it.effect.each([
    ["/", "text/html; charset=utf-8"],
    ["/main.js", "text/javascript; charset=utf-8"],
    ["/page.css", "text/css; charset=utf-8"],
    ["/icon.svg", "image/svg+xml"],
    ["/settings.json", "application/json"]
  ])("have the type of their content: %s", ([path, type]) =>
    Effect.map(ask(path ?? ""), ({ headers }) => assert.strictEqual(headers["content-type"], type))
  )

  it.effect("have a tag for each encoding, and are not sent again to who has them", () =>
    Effect.gen(function* () {
      const plain = yield* ask("/main.js")
      const zipped = yield* ask("/main.js", { "accept-encoding": "br, gzip" })
      assert.strictEqual(zipped.headers["content-encoding"], "gzip")
      assert.deepStrictEqual(gunzipSync(zipped.body), plain.body)
      assert.notStrictEqual(plain.headers.etag, zipped.headers.etag)
      assert.match(plain.headers.etag ?? "", /^"[\w-]{22}"$/)
      const again = yield* ask("/main.js", {
        "accept-encoding": "gzip",
        "if-none-match": `"x", ${zipped.headers.etag}`
      })
      assert.deepStrictEqual([again.status, again.body.length], [304, 0])
      const refused = yield* ask("/main.js", { "accept-encoding": "gzip;q=0" })
      assert.isUndefined(refused.headers["content-encoding"])
    })
  )

  it.effect.each([
    "/index.html/../../package.json",
    "/../../package.json",
    "/..%2f..%2fpackage.json",
    "/%2e%2e/%2e%2e/package.json",
    "/lib/../../../package.json",
    "/lib/lit-html/package.json",
    "/lib/%00",
    "/types.ts",
    "/tsconfig.json",
    "//etc/passwd",
    "/views",
    "/views/"
  ])("are all that is served: %s is not", (path) =>
    Effect.map(ask(path), ({ status }) => assert.strictEqual(status, 404))
  )

  it.effect("are only read", () =>
    Effect.gen(function* () {
      const head = yield* ask("/", {}, "HEAD")
      assert.deepStrictEqual([head.status, head.body.length], [200, 0])
      assert.strictEqual((yield* ask("/", {}, "POST")).status, 404)
    })
  )

  it.effect("tell where traces are", () =>
    Effect.map(ask("/settings.json"), ({ body }) =>
      assert.deepStrictEqual(JSON.parse(body.toString()), { trace_url: "https://traces/{trace_id}" })
    )
  )
})
