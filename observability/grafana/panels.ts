import { audit, type Fields, type Json, prometheus, type Query } from "./queries.ts"

/** The kinds of panels, with what all panels of a kind have in common. */

const refId = (index: number) => String.fromCharCode(65 + index)

const target = ({ expr, legend, more }: Query, index: number) => ({
  refId: refId(index),
  datasource: prometheus,
  expr,
  ...(legend !== undefined && { legendFormat: legend }),
  ...more
})

export interface Panel {
  readonly title: string
  readonly description: string
  readonly width: number
  readonly height: number
  readonly json: Fields
}

interface Common {
  readonly title: string
  readonly description: string
  readonly width?: number
  readonly height?: number
  readonly unit?: string
}

export const colour = (name: string, fixedColor: string) => override(name, { color: { mode: "fixed", fixedColor } })

export const override = (name: string, properties: Fields) => ({
  matcher: { id: "byName", options: name },
  properties: Object.entries(properties).map(([id, value]) => ({ id, value }))
})

interface Stat extends Common {
  readonly queries: ReadonlyArray<Query>
  readonly noValue: string
  /** From which value on it has which colour; `text` without any. */
  readonly thresholds?: ReadonlyArray<readonly [value: number | null, color: string]>
  readonly overrides?: ReadonlyArray<Json>
  /** `name`: the legend is what it says. */
  readonly text?: "value" | "name" | "value_and_name"
}

const plain = [[null, "text"]] as const

export const steps = (thresholds: Stat["thresholds"] = plain) => ({
  mode: "absolute",
  steps: thresholds.map(([value, color]) => ({ color, value }))
})

export const stat = ({ noValue, overrides = [], queries, text, thresholds, unit = "none", ...panel }: Stat): Panel => ({
  width: 6,
  height: 4,
  ...panel,
  json: {
    type: "stat",
    datasource: prometheus,
    fieldConfig: {
      defaults: {
        unit,
        decimals: unit === "s" ? 1 : 0,
        noValue,
        color: { mode: "thresholds" },
        thresholds: steps(thresholds)
      },
      overrides
    },
    options: {
      colorMode: thresholds === undefined ? "none" : "background",
      graphMode: "none",
      ...(text !== undefined && { textMode: text }),
      reduceOptions: { calcs: ["lastNotNull"] }
    },
    targets: queries.map((query, index) => target({ ...query, more: { instant: true } }, index))
  }
})

interface Graph extends Common {
  readonly queries: ReadonlyArray<Query>
  readonly overrides?: ReadonlyArray<Json>
  readonly links?: ReadonlyArray<Json>
  readonly custom?: Fields
}

export const graph = ({ custom, links, overrides = [], queries, unit = "none", ...panel }: Graph): Panel => ({
  width: 12,
  height: 8,
  ...panel,
  json: {
    type: "timeseries",
    datasource: prometheus,
    fieldConfig: {
      defaults: { unit, min: 0, ...(custom !== undefined && { custom }), ...(links !== undefined && { links }) },
      overrides
    },
    options: {
      tooltip: { mode: "multi", sort: "desc" },
      legend: { showLegend: true, displayMode: "table", placement: "bottom", calcs: ["lastNotNull", "max"] }
    },
    targets: queries.map(target)
  }
})

export const heatmap = (panel: Common, query: Query): Panel => ({
  width: 8,
  height: 8,
  ...panel,
  json: {
    type: "heatmap",
    datasource: prometheus,
    fieldConfig: { defaults: { unit: panel.unit ?? "s" }, overrides: [] },
    options: { yAxis: { unit: "s" }, cellValues: { unit: "none", decimals: 0 } },
    targets: [target({ ...query, more: { format: "heatmap" } }, 0)]
  }
})

interface Table extends Common {
  readonly overrides?: ReadonlyArray<Json>
}

export const table = (
  { overrides = [], unit = "string", ...panel }: Table,
  datasource: Fields,
  targets: ReadonlyArray<Fields>,
  transformations?: ReadonlyArray<Json>
): Panel => ({
  width: 24,
  height: 9,
  ...panel,
  json: {
    type: "table",
    datasource,
    // What stands in an empty cell.
    fieldConfig: { defaults: { unit, noValue: "–" }, overrides },
    targets: targets.map((target, index) => ({ refId: refId(index), datasource, ...target })),
    ...(transformations !== undefined && { transformations })
  }
})

/**
 * A table of what queries say of the same labels. A query's values are the column of that name; a query without one only
 * brings its labels.
 */
export const merged = (
  panel: Table,
  labels: Readonly<Record<string, string>>,
  queries: ReadonlyArray<{ readonly expr: string; readonly column?: string }>
) => {
  const values = queries.map(({ column }, index) => ({ field: `Value #${refId(index)}`, column }))
  const hidden = values.flatMap(({ column, field }) => (column === undefined ? [field] : []))
  const named = values.flatMap(({ column, field }) => (column === undefined ? [] : [[field, column] as const]))
  return table(
    panel,
    prometheus,
    queries.map(({ expr }) => ({ expr, format: "table", instant: true })),
    [
      { id: "merge", options: {} },
      {
        id: "organize",
        options: {
          excludeByName: { Time: true, ...Object.fromEntries(hidden.map((field) => [field, true])) },
          renameByName: { ...labels, ...Object.fromEntries(named) }
        }
      }
    ]
  )
}

/** A table of the service's own database, of all games or of the one in the field Game. */
export const rows = (panel: Table, select: string) =>
  table(panel, audit, [{ format: "table", rawQuery: true, rawSql: select.replaceAll(/\s+/g, " ").trim() }])
