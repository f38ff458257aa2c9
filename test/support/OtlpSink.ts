import { createServer, type IncomingMessage } from "node:http"
import { gunzipSync } from "node:zlib"
import { Effect, Schema } from "effect"
import { type Attributes, Body, type LogRecord, logsOf, type Point, pointsOf, type Span, spansOf } from "./otlp.ts"

const bodyOf = async (request: IncomingMessage) => {
  const sent = Buffer.concat(await Array.fromAsync(request))
  const isCompressed = request.headers["content-encoding"] === "gzip"
  return { isCompressed, bytes: sent.length, text: (isCompressed ? gunzipSync(sent) : sent).toString() }
}

const sameAttributes = (one: Attributes, other: Attributes) =>
  Object.keys(one).length === Object.keys(other).length &&
  Object.entries(other).every(([name, value]) => one[name] === value)

/** What a sink received, in the order of arrival, and the values of metrics in the order of their times. Ask after a flush: closing the telemetry layer's scope is one. */
export class OtlpSink {
  readonly spans: Array<Span> = []
  readonly points: Array<Point> = []
  readonly logs: Array<LogRecord> = []
  /** Of every request, whether it was answered or not. */
  readonly paths: Array<string> = []
  /** Of every request: whether it came compressed, and its bytes. */
  readonly sizes: Array<{ readonly path: string; readonly isCompressed: boolean; readonly bytes: number }> = []
  endpoint = ""
  /** To `refuse` is final, to be `away` is not; `hang` never answers. */
  answer: "accept" | "refuse" | "away" | "hang" = "accept"

  receive(body: Body) {
    this.spans.push(...spansOf(body))
    this.points.push(...pointsOf(body))
    this.points.sort((one, other) => one.time - other.time)
    this.logs.push(...logsOf(body))
  }

  spansNamed(name: string) {
    return this.spans.filter((span) => span.name === name)
  }

  childrenOf(parent: Span) {
    return this.spans.filter((span) => span.parentSpanId === parent.spanId)
  }

  /** The latest value of the series with exactly these attributes; of a histogram, its sum. */
  valueOf(metric: string, attributes: Attributes = {}) {
    return this.points.findLast((point) => point.metric === metric && sameAttributes(point.attributes, attributes))
      ?.value
  }
}

const statuses = { accept: 200, refuse: 400, away: 503 }

/** A small OTLP/HTTP receiver on 127.0.0.1, on a free port, until the scope closes. */
export const makeOtlpSink = Effect.fnUntraced(function* (answer: OtlpSink["answer"] = "accept") {
  const sink = new OtlpSink()
  sink.answer = answer
  const server = createServer(async (request, response) => {
    const path = request.url ?? ""
    sink.paths.push(path)
    const { text, ...size } = await bodyOf(request)
    sink.sizes.push({ path, ...size })
    if (sink.answer === "hang") return
    if (sink.answer === "accept") sink.receive(Schema.decodeUnknownSync(Body)(text))
    response.writeHead(statuses[sink.answer], { "content-type": "application/json" }).end("{}")
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
  sink.endpoint = typeof address === "object" ? `http://127.0.0.1:${address?.port}` : ""
  return sink
})
