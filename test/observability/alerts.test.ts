import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { acceptedForms } from "../../src/config/variables.ts"
import { read, readYaml } from "../support/deployment.ts"
import { describeWith } from "../support/needs.ts"
import { alerts, assertKnown, recorded } from "../support/prometheus.ts"
import { groupingsIn, metricsIn } from "../support/promql.ts"
import * as Promtool from "../support/promtool.ts"

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
const { tests } = await readYaml(`${folder}/rules.test.yml`, Cases)
const runbooks = await read("docs/runbooks.md")

/** An engine that nobody cleans, and a pause, which is one for all engines. */
const ofAllEngines = ["CleanupEngineUnknown", "CleanupPausedLong"]

describe("the alerts", () => {
  it.each([
    ...alerts.map(({ alert, expr }) => ({ name: alert, expr })),
    ...recorded.map(({ record, expr }) => ({ name: record, expr }))
  ])("$name asks for metrics that there are", ({ expr }) => {
    assert.isNotEmpty(metricsIn(expr))
    assertKnown(expr)
  })

  it.each(alerts)(
    "$alert has a section among the runbooks, and says how bad it is",
    ({ alert, annotations, labels }) => {
      assert.include(runbooks, `\n## ${alert}\n`)
      assert.strictEqual(annotations.runbook_url, `docs/runbooks.md#${alert.toLowerCase()}`)
      assert.isNotEmpty(annotations.description)
      assert.include(["critical", "warning"], labels["severity"])
    }
  )

  it.each(alerts.filter(({ alert }) => alert.startsWith("Cleanup") && !ofAllEngines.includes(alert)))(
    "$alert is about one engine, and names it",
    ({ annotations, expr }) => {
      assert.include(groupingsIn(expr), "rtmanager_engine_name")
      assert.include(annotations.summary, "on engine {{ $labels.rtmanager_engine_name }}")
    }
  )

  it.each(alerts)("$alert has a case in which it fires, and one in which it does not", ({ alert }) => {
    const cases = tests.flatMap(({ alert_rule_test }) => alert_rule_test).filter(({ alertname }) => alertname === alert)
    assert.isTrue(cases.some(({ exp_alerts = [] }) => exp_alerts.length > 0))
    assert.isTrue(cases.some(({ exp_alerts = [] }) => exp_alerts.length === 0))
  })

  it("are tested with series that there are", () => {
    for (const { input_series } of tests) for (const { series } of input_series) assertKnown(series)
  })

  it("are met by settings that the service takes, such as the one that stops all removals", () => {
    const named = [...runbooks.matchAll(/\b(RTMANAGER_CLEANUP_MODE)=(\w+)/g)].map(([, , mode]) => mode)
    assert.include(named, "paused")
    for (const mode of named) {
      assert.match(acceptedForms.get("RTMANAGER_CLEANUP_MODE") ?? "", new RegExp(`\\b${mode}\\b`))
    }
    for (const { alert } of alerts)
      assert.match(runbooks.split(`\n## ${alert}\n`)[1] ?? "", /^[^#]*\n(?:1\. |- )/, `${alert}: nothing to do`)
  })

  it("have no runbook too many", () => {
    assert.sameMembers(
      [...runbooks.matchAll(/^## (\w+)$/gm)].map(([, name]) => name),
      alerts.map(({ alert }) => alert)
    )
  })
})

describeWith(Promtool.missing, "the alerts in Prometheus", () => {
  it("pass its check", () => Promtool.assertPasses("check", "rules", `${folder}/rules.yml`))

  it("pass their own cases", () => Promtool.assertPasses("test", "rules", `${folder}/rules.test.yml`))
})
