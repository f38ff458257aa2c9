import { readFileSync } from "node:fs"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { dashboard as made } from "../../observability/grafana/dashboard.ts"
import { variable } from "../../observability/grafana/queries.ts"
import { instruments } from "../../src/observability/Metrics.ts"
import { addressOf } from "../../src/page/route.js"
import { panels as all, dashboard, groups } from "../support/dashboard.ts"
import { named, readYaml } from "../support/deployment.ts"
import { describeWith } from "../support/needs.ts"
import { temporaryFolder } from "../support/postgres.ts"
import { alerts, allInstruments, assertKnown, namesOf, recorded, spanNames } from "../support/prometheus.ts"
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

describe("the dashboard", () => {
  it("is what its code makes: npm run dashboard", async () => {
    const file = await readFile("observability/grafana/dashboards/cleanup.json", "utf8")
    assert.strictEqual(file, `${JSON.stringify(made, null, 2)}\n`)
  })

  it("tells panels apart", () => {
    assert.strictEqual(new Set(all.map(({ id }) => id)).size, all.length)
    assert.strictEqual(new Set(all.map(({ title }) => title)).size, all.length)
  })

  it.each(groups)("fills its 24 columns without overlaps or gaps, in the order of the file: $0.title", (...group) => {
    const top = Math.min(...group.map(({ gridPos: { y } }) => y))
    const cells = group.flatMap(({ gridPos: { h, w, x, y } }) =>
      Array.from({ length: w * h }, (_, index) => (y - top + Math.floor(index / w)) * 24 + x + (index % w))
    )
    assert.isTrue(group.every(({ gridPos: { w, x } }) => x >= 0 && x + w <= 24))
    assert.deepStrictEqual(
      cells.toSorted((one, other) => one - other),
      Array.from(cells, (_, index) => index)
    )
    const corners = group.map(({ gridPos: { x, y } }) => y * 24 + x)
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
      const kinds = { prometheus: target.expr, audit: target.rawSql, jaeger: target.operation }
      assert.deepStrictEqual(
        Object.entries(kinds).flatMap(([kind, query]) => (query === undefined ? [] : [kind])),
        [target.datasourceUid]
      )
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

  it("asks Prometheus for a service by its job, which has its namespace too, and Jaeger by its name", () => {
    const ofService = [...asked, ...dashboard.annotations.list].flatMap(({ expr }) =>
      metricsIn(expr).flatMap(({ labels }) => labels.filter(({ values }) => values.includes("$service")))
    )
    assert.isNotEmpty(ofService)
    assert.deepStrictEqual([...new Set(ofService.map(({ label }) => label))], ["job"])
    for (const { expr } of asked.filter(({ expr }) => /\b(?:rtmanager|traces)_/.test(expr))) {
      for (const { metric, labels } of metricsIn(expr)) {
        assert.isTrue(
          labels.some(({ values }) => values.includes("$service")),
          metric
        )
      }
    }
    const services = panels.flatMap(({ targets }) => targets.flatMap(({ service = [] }) => service))
    assert.deepStrictEqual([...new Set(services)], [`\${${"service_name"}}`])
  })

  it("shows the engines that are chosen, and all of them where it compares them", () => {
    const ofEngines = new Set([
      ...Object.values(instruments).flatMap(namesOf),
      ...recorded.map(({ record }) => record),
      "traces_span_metrics_calls_total",
      "traces_span_metrics_duration_seconds_bucket"
    ])
    const whole = asked.filter(({ expr }) =>
      metricsIn(expr).some(
        ({ labels, metric }) => ofEngines.has(metric) && !labels.some(({ values }) => values.includes("$engine"))
      )
    )
    assert.deepStrictEqual(
      [...new Set(whole.map(({ title }) => title))],
      ["Engine by engine", "Records on unknown engines"]
    )
    assert.include(
      dashboard.templating.list.map(({ name }) => name),
      "engine"
    )
  })

  it.each(dashboard.annotations.list)("marks $name by what there is", ({ expr }) => assertKnown(expr))

  it.each(asked)("$title says nothing where Prometheus knows nothing: $expr", ({ expr }) =>
    assert.notInclude(expr, "vector(")
  )

  it("shows an example's trace beside every duration that is made from spans", () => {
    for (const { exemplar = false, expr = "" } of panels.flatMap(({ targets }) => targets)) {
      assert.strictEqual(exemplar, expr.includes("traces_span_metrics_duration_seconds_bucket"), expr)
    }
  })

  it.each(allInstruments)("or an alert asks for $name", (instrument) => {
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
    const patience = "job_engine:rtmanager_cleanup_patience_seconds:max"
    const judged = alerts.filter(({ expr }) => expr.includes(`> ${patience}`)).map(({ alert }) => alert)
    assert.sameMembers(judged, ["CleanupStalled", "CleanupBacklogAgeing"])
    const relative = panels.filter(({ targets }) => targets.some(({ expr = "" }) => expr.includes(`/ ${patience}`)))
    assert.deepStrictEqual(
      relative.map(({ description = "", thresholds }) => [
        judged.find((alert) => description.includes(alert)),
        thresholds.find(({ color }) => color === "red")?.value
      ]),
      [
        ["CleanupStalled", 1],
        ["CleanupBacklogAgeing", 1]
      ]
    )

    const named = panels.flatMap(({ description = "" }) => description.match(/\b(?:Cleanup|Telemetry)[A-Z]\w+/g) ?? [])
    assert.includeMembers(
      alerts.map(({ alert }) => alert),
      named
    )
  })
})

const links = [
  ...new Map([...dashboard.links, ...panels.flatMap(({ links }) => links)].map((link) => [link.url, link])).values()
]

const Explored = Schema.fromJsonString(
  Schema.Struct({
    one: Schema.Struct({
      queries: Schema.Tuple([
        Schema.Struct({
          query: Schema.optionalKey(Schema.String),
          operation: Schema.optionalKey(Schema.String),
          tags: Schema.optionalKey(Schema.String)
        })
      ])
    })
  })
)

describe("the dashboard's links", () => {
  const [outside, inside] = [
    links.filter(({ url }) => url.startsWith("${page")),
    links.filter(({ url }) => !url.startsWith("${page"))
  ]

  it.each(inside)("$title stays in Grafana, wherever that is", ({ url }) => assert.match(url, /^\/[a-z]/))

  it("lead from a game to the service's page, where the compose file publishes it, whatever the game's id is", () => {
    assert.deepStrictEqual(
      outside.map(({ url }) => url),
      [`${variable("page:raw")}/${addressOf("game", "ID").replace("ID", variable("__value.raw:percentencode"))}`]
    )
    const { current, type } = dashboard.templating.list.find(({ name }) => name === "page") ?? assert.fail()
    assert.strictEqual(type, "constant")
    assert.strictEqual(current?.value, `http://${named("rtmanager-cleanup").ports?.[0]?.replace(/:\d+$/, "")}`)
  })

  it.each(links.filter(({ url }) => url.startsWith("/explore")))("$title asks Jaeger for what there is", ({ url }) => {
    const panes = new URL(url, "http://grafana").searchParams.get("panes")
    const [{ operation, query, tags }] = Schema.decodeUnknownSync(Explored)(panes).one.queries
    if (operation === undefined) assert.strictEqual(query, `\${${"__value.raw"}}`)
    else assert.include(spanNames, operation)
    assert.include([undefined, "error=true"], tags)
  })

  it("and Jaeger's lead to the rows of one game", () => {
    const { url } = links.find(({ title }) => title === "Only this game") ?? assert.fail()
    const { pathname, searchParams } = new URL(url.replaceAll(/\$\{[^}]*\}/g, "0"), "http://grafana")
    assert.strictEqual(pathname, `/d/${dashboard.uid}`)
    const [variable = ""] = searchParams.keys()
    assert.include(
      dashboard.templating.list.map(({ name }) => `var-${name}`),
      variable
    )
    const attribute = "rtmanager.game.id"
    assert.include(readFileSync("src/observability/gameTelemetry.ts", "utf8"), `"${attribute}": `)
    const [pattern] = pageAt("https://ops.example:16686").linkPatterns
    assert.strictEqual(pattern.key, attribute)
    assert.strictEqual(pattern.url, `https://ops.example:3000${pathname}?${variable}=#{${attribute}}`)
  })
})

const jaegerUi = readFileSync("observability/jaeger/ui.js", "utf8")
const JaegerUi = Schema.Struct({
  menu: Schema.Array(Schema.Struct({ label: Schema.String, url: Schema.String })),
  linkPatterns: Schema.Tuple([Schema.Struct({ key: Schema.String, url: Schema.String })])
})
/** What Jaeger's page is told when it is opened at this address. */
const pageAt = (url: string) =>
  Schema.decodeUnknownSync(JaegerUi)(new Function("location", `${jaegerUi}\nreturn UIConfig()`)(new URL(url)))

describe("Jaeger's page", () => {
  it("links to where the compose file publishes the others, on the host that it was opened at", () => {
    const { menu } = pageAt("http://127.0.0.1:16686")
    assert.deepStrictEqual(
      menu.map(({ label, url }) => [label, new URL(url).host]),
      ["Grafana", "Prometheus"].map((label) => [label, named(label.toLowerCase()).ports?.[0]?.replace(/:\d+$/, "")])
    )
  })

  it("has a form that Jaeger takes, without dollar signs, which it would replace", () => {
    assert.match(jaegerUi, /function\s+UIConfig(\s)?\(\s?\)(\s)?{/)
    assert.notInclude(jaegerUi, "$")
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
