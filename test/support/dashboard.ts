import { readFile } from "node:fs/promises"
import { Schema } from "effect"

const DataSource = Schema.Struct({ uid: Schema.String })
const Link = Schema.Struct({ title: Schema.String, url: Schema.String })

const Links = Schema.Struct({ id: Schema.Literal("links"), value: Schema.Array(Link) })

const Target = Schema.Struct({
  refId: Schema.String,
  datasource: DataSource,
  expr: Schema.optionalKey(Schema.String),
  rawSql: Schema.optionalKey(Schema.String),
  legendFormat: Schema.optionalKey(Schema.String),
  service: Schema.optionalKey(Schema.String),
  operation: Schema.optionalKey(Schema.String),
  exemplar: Schema.optionalKey(Schema.Boolean)
})

const FieldConfig = Schema.Struct({
  defaults: Schema.Struct({
    unit: Schema.optionalKey(Schema.String),
    noValue: Schema.optionalKey(Schema.String),
    links: Schema.optionalKey(Schema.Array(Link)),
    thresholds: Schema.optionalKey(
      Schema.Struct({
        steps: Schema.Array(Schema.Struct({ color: Schema.String, value: Schema.NullOr(Schema.Number) }))
      })
    )
  }),
  overrides: Schema.Array(
    Schema.Struct({
      matcher: Schema.Struct({ id: Schema.String, options: Schema.Unknown }),
      properties: Schema.Array(Schema.Union([Links, Schema.Struct({ id: Schema.String })]))
    })
  )
})

const Panel = Schema.Struct({
  id: Schema.Int,
  type: Schema.Literals(["row", "stat", "timeseries", "heatmap", "table"]),
  title: Schema.String,
  description: Schema.optionalKey(Schema.String),
  gridPos: Schema.Struct({ x: Schema.Int, y: Schema.Int, w: Schema.Int, h: Schema.Int }),
  datasource: Schema.optionalKey(DataSource),
  fieldConfig: Schema.optionalKey(FieldConfig),
  targets: Schema.optionalKey(Schema.Array(Target))
})

/** A folded row has its panels inside. */
const Row = Schema.Struct({ ...Panel.fields, panels: Schema.optionalKey(Schema.Array(Panel)) })

const Variable = Schema.Struct({
  name: Schema.String,
  type: Schema.String,
  current: Schema.optionalKey(Schema.Struct({ value: Schema.String }))
})

const Dashboard = Schema.Struct({
  uid: Schema.String,
  title: Schema.String,
  editable: Schema.Boolean,
  links: Schema.Array(Link),
  tags: Schema.Array(Schema.String),
  templating: Schema.Struct({ list: Schema.Array(Variable) }),
  annotations: Schema.Struct({ list: Schema.Array(Schema.Struct({ name: Schema.String, expr: Schema.String })) }),
  panels: Schema.Array(Row)
})

const file = new URL("../../observability/grafana/dashboards/cleanup.json", import.meta.url)

/** The dashboard as far as tests look at it. */
export const dashboard = Schema.decodeUnknownSync(Schema.fromJsonString(Dashboard))(await readFile(file, "utf8"))

/** The uid of a data source, which the dashboard names by a variable. */
const uidOf = ({ uid }: typeof DataSource.Type) =>
  dashboard.templating.list.find(({ name, type }) => type === "datasource" && uid === `\${${name}}`)?.current?.value

/** What one sees at once, and below it what each folded row has inside. */
export const groups = [
  dashboard.panels,
  ...dashboard.panels.flatMap(({ panels = [] }) => (panels.length > 0 ? [panels] : []))
]

/** Its panels and rows in the order of the page. */
export const panels = groups.flat().map(({ fieldConfig, targets = [], datasource, ...panel }) => {
  const { defaults = {}, overrides = [] } = fieldConfig ?? {}
  return {
    ...panel,
    unit: defaults.unit,
    noValue: defaults.noValue,
    thresholds: defaults.thresholds?.steps ?? [],
    /** Fields or series that look otherwise than the rest. */
    named: overrides.flatMap(({ matcher }) => (matcher.id === "byName" ? [String(matcher.options)] : [])),
    links: [
      ...(defaults.links ?? []),
      ...overrides.flatMap(({ properties }) =>
        properties.flatMap((property) => ("value" in property ? property.value : []))
      )
    ],
    datasourceUid: datasource && uidOf(datasource),
    targets: targets.map(({ datasource, ...target }) => ({ ...target, datasourceUid: uidOf(datasource) }))
  }
})
