import { Effect, Schema } from "effect"

/** The parts of OTLP's JSON that tests look at, and the flat shapes that they look at them in. */

interface Value {
  readonly stringValue?: string
  readonly boolValue?: boolean
  readonly doubleValue?: number
  readonly intValue?: number | string
  readonly arrayValue?: { readonly values?: ReadonlyArray<Value> }
}
const Value: Schema.Codec<Value> = Schema.Struct({
  stringValue: Schema.optionalKey(Schema.String),
  boolValue: Schema.optionalKey(Schema.Boolean),
  doubleValue: Schema.optionalKey(Schema.Number),
  intValue: Schema.optionalKey(Schema.Union([Schema.Number, Schema.String])),
  arrayValue: Schema.optionalKey(
    Schema.Struct({ values: Schema.optionalKey(Schema.Array(Schema.suspend((): Schema.Codec<Value> => Value))) })
  )
})

/** Left out where it is empty, as Jaeger does. */
const list = <S extends Schema.Top>(item: S) =>
  Schema.Array(item).pipe(Schema.withDecodingDefaultKey(Effect.succeed([] as ReadonlyArray<S["Encoded"]>)))

const Pairs = list(Schema.Struct({ key: Schema.String, value: Value }))
const Resource = Schema.Struct({ attributes: Pairs })
const optionalText = Schema.optionalKey(Schema.String)

export const Traces = Schema.Struct({
  resourceSpans: Schema.Array(
    Schema.Struct({
      resource: Resource,
      scopeSpans: Schema.Array(
        Schema.Struct({
          spans: Schema.Array(
            Schema.Struct({
              name: Schema.String,
              traceId: Schema.String,
              spanId: Schema.String,
              parentSpanId: optionalText,
              kind: Schema.Number,
              attributes: Pairs,
              status: Schema.Struct({ code: Schema.optionalKey(Schema.Number), message: optionalText }),
              events: list(Schema.Struct({ name: Schema.String, attributes: Pairs })),
              links: list(Schema.Struct({ traceId: Schema.String, spanId: Schema.String }))
            })
          )
        })
      )
    })
  )
})

const Numbers = Schema.Struct({
  dataPoints: Schema.Array(
    Schema.Struct({
      attributes: Pairs,
      startTimeUnixNano: optionalText,
      timeUnixNano: Schema.String,
      asDouble: Schema.optionalKey(Schema.Number),
      asInt: Schema.optionalKey(Schema.Union([Schema.Number, Schema.String])),
      sum: Schema.optionalKey(Schema.Number),
      count: Schema.optionalKey(Schema.Number),
      explicitBounds: Schema.optionalKey(Schema.Array(Schema.Number))
    })
  ),
  isMonotonic: Schema.optionalKey(Schema.Boolean)
})

const Metrics = Schema.Struct({
  resourceMetrics: Schema.Array(
    Schema.Struct({
      resource: Resource,
      scopeMetrics: Schema.Array(
        Schema.Struct({
          metrics: Schema.Array(
            Schema.Struct({
              name: Schema.String,
              unit: Schema.String,
              description: Schema.String,
              sum: Schema.optionalKey(Numbers),
              gauge: Schema.optionalKey(Numbers),
              histogram: Schema.optionalKey(Numbers)
            })
          )
        })
      )
    })
  )
})

const Logs = Schema.Struct({
  resourceLogs: Schema.Array(
    Schema.Struct({
      resource: Resource,
      scopeLogs: Schema.Array(
        Schema.Struct({
          logRecords: Schema.Array(
            Schema.Struct({
              body: Value,
              severityText: Schema.String,
              traceId: optionalText,
              spanId: optionalText,
              attributes: Pairs
            })
          )
        })
      )
    })
  )
})

/** What one request may carry. */
export const Body = Schema.fromJsonString(Schema.Union([Traces, Metrics, Logs]))
export type Body = typeof Body.Type

const plain = ({ stringValue, boolValue, doubleValue, intValue, arrayValue }: Value): unknown =>
  arrayValue?.values?.map(plain) ?? stringValue ?? boolValue ?? doubleValue ?? Number(intValue)

export type Attributes = Readonly<Record<string, unknown>>
const attributesOf = (pairs: typeof Pairs.Type): Attributes =>
  Object.fromEntries(pairs.map(({ key, value }) => [key, plain(value)]))

export type Span = ReturnType<typeof spansOf>[number]
/** `parentSpanId` is empty for a root; `kind` is 1 internal or 3 client; `status` is 0 unset, 1 ok or 2 error. */
export const spansOf = (body: Body) =>
  ("resourceSpans" in body ? body.resourceSpans : []).flatMap(({ resource, scopeSpans }) =>
    scopeSpans
      .flatMap(({ spans }) => spans)
      .map((span) => ({
        ...span,
        parentSpanId: span.parentSpanId ?? "",
        attributes: attributesOf(span.attributes),
        status: span.status.code ?? 0,
        statusMessage: span.status.message ?? "",
        events: span.events.map(({ name, attributes }) => ({ name, attributes: attributesOf(attributes) })),
        resource: attributesOf(resource.attributes)
      }))
  )

export type Point = ReturnType<typeof pointsOf>[number]
/** One value of one series; of a histogram, `value` is the sum. */
export const pointsOf = (body: Body) =>
  ("resourceMetrics" in body ? body.resourceMetrics : []).flatMap(({ resource, scopeMetrics }) =>
    scopeMetrics
      .flatMap(({ metrics }) => metrics)
      .flatMap(({ name, unit, description, sum, gauge, histogram }) =>
        (sum ?? gauge ?? histogram ?? { dataPoints: [] }).dataPoints.map((point) => ({
          metric: name,
          unit,
          description,
          type: sum ? (sum.isMonotonic ? "counter" : "up_down_counter") : gauge ? "gauge" : "histogram",
          attributes: attributesOf(point.attributes),
          value: Number(point.asDouble ?? point.asInt ?? point.sum),
          count: point.count,
          /** Nanoseconds since 1970; 0 if not known. */
          start: Number(point.startTimeUnixNano ?? 0),
          time: Number(point.timeUnixNano),
          boundaries: point.explicitBounds,
          resource: attributesOf(resource.attributes)
        }))
      )
  )

export type LogRecord = ReturnType<typeof logsOf>[number]
export const logsOf = (body: Body) =>
  ("resourceLogs" in body ? body.resourceLogs : []).flatMap(({ resource, scopeLogs }) =>
    scopeLogs
      .flatMap(({ logRecords }) => logRecords)
      .map((record) => ({
        body: plain(record.body),
        severity: record.severityText,
        traceId: record.traceId ?? "",
        spanId: record.spanId ?? "",
        attributes: attributesOf(record.attributes),
        resource: attributesOf(resource.attributes)
      }))
  )
