import { Effect } from "effect"
import { panels } from "../support/dashboard.ts"
import { alerts } from "../support/prometheus.ts"
import { metricsIn } from "../support/promql.ts"
import { first } from "./Backends.ts"
import { demand, eventually } from "./demand.ts"
import type { Stack } from "./Stack.ts"

const lossCounter = /^otelcol_exporter_(?:enqueue|send)_failed_/

const expressions = panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => expr ?? []))

/** As Grafana would ask it of a service, or of all. */
export const filled = (expr: string, { service = ".*", rateInterval = "10m" } = {}) =>
  expr
    .replaceAll("$service", service)
    .replaceAll("$engine", ".+")
    .replaceAll("$instance", ".*")
    .replaceAll("$__rate_interval", rateInterval)

/** A panel's first expression, asked of one service over a minute. */
export const askedBy = (title: string, service: string) =>
  filled(panels.find((panel) => panel.title === title)?.targets[0]?.expr ?? "", { service, rateInterval: "1m" })

/** An alert that fires, with labels as PromQL writes them. */
export const firing = (alert: string, labels = "") => `ALERTS{alertname="${alert}", alertstate="firing", ${labels}}`

/** Every metric that an alert or a panel names, and every expression of a panel, return data. Asked after a loss. */
export const dataInPrometheus = Effect.fnUntraced(function* ({ metrics, sendGauge }: Stack) {
  const named = [...expressions, ...alerts.map(({ expr }) => expr)].flatMap((expr) =>
    metricsIn(expr).flatMap(({ metric }) => (metric === "ALERTS" ? [] : [metric]))
  )
  // Of the collector's counters of losses only those are born that have something to count.
  const names = new Set(named.filter((name) => !lossCounter.test(name)))
  const seriesOf = (expr: string) =>
    eventually(`data for ${expr}`, metrics.query(expr), (samples) =>
      samples.some(({ value }) => Number.isFinite(value))
    )
  const found = yield* Effect.forEach(names, (name) => Effect.map(seriesOf(name), ({ length }) => `${name} ${length}`))
  const losses = yield* seriesOf('{__name__=~"otelcol_exporter_(enqueue|send)_failed_.+"}')
  for (const expression of expressions) yield* seriesOf(filled(expression))
  const unit = { key: "unit", value: { stringValue: "By" } }
  yield* sendGauge("of_another_service", { asInt: 1, timeUnixNano: `${Date.now()}000000`, attributes: [unit] })
  yield* seriesOf("of_another_service")
  const ofCollector = yield* metrics.query('count({collector_instance_id!=""})')
  yield* demand(ofCollector.length === 0, `${first(ofCollector)} series are of one run of the collector`)
  const own = yield* metrics.query('count({__name__=~"rtmanager_.+"})')
  const labelled = yield* metrics.query('count({unit!=""})')
  yield* demand(labelled.length === 0, `${first(labelled)} series have a label unit`)
  return [
    `${expressions.length} expressions of the dashboard: each returns data`,
    `${names.size} metrics that panels and alerts name, with their series:`,
    ...found.sort().map((line) => `  ${line}`),
    ...losses.map(({ labels }) => `  ${labels["__name__"]} (born with the loss)`),
    `${first(own)} series of the service, and none of any service with a label unit`
  ]
})

/** No panel says anything of a service that nobody has heard of. */
export const nothingIsSaid = Effect.fnUntraced(function* ({ metrics }: Stack) {
  const own = /^(?:up|ALERTS|otelcol_)/
  const ofService = expressions.filter((expr) => !metricsIn(expr).some(({ metric }) => own.test(metric)))
  for (const expr of ofService) {
    const said = yield* metrics.query(filled(expr))
    yield* demand(said.length === 0, `${expr} says ${JSON.stringify(said)} without a service`)
  }
  return [`${ofService.length} expressions of the dashboard return nothing`]
})

/** What was counted in the very first pass is an increase, which alerts and graphs are made of. */
export const firstPassCounts = Effect.fnUntraced(function* ({ metrics }: Stack) {
  const expr = 'increase(rtmanager_cleanup_games_total{outcome="failed",error_code="container_running"}[10m])'
  const [seen] = yield* eventually(expr, metrics.query(expr), ([sample]) => sample !== undefined && sample.value > 0.9)
  return [`${expr} is ${seen?.value.toFixed(2)}`]
})

/** The exemplars of the engine's latency lead to traces that Jaeger has. */
export const exemplarsLeadToTraces = Effect.fnUntraced(function* ({ metrics, traces }: Stack) {
  const [traceId] = yield* eventually(
    "an exemplar",
    metrics.exemplars('traces_span_metrics_duration_seconds_bucket{span_name="rtmanager.cleanup.remove"}'),
    (ids) => ids.length > 0
  )
  const spans = yield* traces.spans("rtmanager.cleanup.remove")
  yield* demand(
    spans.some((span) => span.traceId === traceId),
    `no trace ${traceId}`
  )
  return [`an exemplar of rtmanager.cleanup.remove leads to the trace ${traceId}`]
})
