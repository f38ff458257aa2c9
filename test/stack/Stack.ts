import { mkdir, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { join, resolve } from "node:path"
import { Effect } from "effect"
import * as Deployment from "../support/deployment.ts"
import { temporaryFolder } from "../support/postgres.ts"
import { makeJaeger, makePrometheus } from "./Backends.ts"
import { demand } from "./demand.ts"
import { makePart } from "./Part.ts"
import type { Programs } from "./programs.ts"
import { scaled, scaledFlags, scaledPeriods } from "./scaled.ts"

/** So many ports of loopback that nobody listened on. */
const freePorts = (count: number) =>
  Effect.promise(async () => {
    const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"))
    await Promise.all(servers.map((server) => new Promise((resolve) => server.once("listening", resolve))))
    return servers.map((server) => {
      const address = server.address()
      server.close()
      return typeof address === "object" ? (address?.port ?? 0) : 0
    })
  })

/** The text with its addresses and folders, which are those of a container, replaced in this order; each must occur. */
const relocate = Effect.fnUntraced(function* (
  text: string,
  places: ReadonlyArray<readonly [from: string, to: string | number]>
) {
  let moved = text
  for (const [from, to] of places) {
    yield* demand(moved.includes(from), `nothing to replace: ${from}`)
    moved = moved.replaceAll(from, String(to))
  }
  return moved
})

const read = (file: string) => Effect.promise(() => Deployment.read(file))
const local = (port: number | undefined) => `127.0.0.1:${port}`

/**
 * Collector, Jaeger and Prometheus as processes on loopback, each with the file that its container has, from which only
 * addresses and folders differ, and the times of Prometheus' rules, which are scaled down. Not started yet.
 */
export const makeStack = Effect.fnUntraced(function* (programs: Programs, service: string) {
  const folder = yield* temporaryFolder
  const [otlp, own, query, grpc, traces, jaegerOwn, web] = yield* freePorts(7)
  const place = (name: string) => join(folder, name)
  const write = (name: string, text: string) => Effect.promise(() => writeFile(place(name), text))
  yield* Effect.promise(() => Promise.all(["queue", "jaeger", "samples"].map((name) => mkdir(place(name)))))

  yield* write(
    "collector.yaml",
    yield* relocate(yield* read("otel-collector.yaml"), [
      ["/var/lib/otelcol", place("queue")],
      ["http://jaeger:4318", `http://${local(traces)}`],
      ["http://prometheus:9090", `http://${local(web)}`],
      ["0.0.0.0:4318", local(otlp)],
      ["0.0.0.0", "127.0.0.1"],
      ["8888", own ?? 0]
    ])
  )
  yield* write(
    "jaeger.yaml",
    yield* relocate(yield* read("observability/jaeger/config.yaml"), [
      ["/var/lib/jaeger", place("jaeger")],
      ["/etc/jaeger", resolve("observability/jaeger")],
      ["0.0.0.0:16686", local(query)],
      ["127.0.0.1:16685", local(grpc)],
      ["0.0.0.0:4318", local(traces)],
      ["0.0.0.0", "127.0.0.1"],
      ["8888", jaegerOwn ?? 0]
    ])
  )
  yield* write("rules.yml", scaled(yield* read("observability/prometheus/rules.yml")))
  yield* write(
    "prometheus.yml",
    yield* relocate(yield* read("observability/prometheus/prometheus.yml"), [
      ["otel-collector:8888", local(own)],
      ["jaeger:8888", local(jaegerOwn)],
      ["localhost:9090", local(web)],
      ...scaledPeriods
    ])
  )
  const flags = yield* relocate((Deployment.named("prometheus").command ?? []).join("\n"), [
    ["=/etc/prometheus/prometheus.yml", `=${place("prometheus.yml")}`],
    ["=/prometheus", `=${place("samples")}`]
  ])

  return {
    otlp: `http://${local(otlp)}`,
    page: `http://${local(query)}`,
    collector: yield* makePart(
      programs.collector.file,
      ["--config", place("collector.yaml")],
      `http://${local(own)}/metrics`
    ),
    jaeger: yield* makePart(programs.jaeger.file, ["--config", place("jaeger.yaml")], `http://${local(query)}/`),
    prometheus: yield* makePart(
      programs.prometheus.file,
      [...flags.split("\n"), ...scaledFlags, `--web.listen-address=${local(web)}`],
      `http://${local(web)}/-/ready`
    ),
    traces: makeJaeger(`http://${local(query)}`, service),
    metrics: makePrometheus(`http://${local(web)}`),
    /** Sends what another service might. */
    sendGauge: (name: string, dataPoint: object) =>
      Effect.promise(() =>
        fetch(`http://${local(otlp)}/v1/metrics`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({
            resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name, gauge: { dataPoints: [dataPoint] } }] }] }]
          })
        })
      ),
    /** What the collector says of itself at this moment. */
    ownMetrics: Effect.promise(async () => (await fetch(`http://${local(own)}/metrics`)).text())
  }
})

export type Stack = Effect.Success<ReturnType<typeof makeStack>>
