import { Effect } from "effect"
import type { Span } from "../support/otlp.ts"
import { demand, eventually } from "./demand.ts"
import type { Stack } from "./Stack.ts"

/** OTLP's numbers for the status of a failure, and for the kind of a call to somebody else. */
const error = 2
const client = 3

const nameOf = ({ name }: Span) => name.replace("rtmanager.cleanup.", "")

/** A trace as Jaeger's page shows it: children under their parent, in the order of their start. */
const drawn = (spans: ReadonlyArray<Span>, parent: string, indent: string): ReadonlyArray<string> =>
  spans
    .filter(({ parentSpanId }) => parentSpanId === parent)
    .flatMap((span) => {
      const { attributes, status } = span
      const says = [
        attributes["rtmanager.game.id"],
        attributes["rtmanager.cleanup.result"],
        attributes["rtmanager.cleanup.outcome"],
        attributes["http.request.method"],
        attributes["http.response.status_code"],
        status === error && `ERROR ${attributes["error.type"]}`
      ].filter((said) => said !== undefined && said !== false)
      return [`${indent}${[nameOf(span), ...says].join(" ")}`, ...drawn(spans, span.spanId, `${indent}  `)]
    })

const isStatement = ({ attributes }: Span) => attributes["db.system.name"] !== undefined

const stepsOf = (spans: ReadonlyArray<Span>, parent: Span) => {
  const steps = spans.filter((span) => span.parentSpanId === parent.spanId).map(nameOf)
  return [...new Set(steps)].sort().join(" ")
}

export const gamesOf = (spans: ReadonlyArray<Span>) => spans.filter(({ name }) => name === "rtmanager.cleanup.game")

/** What a game goes through that ends so. */
const stepsTo: Readonly<Record<string, string>> = {
  removed: "commit inspect lease remove",
  already_absent: "commit find info inspect lease network witnesses",
  failed: "inspect lease settle"
}

/** The trace of the first pass: later ones may try the game that failed again. */
const ofStartup = (spans: ReadonlyArray<Span>) => {
  const pass = spans.find(({ attributes }) => attributes["rtmanager.cleanup.trigger"] === "startup")
  return spans.filter(({ traceId }) => traceId === pass?.traceId)
}

const isWhole = (spans: ReadonlyArray<Span>) =>
  spans.some(({ name }) => name === "rtmanager.cleanup.pass") &&
  gamesOf(spans).length === 3 &&
  gamesOf(spans).every((span) => stepsOf(spans, span) === stepsTo[String(span.attributes["rtmanager.cleanup.outcome"])])

/** The attributes of a call to the engine, each as OpenTelemetry names it. */
const isDescribed = ({ attributes, kind }: Span) =>
  kind === client &&
  /^(?:GET|DELETE)$/.test(String(attributes["http.request.method"])) &&
  /^\/(?:_ping|info|networks\/none|containers\/(?:json|\{id\}(?:\/json)?))$/.test(String(attributes["url.template"])) &&
  Number(attributes["http.response.status_code"]) >= 200 &&
  attributes["server.address"] !== undefined

/** A statement's span has the name of its operation. */
const isNamed = (name: string, operation: unknown) =>
  name.replaceAll(/[._]/g, "") === `rtmanagercleanup${String(operation).toLowerCase()}`

/** A pass with games that end in each of three ways is one trace in Jaeger, with the one failure as its only error. */
export const passInJaeger = Effect.fnUntraced(function* ({ traces }: Stack) {
  // Spans of one trace may come in several requests.
  const spans = yield* eventually(
    "a pass with three games, each with all its steps, in Jaeger",
    Effect.map(traces.spans("rtmanager.cleanup.game"), ofStartup),
    isWhole
  )
  const [pass] = spans.filter(({ name }) => name === "rtmanager.cleanup.pass")
  yield* demand(pass !== undefined && pass.parentSpanId === "", "the pass is no root")
  if (pass === undefined) return []
  const { attributes } = pass
  yield* demand(
    attributes["rtmanager.cleanup.trigger"] === "startup" &&
      attributes["rtmanager.cleanup.result"] === "partial" &&
      attributes["rtmanager.cleanup.games.removed"] === 1 &&
      attributes["rtmanager.cleanup.games.already_absent"] === 1 &&
      attributes["rtmanager.cleanup.games.failed"] === 1,
    `the pass says ${JSON.stringify(attributes)}`
  )
  for (const { attributes, parentSpanId } of gamesOf(spans)) {
    const outcome = String(attributes["rtmanager.cleanup.outcome"])
    yield* demand(parentSpanId === pass.spanId, `${outcome} is not under its pass`)
    yield* demand(
      /^[0-9a-f]{64}$/.test(String(attributes["container.id"])) &&
        attributes["rtmanager.cleanup.op_source"] === "auto_ttl" &&
        (outcome === "failed" || Number(attributes["rtmanager.cleanup.lag"]) > 0),
      `${outcome} says ${JSON.stringify(attributes)}`
    )
  }
  for (const span of spans.filter((span) => span.kind === client && !isStatement(span)))
    yield* demand(isDescribed(span), `${span.name} says ${JSON.stringify(span.attributes)}`)
  for (const { attributes, name } of spans.filter(isStatement))
    yield* demand(isNamed(name, attributes["db.operation.name"]), `${name} says ${JSON.stringify(attributes)}`)
  const errors = spans.filter(({ status }) => status === error)
  yield* demand(
    errors.length === 1 && errors[0]?.attributes["error.type"] === "container_running",
    `errors: ${errors.map((span) => `${nameOf(span)} ${span.attributes["error.type"]}`)}`
  )
  yield* demand(
    pass.resource["service.name"] === "rtmanager.containercleanup" &&
      pass.resource["service.instance.id"] !== undefined,
    `the resource is ${JSON.stringify(pass.resource)}`
  )
  return drawn(spans, "", "")
})

/** Games that one trace may have. */
const mostGames = 100

/** Every game of a large pass is in a trace that can still be read, linked to the pass. */
export const largePassInJaeger = Effect.fnUntraced(function* ({ traces }: Stack, count: number) {
  const name = "rtmanager.cleanup.batch"
  const own = ({ attributes }: Span) => String(attributes["rtmanager.game.id"]).startsWith("large-")
  const wholeTraces = Effect.map(
    Effect.all([traces.spans(name), traces.spans("rtmanager.cleanup.pass")]),
    ([batches, passes]) => Map.groupBy([...batches, ...passes], ({ traceId }) => traceId)
  )
  const byTrace = yield* eventually(`all ${count} games in Jaeger`, wholeTraces, (byTrace) => {
    const games = [...byTrace.values()].map((spans) => gamesOf(spans).filter(own).length)
    return games.reduce((sum, games) => sum + games, 0) === count
  })
  const withGames = [...byTrace.values()].filter((spans) => gamesOf(spans).some(own))
  const roots = withGames.flatMap((spans) => spans.filter(({ parentSpanId }) => parentSpanId === ""))
  const [pass] = roots.filter(({ name }) => name === "rtmanager.cleanup.pass")
  const batches = roots.filter((root) => root.name === name)
  yield* demand(
    roots.length === withGames.length && batches.length === roots.length - 1 && pass !== undefined,
    `${roots.length} roots in ${withGames.length} traces, ${batches.length} of them batches`
  )
  for (const spans of withGames)
    yield* demand(gamesOf(spans).length <= mostGames, `${gamesOf(spans).length} games in one trace`)
  for (const { links } of batches)
    yield* demand(
      links.some(({ traceId, spanId }) => traceId === pass?.traceId && spanId === pass.spanId),
      "a batch is not linked to its pass"
    )
  const largest = Math.max(...withGames.map((spans) => spans.length))
  return [
    `${count} games in ${withGames.length} traces of ${mostGames} games at most, ${largest} spans the largest; ` +
      `${batches.length} batches, each linked to the pass ${pass?.traceId}`
  ]
})
