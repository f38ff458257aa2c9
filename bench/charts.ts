import { type EChartsOption, init } from "echarts"
import type { Results } from "./results.ts"

interface Series {
  readonly name: string
  readonly points: ReadonlyArray<readonly [number, number]>
}

interface Chart {
  readonly title: string
  readonly x: string
  readonly y: string
  readonly series: ReadonlyArray<Series>
}

const option = ({ title, x, y, series }: Chart): EChartsOption => ({
  animation: false,
  backgroundColor: "#ffffff",
  title: { text: title, left: "center", top: 12 },
  legend: { bottom: 8 },
  grid: { left: 72, right: 32, top: 56, bottom: 88 },
  xAxis: {
    type: "category",
    name: x,
    nameLocation: "middle",
    nameGap: 30,
    boundaryGap: false,
    data: [...new Set(series.flatMap(({ points }) => points.map(([at]) => at.toLocaleString("en"))))]
  },
  yAxis: { type: "value", name: y, nameLocation: "middle", nameGap: 48, min: 0 },
  series: series.map(({ name, points }) => ({ type: "line", name, symbolSize: 7, data: points.map(([, at]) => at) }))
})

const draw = (chart: Chart): string => {
  const canvas = init(null, null, { renderer: "svg", ssr: true, width: 760, height: 440 })
  canvas.setOption(option(chart))
  const svg = canvas.renderToSVGString()
  canvas.dispose()
  return svg
}

/** The charts of the sections that were run, by file name. */
export const chartsOf = ({ curve, drain }: Results): ReadonlyArray<readonly [string, string]> => [
  ...(curve === undefined
    ? []
    : [
        [
          "rate-concurrency.svg",
          draw({
            title: "Containers removed a second",
            x: "requests, or games, at once",
            y: "a second",
            series: [
              { name: "raw inspect + DELETE", points: curve.map((point) => [point.concurrency, point.inspectDelete]) },
              { name: "raw DELETE", points: curve.map((point) => [point.concurrency, point.delete]) },
              { name: "run", points: curve.map((point) => [point.concurrency, point.run]) }
            ]
          })
        ] as const
      ]),
  ...(drain === undefined
    ? []
    : [
        [
          "rss-backlog.svg",
          draw({
            title: "Peak memory of one pass",
            x: "due games",
            y: "RSS, MB",
            series: [
              { name: "no telemetry", points: drain.plain.map(({ games, rssMb }) => [games, rssMb]) },
              { name: "telemetry", points: drain.telemetry.map(({ games, rssMb }) => [games, rssMb]) }
            ]
          })
        ] as const
      ])
]
