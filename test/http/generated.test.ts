import { assert, describe } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { type HttpApiEndpoint, HttpApiSchema } from "effect/http-api"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { Api } from "../../src/http/Api.ts"
import { type Answer, type Asked, as, asJson, inApi, problemOf } from "../support/apiServer.ts"
import { seedMany } from "../support/world.ts"

/** How many requests of each kind. */
const count = 12

const endpoints = Object.values(Api.groups)
  .flatMap((group): ReadonlyArray<HttpApiEndpoint.Top> => Object.values(group.endpoints))
  // Its answer has no end.
  .filter(({ name }) => name !== "events")

/** A part of a request as it is sent. */
type Part = Readonly<Record<string, unknown>>

interface Request {
  readonly params: Part
  readonly query: Part
  readonly headers: Part
  readonly payload: unknown
}

const partsOf = Effect.fnUntraced(function* (schema: Schema.Top | undefined, seed: string) {
  if (schema === undefined) return Array.from({ length: count }, (): Part => ({}))
  const values = yield* Arbitrary.sampleEffect(Arbitrary.schema(schema), { count, seed })
  const encode = Schema.encodeUnknownSync(schema as Schema.Codec<unknown, Part>)
  return values.map((value) => encode(value))
})

/** What acts may be asked with: each takes its own fields. */
const payload = fc.record(
  {
    reason: fc.stringMatching(/^[!-~][ -~]{0,99}$/),
    until: fc.constantFrom(null, "90s", "36h", "30d", "2099-01-01T00:00:00Z"),
    for: fc.constantFrom(null, "1s", "90s", "1d12h"),
    now: fc.boolean(),
    all: fc.boolean()
  },
  { requiredKeys: ["reason"] }
)

const fieldsOf = ({ payload }: HttpApiEndpoint.Top) =>
  [...payload.values()]
    .flatMap(({ schemas }): ReadonlyArray<Schema.Top> => schemas)
    .flatMap((schema) => Object.keys((schema as Schema.Struct<Schema.Struct.Fields>).fields))

/** Requests that the contract allows. */
const validOf = Effect.fnUntraced(function* (endpoint: HttpApiEndpoint.Top, seed: string) {
  const [params, query, headers] = yield* Effect.all([
    partsOf(endpoint.params, seed),
    partsOf(endpoint.query, seed),
    partsOf(endpoint.headers, seed)
  ])
  const fields = fieldsOf(endpoint)
  return fc.sample(payload, { seed: seed.length, numRuns: count }).map(
    (payload, i): Request => ({
      params: params[i] ?? {},
      query: query[i] ?? {},
      headers: headers[i] ?? {},
      payload: Object.fromEntries(Object.entries(payload).filter(([name]) => fields.includes(name)))
    })
  )
})

const hostile = fc.oneof(
  fc.constantFrom<unknown>("", "\0", "__proto__", "../..", "%", "-1", "1e999", "9".repeat(70), null, true, -0, [], {}),
  fc.string({ unit: "binary" }),
  fc.jsonValue()
)

/** The same with one thing in it that was not meant. */
const mutated = ({ headers, params, payload, query }: Request, seed: number): Request => {
  const [value, where, which] = fc.sample(fc.tuple(hostile, fc.nat(3), fc.nat(20)), { seed, numRuns: 1 })[0] ?? []
  const at = (part: Part): Part => {
    const names = [...Object.keys(part), "limit", "cursor", "since", "reason", "until", "for", "plan"]
    return { ...part, [names[(which ?? 0) % names.length] ?? ""]: value }
  }
  const isObject = typeof payload === "object" && payload !== null
  return {
    params: where === 0 ? Object.fromEntries(Object.keys(params).map((name) => [name, value])) : params,
    query: where === 1 ? at(query) : query,
    headers: where === 2 ? { ...headers, "idempotency-key": value, "if-match": value } : headers,
    payload: where === 3 ? ((which ?? 0) < 4 || !isObject ? value : at({ ...payload })) : payload
  }
}

const textOf = (value: unknown) => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""))

/** A header can have no other characters. */
const headerOf = (value: unknown) => textOf(value).replaceAll(/[^\t\x20-\x7e]/g, "?")

const askedBy = ({ method, path }: HttpApiEndpoint.Top, { headers, params, payload, query }: Request): Asked => {
  const present = (part: Part) => Object.entries(part).filter(([, value]) => value !== undefined)
  const target = path.replaceAll(/:([a-z]+)/g, (_, name) => encodeURIComponent(textOf(params[name]).toWellFormed()))
  const search = present(query).map(([name, value]) => [name, textOf(value)])
  return {
    method,
    path: `${target}?${new URLSearchParams(search)}`,
    headers: {
      ...(method === "POST" && asJson),
      ...Object.fromEntries(present(headers).map(([name, value]) => [name, headerOf(value)]))
    },
    ...(method === "POST" && { body: JSON.stringify(payload) })
  }
}

const successOf = ({ success }: HttpApiEndpoint.Top) => {
  const [schema] = [...success].map((one) => (HttpApiSchema.isWithHeaders(one) ? one.schema : one))
  const codec = Schema.toCodecJson(schema ?? Schema.Never) as unknown as Schema.Codec<unknown, unknown>
  return Schema.decodeUnknownSync(Schema.fromJsonString(codec))
}

/** As the contract says: what it promises, or a problem; and never a fault of ours. */
const check = (endpoint: HttpApiEndpoint.Top, asked: Asked, answer: Answer) => {
  const told = `${asked.method} ${asked.path} ${asked.body}: ${answer.status} ${answer.body}`
  if (answer.status < 300) return assert.doesNotThrow(() => successOf(endpoint)(answer.body), undefined, told)
  assert.isBelow(answer.status, 500, told)
  problemOf(answer)
}

describe("a request that nobody thought of", () => {
  // By name, because a report of a failure would show all of an endpoint, without end.
  inApi.each(endpoints.map(({ name }) => name))("is answered by %s as the contract says", function* (name) {
    const endpoint = endpoints.find((one) => one.name === name) ?? assert.fail()
    yield* seedMany(3)
    const valid = yield* validOf(endpoint, name)
    for (const [i, request] of [...valid, ...valid.map(mutated)].entries()) {
      const asked = askedBy(endpoint, request)
      const answer = yield* as("ann", asked)
      check(endpoint, asked, answer)
      if (i < count) assert.notInclude(answer.body, "Request validation failed", `${asked.path} ${asked.body}`)
      yield* TestClock.adjust("100 millis")
    }
  })
})
