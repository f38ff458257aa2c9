import uPlot from "/lib/uPlot.esm.js"
import { time } from "./format.js"

/** @typedef {{ readonly starts: number[], readonly removed: number[], readonly failed: number[] }} Series */

const height = 190
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" })

/** Bars of an hour each, failures on top of removals. `series` is what `hourly` makes. */
class HourChart extends HTMLElement {
  /** @type {Series} */
  #series = { starts: [], removed: [], failed: [] }
  /** @type {uPlot | undefined} */
  #plot
  #dark = matchMedia("(prefers-color-scheme: dark)")
  #resized = new ResizeObserver(() => this.#plot?.setSize({ width: this.clientWidth, height }))

  /** @param {Series} series */
  set series(series) {
    if (JSON.stringify(series) === JSON.stringify(this.#series)) return
    this.#series = series
    this.#plot?.setData(this.#data)
  }

  /** The lower bars are drawn last, before the higher ones that they are a part of. */
  get #data() {
    const { failed, removed, starts } = this.#series
    return /** @type {uPlot.AlignedData} */ ([
      starts,
      failed.map((count, index) => count + (removed[index] ?? 0)),
      removed
    ])
  }

  /** Anew when colours have changed: a canvas keeps those that it was drawn with. */
  #draw = () => {
    this.#plot?.destroy()
    const style = getComputedStyle(this)
    const [text, line] = [style.getPropertyValue("--faint"), style.getPropertyValue("--line")]
    const axis = { stroke: text, font: `12px ${style.fontFamily}`, ticks: { show: false } }
    const paths = uPlot.paths.bars?.({ size: [0.75, 12] })
    /** @param {"removed" | "failed"} what @param {string} label @param {string} name */
    const bars = (what, label, name) => ({
      label,
      fill: style.getPropertyValue(name),
      width: 0,
      points: { show: false },
      value: (
        /** @type {uPlot} */ _,
        /** @type {number} */ __,
        /** @type {number} */ ___,
        /** @type {number | null} */ index
      ) => (index === null ? "" : `${this.#series[what][index]}`),
      ...(paths && { paths })
    })
    this.#plot = new uPlot(
      {
        width: this.clientWidth,
        height,
        padding: [8, 16, 0, 0],
        cursor: { drag: { setScale: false, x: false, y: false }, y: false, points: { show: false } },
        scales: { y: { range: (_, __, most) => [0, Math.max(4, most * 1.1)] } },
        axes: [
          {
            ...axis,
            grid: { show: false },
            space: 70,
            size: 26,
            incrs: [86_400, 2 * 86_400],
            values: (_, splits) => splits.map((at) => day.format(at * 1000))
          },
          {
            ...axis,
            grid: { stroke: line, width: 1 },
            size: 44,
            incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5]
          }
        ],
        series: [
          {
            label: "Hour",
            value: (_, at) => (at === null ? "point at a bar" : time(at * 1000, Date.now()).replace(/:00$/, ""))
          },
          bars("failed", "Failed", "--bad"),
          bars("removed", "Removed", "--accent")
        ]
      },
      this.#data,
      this
    )
  }

  connectedCallback() {
    this.#draw()
    this.#resized.observe(this)
    this.#dark.addEventListener("change", this.#draw)
  }

  disconnectedCallback() {
    this.#resized.disconnect()
    this.#dark.removeEventListener("change", this.#draw)
    this.#plot?.destroy()
    this.#plot = undefined
  }
}

customElements.define("hour-chart", HourChart)
