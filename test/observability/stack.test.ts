import { spawnSync } from "node:child_process"
import { readFile } from "node:fs/promises"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Yaml from "effect/encoding/Yaml"
import { instruments } from "../../src/observability/Metrics.ts"
import { describeWith } from "../support/needs.ts"

const read = (name: string) => readFile(new URL(`../../${name}`, import.meta.url), "utf8")

const byName = <S extends Schema.Top>(value: S) => Schema.Record(Schema.String, value)

const Rules = Schema.Struct({
  groups: Schema.Array(
    Schema.Struct({
      rules: Schema.Array(
        Schema.Struct({
          alert: Schema.String,
          expr: Schema.String,
          labels: byName(Schema.String),
          annotations: Schema.Struct({ summary: Schema.String, runbook: Schema.String })
        })
      )
    })
  )
})

const Cases = Schema.Struct({
  tests: Schema.Array(
    Schema.Struct({
      input_series: Schema.Array(Schema.Struct({ series: Schema.String })),
      alert_rule_test: Schema.Array(
        Schema.Struct({ alertname: Schema.String, exp_alerts: Schema.optionalKey(Schema.Array(Schema.Unknown)) })
      )
    })
  )
})

const folder = "observability/prometheus"
const alerts = Schema.decodeUnknownSync(Rules)(Yaml.parse(await read(`${folder}/rules.yml`))).groups.flatMap(
  ({ rules }) => rules
)
const { tests } = Schema.decodeUnknownSync(Cases)(Yaml.parse(await read(`${folder}/rules.test.yml`)))
const runbooks = await read("docs/runbooks.md")

const units: Partial<Record<string, string>> = { s: "_seconds" }

/** The metrics of an instrument as Prometheus names what it gets over OTLP. */
const namesOf = ({ name, type, unit }: (typeof instruments)[keyof typeof instruments]) => {
  const base = `${name.replaceAll(".", "_")}${units[unit] ?? ""}`
  if (type === "histogram") return ["_bucket", "_count", "_sum"].map((suffix) => base + suffix)
  return [type === "counter" ? `${base}_total` : base]
}

const attributesOf = new Map<string, Readonly<Record<string, ReadonlyArray<string>>>>(
  Object.values(instruments).flatMap((instrument) => namesOf(instrument).map((name) => [name, instrument.attributes]))
)

const selector = /\b(rtmanager_\w+)(?:\{([^}]*)\})?/g
const matcher = /(\w+)(=~|!~|!=|=)"([^"]*)"/g

/** Every metric that a text of PromQL names, with its label matchers. */
const selectorsOf = (text: string) =>
  [...text.matchAll(selector)].map(([, metric = "", matchers = ""]) => ({
    metric,
    labels: [...matchers.matchAll(matcher)].map(([, label = "", , value = ""]) => ({ label, values: value.split("|") }))
  }))

/** Fails for a metric, a label or a value that the code does not have. */
const assertKnown = (text: string) => {
  for (const { metric, labels } of selectorsOf(text)) {
    const attributes = attributesOf.get(metric)
    assert(attributes !== undefined, `no instrument makes ${metric}`)
    for (const { label, values } of labels) {
      if (label === "instance") continue
      assert.property(attributes, label, metric)
      for (const value of values) assert.include(attributes[label] ?? [], value, `${metric}{${label}}`)
    }
  }
}

describe("the alerts", () => {
  it("are there", () => assert.isAtLeast(alerts.length, 6))

  it.each(alerts)("$alert asks for metrics that the service has", ({ expr }) => {
    assert.isNotEmpty(selectorsOf(expr))
    assertKnown(expr)
  })

  it.each(alerts)(
    "$alert has a section among the runbooks, and says how bad it is",
    ({ alert, annotations, labels }) => {
      assert.include(runbooks, `\n## ${alert}\n`)
      assert.strictEqual(annotations.runbook, `docs/runbooks.md#${alert.toLowerCase()}`)
      assert.include(["critical", "warning"], labels.severity)
    }
  )

  it.each(alerts)("$alert has a case in which it fires, and one in which it does not", ({ alert }) => {
    const cases = tests.flatMap(({ alert_rule_test }) => alert_rule_test).filter(({ alertname }) => alertname === alert)
    assert.isTrue(cases.some(({ exp_alerts = [] }) => exp_alerts.length > 0))
    assert.isTrue(cases.some(({ exp_alerts = [] }) => exp_alerts.length === 0))
  })

  it("are tested with series that the service has", () => {
    for (const { input_series } of tests) for (const { series } of input_series) assertKnown(series)
  })

  it("have no runbook too many", () => {
    assert.sameMembers(
      [...runbooks.matchAll(/^## (\w+)$/gm)].map(([, name]) => name),
      alerts.map(({ alert }) => alert)
    )
  })
})

const missing = spawnSync("promtool", ["--version"]).status === 0 ? undefined : "no promtool on the path"

describeWith(missing, "the alerts in Prometheus", () => {
  it("pass its check and their own cases", () => {
    for (const args of [
      ["check", "rules", `${folder}/rules.yml`],
      ["test", "rules", `${folder}/rules.test.yml`]
    ]) {
      const { status, stderr, stdout } = spawnSync("promtool", args, { encoding: "utf8" })
      assert.strictEqual(status, 0, `${stdout}${stderr}`)
    }
  })
})
