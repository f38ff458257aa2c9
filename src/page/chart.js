import uPlot from "/lib/uPlot.esm.js"
import { time } from "./format.js"

/** @typedef {{ readonly starts: number[], readonly removed: number[], readonly failed: number[] }} Series */

const height = 200

/** Bars of an hour each: `series` is what `hourly` makes. Colours are the page's own, also after they have changed. */
class HourChart extends HTMLElement {
  /** @type {Series} */
  #series = { starts: [], removed: [], failed: [] }
  /** @type {uPlot | undefined} */
  #plot
  #dark = matchMedia("(prefers-color-scheme: dark)")
  #resized = new ResizeObserver(() => this.#plot?.setSize({ width: this.clientWidth, height }))

  /** @param {Series} series */
  set series(series) {
    this.#series = series
    this.#plot?.setData(this.#data)
  }

  get #data() {
    const { failed, removed, starts } = this.#series
    return /** @type {uPlot.AlignedData} */ ([starts, removed, failed])
  }

  #draw = () => {
    this.#plot?.destroy()
    const style = getComputedStyle(this)
    /** @param {string} name */
    const colour = (name) => style.getPropertyValue(name)
    const axis = {
      stroke: colour("--chart-text"),
      grid: { stroke: colour("--chart-line"), width: 1 },
      ticks: { show: false }
    }
    const bars = uPlot.paths.bars?.({ size: [0.7, 12] })
    /** @param {string} label @param {string} name */
    const series = (label, name) => ({
      label,
      stroke: colour(name),
      fill: colour(name),
      width: 0,
      ...(bars && { paths: bars }),
      points: { show: false }
    })
    this.#plot = new uPlot(
      {
        width: this.clientWidth,
        height,
        padding: [8, 4, 0, 0],
        cursor: { drag: { setScale: false }, y: false, points: { show: false } },
        scales: { y: { range: (_, __, most) => [0, Math.max(4, most * 1.1)] } },
        axes: [
          { ...axis, grid: { show: false }, space: 70 },
          { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5] }
        ],
        series: [
          { label: "Hour", value: (_, at) => (at === null ? "" : time(at * 1000, Date.now()).replace(/:00$/, "")) },
          series("Removed", "--accent"),
          series("Failed", "--bad")
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
