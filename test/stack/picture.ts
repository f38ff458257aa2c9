import { spawn } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { init } from "echarts"
import { Effect } from "effect"
import { dashboard, panels } from "../support/dashboard.ts"
import { demand, failed } from "./demand.ts"
import { filled } from "./metrics.ts"
import type { Stack } from "./Stack.ts"

/** Pixels of a column and of a row of the dashboard's grid. */
const [column, row] = [66, 34]
const caption =
  "Drawn by npm run e2e:observability from the data that Prometheus has of that run. It is not a picture of Grafana: tables and the heatmap are left out, and colours and legends differ."

type Drawn = (typeof panels)[number]
interface Line {
  readonly name: string
  readonly points: ReadonlyArray<readonly [seconds: number, value: number]>
}

/** The legend of a series, as Grafana fills it in. */
const named = (legend: string | undefined, labels: Readonly<Record<string, string>>) =>
  (legend ?? "")
    .replaceAll(/\{\{(\w+)\}\}/g, (_, label) => labels[label] ?? "")
    // Where a socket of this run was helps nobody.
    .replaceAll(/\/\S+\/|rtmanager\.cleanup\./g, "")
    .trim() || "value"

const linesOf = ({ metrics }: Stack, { targets }: Drawn, from: number, to: number) =>
  Effect.forEach(targets, ({ expr, legendFormat }) =>
    expr === undefined
      ? Effect.succeed([])
      : Effect.map(metrics.range(filled(expr, { rateInterval: "1m" }), from, to, 5), (series) =>
          series.map(({ labels, points }): Line => ({ name: named(legendFormat, labels), points }))
        )
  ).pipe(Effect.map((lines) => lines.flat()))

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

const graph = (lines: ReadonlyArray<Line>, width: number, height: number) => {
  const canvas = init(null, null, { renderer: "svg", ssr: true, width, height })
  canvas.setOption({
    animation: false,
    legend: {
      bottom: 0,
      type: "plain",
      itemHeight: 6,
      textStyle: { fontSize: 9 },
      data: lines.slice(0, 8).map(({ name }) => name)
    },
    grid: { left: 52, right: 12, top: 10, bottom: 58 },
    xAxis: { type: "time", axisLabel: { fontSize: 9 } },
    yAxis: { type: "value", min: 0, axisLabel: { fontSize: 9 } },
    series: lines.map(({ name, points }) => ({
      type: "line",
      name,
      symbol: "none",
      step: "end",
      data: points.map(([seconds, value]) => [seconds * 1000, value])
    }))
  })
  const svg = canvas.renderToSVGString()
  canvas.dispose()
  return svg
}

const figure = ({ unit = "" }: Drawn, name: string, value: number) => {
  if (unit === "percentunit" || name.startsWith("of ")) return `${(100 * value).toFixed(0)} %`
  return unit === "s" ? `${value.toFixed(1)} s` : ""
}

const content = (panel: Drawn, lines: ReadonlyArray<Line>, width: number, height: number) => {
  if (panel.type === "timeseries") return graph(lines, width, height)
  if (panel.type !== "stat") return `<p>(${panel.type}, not drawn)</p>`
  const end = Math.max(...lines.flatMap(({ points }) => points.map(([seconds]) => seconds)))
  const last = lines.flatMap(({ name, points }) =>
    points
      .filter(([seconds]) => seconds === end)
      .map(([, value]) => `<p><b>${escaped(name)}</b> ${figure(panel, name, value)}</p>`)
  )
  return last.join("") || `<p>${escaped(panel.noValue ?? "")}</p>`
}

const box = (panel: Drawn, lines: ReadonlyArray<Line>) => {
  const { h, w, x, y } = panel.gridPos
  const [width, height] = [w * column - 8, h * row - 8]
  const place = `left:${x * column}px;top:${y * row + 60}px;width:${width}px;height:${height}px`
  return panel.type === "row"
    ? `<h2 style="${place}">${escaped(panel.title)}</h2>`
    : `<div style="${place}"><h3>${escaped(panel.title)}</h3>${content(panel, lines, width, height - 22)}</div>`
}

const style = `body{margin:8px;font:12px sans-serif;position:relative}div,h2{position:absolute;overflow:hidden;margin:0}
  div{border:1px solid #ccc;border-radius:4px}h2{font-size:14px}h3{font-size:12px;margin:4px 8px}p{margin:4px 8px}`

const screenshot = (html: string, file: string, width: number, height: number) =>
  Effect.tryPromise({
    try: async () => {
      const folder = await mkdtemp(join(tmpdir(), "rtmanager-picture-"))
      try {
        const page = join(folder, "page.html")
        await writeFile(page, html)
        const args = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", `--user-data-dir=${folder}`]
        const shot = [`--window-size=${width},${height}`, `--screenshot=${resolve(file)}`, pathToFileURL(page).href]
        const child = spawn("chromium", [...args, ...shot], { stdio: "ignore" })
        return await new Promise<number | null>((done, refuse) => child.on("error", refuse).on("close", done))
      } finally {
        await rm(folder, { recursive: true })
      }
    },
    catch: (error) => failed(`chromium: ${error}`)
  })

/** The dashboard's graphs and figures over the time of the run, as a PNG. Needs `chromium` on the PATH. */
export const draw = Effect.fnUntraced(function* (stack: Stack, file: string, from: number, to: number) {
  const drawn = panels.slice(0, dashboard.panels.length)
  const boxes = yield* Effect.forEach(drawn, (panel) =>
    Effect.map(linesOf(stack, panel, from, to), (lines) => box(panel, lines))
  )
  const height = Math.max(...drawn.map(({ gridPos: { h, y } }) => (h + y) * row)) + 80
  const html = `<meta charset="utf-8"><style>${style}</style><h1 style="font-size:16px;margin:0">${escaped(dashboard.title)}</h1><span>${caption}</span>${boxes.join("\n")}`
  const code = yield* screenshot(html, file, 24 * column + 16, height)
  yield* demand(code === 0, `chromium ended with ${code}`)
  return [`${drawn.filter(({ type }) => type !== "row").length} panels drawn to ${file}`]
})
