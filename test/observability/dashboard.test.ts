import { readFileSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { instruments } from "../../src/observability/Metrics.ts"
import { panels as all, dashboard } from "../support/dashboard.ts"
import { readYaml, services } from "../support/deployment.ts"
import { describeWith } from "../support/needs.ts"
import { temporaryFolder } from "../support/postgres.ts"
import { alerts, assertKnown, namesOf, spanNames } from "../support/prometheus.ts"
import { groupingsIn, metricsIn } from "../support/promql.ts"
import * as Promtool from "../support/promtool.ts"

const panels = all.filter(({ type }) => type !== "row")
const asked = panels.flatMap(({ title, targets }) =>
  targets.flatMap(({ expr, legendFormat = "" }) => (expr === undefined ? [] : [{ title, expr, legendFormat }]))
)

const DataSources = Schema.Struct({
  datasources: Schema.Array(Schema.Struct({ uid: Schema.String, type: Schema.String }))
})
const { datasources } = await readYaml("observability/grafana/provisioning/datasources/datasources.yaml", DataSources)

const published = services.flatMap(([, { ports = [] }]) => ports.map((port) => port.split(":").slice(0, 2).join(":")))

describe("the dashboard", () => {
  it("tells panels apart", () => {
    assert.strictEqual(new Set(all.map(({ id }) => id)).size, all.length)
    assert.strictEqual(new Set(all.map(({ title }) => title)).size, all.length)
  })

  it("fills its 24 columns without overlaps or gaps, in the order of the file", () => {
    const cells = all.flatMap(({ gridPos: { h, w, x, y } }) =>
      Array.from({ length: w * h }, (_, index) => (y + Math.floor(index / w)) * 24 + x + (index % w))
    )
    assert.isTrue(all.every(({ gridPos: { w, x } }) => x >= 0 && x + w <= 24))
    assert.deepStrictEqual(
      cells.toSorted((one, other) => one - other),
      Array.from(cells, (_, index) => index)
    )
    const corners = all.map(({ gridPos: { x, y } }) => y * 24 + x)
    assert.deepStrictEqual(
      corners,
      corners.toSorted((one, other) => one - other)
    )
  })

  it.each(panels)("$title has a unit and says what it shows and what is good", ({ description = "", unit = "" }) => {
    assert.isNotEmpty(unit)
    assert.match(description, /^[A-Z][^.]+(\.\w[^.]+)*\.( [A-Z0-9][^.]+(\.\w[^.]+)*\.)?$/)
  })

  it.each(panels.filter(({ type }) => type === "stat" || type === "table"))(
    "$title says so where there is nothing",
    ({ noValue = "" }) => assert.isNotEmpty(noValue)
  )

  it.each(panels)("$title asks data sources that there are", ({ datasourceUid, targets }) => {
    assert.isNotEmpty(targets)
    assert.strictEqual(new Set(targets.map(({ refId }) => refId)).size, targets.length)
    for (const target of targets) {
      assert.strictEqual(target.datasourceUid, datasourceUid)
      assert.strictEqual(target.datasourceUid, target.expr === undefined ? "audit" : "prometheus")
      assert.include(
        datasources.map(({ uid }) => uid),
        target.datasourceUid
      )
    }
  })

  it.each(asked)("$title asks for what there is: $expr", ({ expr, legendFormat }) => {
    assert.isNotEmpty(metricsIn(expr))
    assertKnown(expr)
    assert.includeMembers(
      [...groupingsIn(expr)],
      [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label)
    )
  })

  it("shows an example's trace beside every duration that is made from spans", () => {
    for (const { exemplar = false, expr = "" } of panels.flatMap(({ targets }) => targets)) {
      assert.strictEqual(exemplar, expr.includes("traces_span_metrics_duration_seconds_bucket"), expr)
    }
  })

  it.each(Object.values(instruments))("or an alert asks for $name", (instrument) => {
    const metrics = [...asked, ...alerts].flatMap(({ expr }) => metricsIn(expr).map(({ metric }) => metric))
    assert.isNotEmpty(namesOf(instrument).filter((name) => metrics.includes(name)))
  })

  it("gives colours to series that there are", () => {
    const values = new Set(Object.values(instruments).flatMap(({ attributes }) => Object.values(attributes).flat()))
    for (const { named } of panels.filter(({ type }) => type === "timeseries")) {
      assert.includeMembers<string>([...values], named)
    }
  })

  it("turns red where the alert fires, and names no alert that there is not", () => {
    const limits = alerts.flatMap(({ alert, expr }) => {
      const [left, right = ""] = expr.split(" > ")
      const [limit = ""] = /^[\d *]+/.exec(right) ?? []
      const panel = panels.find(({ targets }) => targets.some(({ expr }) => expr === left))
      const red = panel?.thresholds.find(({ color }) => color === "red")?.value
      const product = limit.split("*").reduce((product, factor) => product * Number(factor), 1)
      return panel === undefined ? [] : [{ alert, red, limit: product }]
    })
    assert.sameMembers(
      limits.map(({ alert }) => alert),
      ["CleanupStalled", "CleanupBacklogAgeing"]
    )
    for (const { alert, limit, red } of limits) assert.strictEqual(red, limit, alert)

    const named = panels.flatMap(({ description = "" }) => description.match(/\b(?:Cleanup|Telemetry)[A-Z]\w+/g) ?? [])
    assert.includeMembers(
      alerts.map(({ alert }) => alert),
      named
    )
  })
})

/** Each with zeros for Grafana's variables. */
const links = [
  ...new Map([...dashboard.links, ...panels.flatMap(({ links }) => links)].map((link) => [link.url, link])).values()
].map(({ title, url }) => ({ title, url: new URL(url.replaceAll(/\$\{[^}]*\}/g, "0"), "http://127.0.0.1:3000") }))

describe("the dashboard's links", () => {
  it.each(links)("$title leads to a port that is published: $url.href", ({ url }) =>
    assert.include(published, url.host)
  )

  it.each(links.filter(({ url }) => url.pathname === "/search"))(
    "$title asks Jaeger for spans that there are",
    ({ url }) => {
      const { lookback, operation = "", service, start, tags } = Object.fromEntries(url.searchParams)
      assert.include(readFileSync("src/observability/sdk.ts", "utf8"), `"${service}"`)
      assert.include(spanNames, operation)
      // Its page searches nothing without a range of time.
      assert.isTrue(lookback === "custom" ? start !== undefined : /^\d+h$/.test(lookback ?? ""))
      if (tags !== undefined) assert.deepStrictEqual(JSON.parse(tags), { error: "true" })
    }
  )

  it("and Jaeger's lead to the rows of one game", () => {
    const { pathname, searchParams } = links.find(({ title }) => title === "Only this game")?.url ?? assert.fail()
    assert.strictEqual(pathname, `/d/${dashboard.uid}`)
    const [variable] = searchParams.keys()
    assert.deepStrictEqual(
      dashboard.templating.list.map(({ name }) => `var-${name}`),
      [variable]
    )
    const ui = readFileSync("observability/jaeger/ui.json", "utf8")
    const attribute = "rtmanager.game.id"
    assert.include(readFileSync("src/observability/gameTelemetry.ts", "utf8"), `"${attribute}": `)
    assert.include(ui, `"key": "${attribute}"`)
    assert.include(ui, `:3000${pathname}?${variable}=#{${attribute}}"`)
  })
})

describeWith(Promtool.missing, "the dashboard in Prometheus", () => {
  it.effect("has no expression that it does not understand", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryFolder, "rules.json")
      const rules = asked.map(({ expr }, index) => ({
        record: `panel:${index}`,
        expr: expr.replaceAll("$__rate_interval", "1m")
      }))
      yield* Effect.promise(() => writeFile(file, JSON.stringify({ groups: [{ name: "panels", rules }] })))
      Promtool.assertPasses("check", "rules", file)
    })
  )
})
