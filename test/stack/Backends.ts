import { Effect, Schema } from "effect"
import { spansOf, Traces } from "../support/otlp.ts"
import { failed } from "./demand.ts"

const ask = (url: string, parameters: Readonly<Record<string, string>>) =>
  Effect.tryPromise({
    try: async () => (await fetch(`${url}?${new URLSearchParams(parameters)}`)).text(),
    catch: (error) => failed(`${url}: ${error}`)
  })

const decode = <S extends Schema.ConstraintDecoder<unknown>>(schema: S, answer: string) =>
  Effect.mapError(Schema.decodeUnknownEffect(Schema.fromJsonString(schema))(answer), (error) =>
    failed(`${error.message} in ${answer.slice(0, 500)}`)
  )

const Found = Schema.Struct({ result: Traces })
const NotFound = Schema.Struct({ error: Schema.Struct({ httpCode: Schema.Literal(404) }) })

const hourMillis = 3_600_000

/** Jaeger's query API, version 3: OTLP's spans. */
export const makeJaeger = (url: string, service: string) => ({
  /** All spans of the traces of the last hour, 200 at most, that have a span of this name. */
  spans: (spanName: string) =>
    Effect.gen(function* () {
      const answer = yield* ask(`${url}/api/v3/traces`, {
        "query.service_name": service,
        "query.operation_name": spanName,
        "query.start_time_min": new Date(Date.now() - hourMillis).toISOString(),
        "query.start_time_max": new Date(Date.now() + hourMillis).toISOString(),
        "query.search_depth": "200",
        // The same, as it was called before 2.14.
        "query.num_traces": "200"
      })
      const seen = yield* decode(Schema.Union([Found, NotFound]), answer)
      return "error" in seen ? [] : spansOf(seen.result)
    })
})

const Labels = Schema.Record(Schema.String, Schema.String)
const Series = Schema.Struct({
  data: Schema.Struct({
    result: Schema.Array(Schema.Struct({ metric: Labels, value: Schema.Tuple([Schema.Number, Schema.String]) }))
  })
})
const Ranges = Schema.Struct({
  data: Schema.Struct({
    result: Schema.Array(
      Schema.Struct({ metric: Labels, values: Schema.Array(Schema.Tuple([Schema.Number, Schema.String])) })
    )
  })
})
const Exemplars = Schema.Struct({
  data: Schema.Array(Schema.Struct({ exemplars: Schema.Array(Schema.Struct({ labels: Labels })) }))
})

interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** The value of the first, which is the only one where a sum was asked for; 0 if there is none. */
export const first = ([sample]: ReadonlyArray<Sample>) => sample?.value ?? 0

/** Prometheus' query API. */
export const makePrometheus = (url: string) => ({
  /** As of now, or of another moment (Unix milliseconds). */
  query: (query: string, moment?: number) =>
    Effect.gen(function* () {
      const answer = yield* ask(`${url}/api/v1/query`, { query, ...(moment && { time: String(moment / 1000) }) })
      const { data } = yield* decode(Series, answer)
      return data.result.map(({ metric, value }): Sample => ({ labels: metric, value: Number(value[1]) }))
    }),
  /** Its values over a time (Unix seconds), so many seconds apart. */
  range: (query: string, start: number, end: number, step: number) =>
    Effect.gen(function* () {
      const times = { start: String(start), end: String(end), step: String(step) }
      const { data } = yield* decode(Ranges, yield* ask(`${url}/api/v1/query_range`, { query, ...times }))
      return data.result.map(({ metric, values }) => ({
        labels: metric,
        points: values.map(([at, value]) => [at, Number(value)] as const)
      }))
    }),
  /** The ids of the traces that a metric's exemplars of the last hour lead to. */
  exemplars: (query: string) =>
    Effect.gen(function* () {
      const range = { start: String(Date.now() / 1000 - 3600), end: String(Date.now() / 1000) }
      const { data } = yield* decode(Exemplars, yield* ask(`${url}/api/v1/query_exemplars`, { query, ...range }))
      return data.flatMap(({ exemplars }) => exemplars).flatMap(({ labels }) => labels["trace_id"] ?? [])
    })
})
