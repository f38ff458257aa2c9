import { createServer, type IncomingMessage } from "node:http"
import { Effect } from "effect"

export type Attributes = Readonly<Record<string, unknown>>

export interface Span {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  /** Empty for a root. */
  readonly parentSpanId: string
  /** 1 internal, 3 client, as in OTLP. */
  readonly kind: number
  readonly attributes: Attributes
  /** 0 unset, 1 ok, 2 error. */
  readonly status: { readonly code: number; readonly message: string }
  readonly events: ReadonlyArray<{ readonly name: string; readonly attributes: Attributes }>
  readonly links: ReadonlyArray<{ readonly traceId: string; readonly spanId: string }>
  readonly resource: Attributes
}

export interface Point {
  readonly metric: string
  readonly unit: string
  readonly description: string
  readonly type: "counter" | "up_down_counter" | "gauge" | "histogram"
  readonly attributes: Attributes
  /** Of a histogram, its sum. */
  readonly value: number
  /** Of a histogram, how many values it has seen. */
  readonly count: number | undefined
  readonly bounds: ReadonlyArray<number> | undefined
  readonly resource: Attributes
}

export interface LogRecord {
  readonly body: unknown
  readonly severity: string
  readonly traceId: string
  readonly spanId: string
  readonly attributes: Attributes
  readonly resource: Attributes
}

// biome-ignore lint/suspicious/noExplicitAny: the wire's JSON, taken apart here and nowhere else
type Json = any

const valueOf = (value: Json): unknown => {
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(valueOf)
  if (value.kvlistValue !== undefined) return attributesOf(value.kvlistValue.values)
  if (value.intValue !== undefined) return Number(value.intValue)
  return value.stringValue ?? value.boolValue ?? value.doubleValue
}

const attributesOf = (pairs: Json): Attributes =>
  Object.fromEntries((pairs ?? []).map(({ key, value }: Json) => [key, valueOf(value)]))

const spansOf = (body: Json): Array<Span> =>
  body.resourceSpans.flatMap((group: Json) =>
    group.scopeSpans.flatMap((scope: Json) =>
      scope.spans.map((span: Json) => ({
        name: span.name,
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? "",
        kind: span.kind,
        attributes: attributesOf(span.attributes),
        status: { code: span.status?.code ?? 0, message: span.status?.message ?? "" },
        events: (span.events ?? []).map(({ name, attributes }: Json) => ({
          name,
          attributes: attributesOf(attributes)
        })),
        links: (span.links ?? []).map(({ traceId, spanId }: Json) => ({ traceId, spanId })),
        resource: attributesOf(group.resource.attributes)
      }))
    )
  )

const kindOf = (metric: Json): readonly [Point["type"], Json] => {
  if (metric.histogram !== undefined) return ["histogram", metric.histogram]
  if (metric.gauge !== undefined) return ["gauge", metric.gauge]
  return [metric.sum.isMonotonic ? "counter" : "up_down_counter", metric.sum]
}

const pointsOf = (body: Json): Array<Point> =>
  body.resourceMetrics.flatMap((group: Json) =>
    group.scopeMetrics.flatMap((scope: Json) =>
      scope.metrics.flatMap((metric: Json) => {
        const [type, { dataPoints }] = kindOf(metric)
        return dataPoints.map((point: Json) => ({
          metric: metric.name,
          unit: metric.unit,
          description: metric.description,
          type,
          attributes: attributesOf(point.attributes),
          value: Number(point.asDouble ?? point.asInt ?? point.sum),
          count: point.count === undefined ? undefined : Number(point.count),
          bounds: point.explicitBounds,
          resource: attributesOf(group.resource.attributes)
        }))
      })
    )
  )

const logsOf = (body: Json): Array<LogRecord> =>
  body.resourceLogs.flatMap((group: Json) =>
    group.scopeLogs.flatMap((scope: Json) =>
      scope.logRecords.map((record: Json) => ({
        body: valueOf(record.body),
        severity: record.severityText,
        traceId: record.traceId ?? "",
        spanId: record.spanId ?? "",
        attributes: attributesOf(record.attributes),
        resource: attributesOf(group.resource.attributes)
      }))
    )
  )

const textOf = async (request: IncomingMessage) => Buffer.concat(await Array.fromAsync(request)).toString()

/**
 * A small OTLP/HTTP receiver on a free port of 127.0.0.1, closed with the scope. It `accept`s, `refuse`s with 503, or
 * `hang`s without an answer. Flush before asking: closing the scope of the telemetry layer does.
 */
export const makeOtlpSink = Effect.fnUntraced(function* (answer: "accept" | "refuse" | "hang" = "accept") {
  const spans: Array<Span> = []
  const points: Array<Point> = []
  const logs: Array<LogRecord> = []
  const paths: Array<string> = []
  const server = createServer(async (request, response) => {
    paths.push(request.url ?? "")
    const body: Json = JSON.parse(await textOf(request))
    if (answer === "hang") return
    if (answer === "accept") {
      if (body.resourceSpans !== undefined) spans.push(...spansOf(body))
      if (body.resourceMetrics !== undefined) points.push(...pointsOf(body))
      if (body.resourceLogs !== undefined) logs.push(...logsOf(body))
    }
    response.writeHead(answer === "accept" ? 200 : 503, { "content-type": "application/json" }).end("{}")
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.void))
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return {
    endpoint: `http://127.0.0.1:${port}`,
    /** What arrived, in the order of arrival. */
    spans: spans as ReadonlyArray<Span>,
    points: points as ReadonlyArray<Point>,
    logs: logs as ReadonlyArray<LogRecord>,
    paths: paths as ReadonlyArray<string>,
    spansNamed: (name: string) => spans.filter((span) => span.name === name),
    childrenOf: (parent: Span) => spans.filter((span) => span.parentSpanId === parent.spanId),
    /** The latest value of the series with exactly these attributes. */
    valueOf: (metric: string, attributes: Attributes = {}) =>
      points.findLast((point) => point.metric === metric && sameAttributes(point.attributes, attributes))?.value
  }
})

const sameAttributes = (one: Attributes, other: Attributes) =>
  Object.keys(one).length === Object.keys(other).length &&
  Object.entries(other).every(([name, value]) => one[name] === value)

export type OtlpSink = Effect.Success<ReturnType<typeof makeOtlpSink>>
