import { instruments } from "../../src/observability/Metrics.ts"
import { sdkInstruments } from "../../src/observability/sdkInstruments.ts"

/** What the dashboard asks: Prometheus by the names of the table of instruments, and Jaeger. */

export type Json = string | number | boolean | null | ReadonlyArray<Json> | { readonly [key: string]: Json }
export type Fields = Readonly<Record<string, Json>>

/** One of Grafana's variables. */
export const variable = (name: string) => `\${${name}}`

export const prometheus = { type: "prometheus", uid: variable("prometheus") }
export const jaeger = { type: "jaeger", uid: variable("jaeger") }
export const audit = { type: "grafana-postgresql-datasource", uid: variable("audit") }

const suffixes: Readonly<Record<string, string>> = { s: "_seconds", By: "_bytes", 1: "_ratio" }

const all = { ...instruments, ...sdkInstruments }
const ofService = `job=~"$service"`
/** Of the engines that are chosen. */
export const ofEngine = `${ofService}, rtmanager_engine_name=~"$engine"`
const ofProcess = new Set<string>(["inFlight", "memoryUsage", "eventLoopUtilization", ...Object.keys(sdkInstruments)])

const selector = (key: keyof typeof all, part: string, matchers: ReadonlyArray<string>) => {
  const { name, type, unit } = all[key]
  const base = `${name.replaceAll(".", "_")}${suffixes[unit] ?? ""}${type === "counter" ? "_total" : ""}${part}`
  return `${base}{${matchers.filter((matcher) => matcher !== "").join(", ")}}`
}

/**
 * The series of an instrument, under the name that Prometheus gives to what it gets over OTLP. What the SDK counts belongs to
 * a process, and has no engine.
 */
export const series = (key: keyof typeof all, matchers = "", part: "" | "_bucket" | "_count" = "") =>
  selector(key, part, [
    key in sdkInstruments ? ofService : ofEngine,
    ofProcess.has(key) ? `instance=~"$instance"` : "",
    matchers
  ])

/** The same of all engines, whichever are chosen. Versions that knew no engines sent series without one. */
export const seriesOfAll = (key: keyof typeof instruments, matchers = "") =>
  selector(key, "", [ofService, 'rtmanager_engine_name!=""', matchers])

/** Of spans that call somebody: the engine's have no database system. */
const calls = (metric: string, system: "" | "postgresql", more = "") =>
  `traces_span_metrics_${metric}{${ofEngine}, span_kind="SPAN_KIND_CLIENT", db_system_name="${system}"${more}}`

/** What the processes' queues have given up in the hour before, by reason; `none` if nothing. */
export const lost = (processed: "spansProcessed" | "logsProcessed", what: string): Query => ({
  expr: `${inLastHour("by (error_type) ", series(processed, 'error_type!=""'))} or on() label_replace(0 * sum(${series(processed)}), "error_type", "none", "", "")`,
  legend: `${what} {{error_type}}`
})

/** What a counter gained in the hour before, also if it was not there an hour ago. */
export const inLastHour = (by: string, counter: string) =>
  `sum ${by}(last_over_time(${counter}[1h]) - (last_over_time(${counter}[1h] offset 1h) or 0 * last_over_time(${counter}[1h])))`

export const quantile = (share: number, buckets: string, by = "le", window = "$__rate_interval") =>
  `histogram_quantile(${share}, sum by (${by}) (rate(${buckets}[${window}])))`

export interface Query {
  readonly expr: string
  readonly legend?: string
  readonly more?: Fields
}

export const latency = (system: "" | "postgresql") =>
  [0.5, 0.95].map((share) => ({
    expr: quantile(share, calls("duration_seconds_bucket", system), "le, server_address, span_name"),
    legend: `{{server_address}} {{span_name}} p${share * 100}`,
    more: { exemplar: true }
  }))

export const errors = (system: "" | "postgresql"): ReadonlyArray<Query> => [
  {
    expr: `sum by (server_address, span_name, error_type) (rate(${calls("calls_total", system, ', status_code="STATUS_CODE_ERROR"')}[$__rate_interval])) * 60 or on() label_replace(0 * sum(rate(${calls("calls_total", system)}[$__rate_interval])), "error_type", "none", "", "")`,
    legend: "{{server_address}} {{span_name}} {{error_type}}"
  }
]

/** Grafana's own page for one query of a data source. */
export const explore = (query: Fields, from = "now-7d", to = "now") =>
  `/explore?schemaVersion=1&orgId=1&panes=${JSON.stringify({
    one: { datasource: jaeger.uid, queries: [{ refId: "A", datasource: jaeger, ...query }], range: { from, to } }
  })}`

export const search = (operation: string, more: Fields = {}) => ({
  queryType: "search",
  // `job` may begin with the service's namespace, which Jaeger does not know.
  service: variable("service_name"),
  operation: `rtmanager.cleanup.${operation}`,
  limit: 100,
  ...more
})
export const failedGames = search("game", { tags: "error=true" })
