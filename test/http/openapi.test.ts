import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Validator } from "@seriousme/openapi-schema-validator"
import { Effect } from "effect"
import { OpenApi } from "effect/http-api"
import { Api } from "../../src/http/Api.ts"
import { type OpenApiDocument, render } from "../../src/http/docs.ts"
import { ApiServer, bodyOf, inApi } from "../support/apiServer.ts"

const committed: OpenApiDocument = JSON.parse(readFileSync("docs/openapi.json", "utf8"))
const operations = Object.values(committed.paths).flatMap((methods) => Object.values(methods))

describe("the OpenAPI document", () => {
  it("is committed as `npm run openapi` writes it", () => {
    assert.deepStrictEqual(committed, JSON.parse(JSON.stringify(OpenApi.fromApi(Api))))
  })

  it.effect("is valid OpenAPI 3.1 to another tool", () =>
    Effect.gen(function* () {
      const validator = new Validator()
      assert.deepStrictEqual(yield* Effect.promise(() => validator.validate({ ...structuredClone(committed) })), {
        valid: true
      })
      assert.strictEqual(validator.version, "3.1")
    })
  )

  it("says of each request and each parameter what it means, and of each refusal why", () => {
    for (const { description, parameters, responses } of operations) {
      assert.isNotEmpty(description)
      for (const parameter of parameters) assert.isNotEmpty(parameter.description ?? "", parameter.name)
      for (const status of ["401", "429"]) assert.match(responses[status]?.description ?? "", /token/i)
    }
    const acts = operations.filter(({ requestBody }) => requestBody !== undefined)
    for (const { parameters, responses } of acts) {
      assert.include(
        parameters.map(({ name }) => name),
        "idempotency-key"
      )
      assert.match(responses["403"]?.description ?? "", /role/)
    }
  })

  it("calls its schemas by names of the problems and of what is answered", () => {
    assert.isEmpty(Object.keys(committed.components.schemas).filter((name) => !/^[A-Z][A-Za-z]+$/.test(name)))
    assert.notInclude(JSON.stringify(committed), "x-effect")
  })

  inApi("is served to everybody", function* () {
    const { ask } = yield* ApiServer
    assert.deepStrictEqual(bodyOf(yield* ask({ path: "/api/v1/openapi.json" })), { ...committed })
  })
})

describe("the docs page", () => {
  inApi("shows everybody every request, and asks for nothing from elsewhere, nor for a script", function* () {
    const { ask } = yield* ApiServer
    const { body, headers, status } = yield* ask({ path: "/api/v1/docs" })
    assert.strictEqual(status, 200)
    assert.strictEqual(headers["content-type"], "text/html; charset=utf-8")
    for (const [path, methods] of Object.entries(committed.paths)) {
      for (const method of Object.keys(methods)) assert.include(body, `${method.toUpperCase()} ${path}`)
    }
    assert.notMatch(body, /<script|<link|<img|<iframe|\bon\w+=|\bstyle=|\bsrc=|url\(|@import|https?:/i)
    const links = [...body.matchAll(/href="([^"]*)"/g)].map(([, to = ""]) => to)
    for (const to of links) assert.isTrue(to === "openapi.json" || body.includes(`id="${to.slice(1)}"`), to)
  })

  inApi("has a policy that lets its one style in and nothing else", function* () {
    const { ask } = yield* ApiServer
    const { body, headers } = yield* ask({ path: "/api/v1/docs" })
    const style = /<style>(.*)<\/style>/s.exec(body)?.[1] ?? ""
    const hash = createHash("sha256").update(style).digest("base64")
    assert.strictEqual(
      headers["content-security-policy"],
      `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
    )
  })

  it("shows words of the document as words", () => {
    const info = { title: "<b>&", version: "1", description: "`a<b`" }
    const html = render({ info, paths: {}, components: { schemas: {} } })
    assert.include(html, "&lt;b&gt;&amp;")
    assert.include(html, "<code>a&lt;b</code>")
  })
})
