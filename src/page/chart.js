import uPlot from "/lib/uPlot.esm.js"
import { count, span, time } from "./format.js"

/**
 * How one chart shows its values.
 *
 * @typedef {{ readonly label: string, readonly colour: "--accent" | "--bad" | "--warn", readonly text: (value: number) => string,
 *   readonly scale: uPlot.Scale, readonly axis: uPlot.Axis }} Kind
 * @typedef {{ readonly starts: number[], readonly values: Array<number | null> }} Series `null`: an hour that has no value.
 */

/** @type {Pick<Kind, "text" | "scale" | "axis">} */
const counts = {
  text: count,
  scale: { range: (_, __, most) => [0, Math.max(4, most * 1.1)] },
  axis: { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6] }
}

const [minute, hour, day] = [60, 3600, 86_400]

/** A lag of seconds and one of days are both seen, because the scale is a logarithmic one. @type {typeof counts} */
const spans = {
  text: span,
  scale: { distr: 3, range: (_, __, most) => [1, Math.max(hour, most * 2)] },
  axis: {
    splits: (_, __, ___, most) => [1, minute, hour, day, 30 * day, 365 * day].filter((mark) => mark <= most),
    filter: (_, splits) => splits
  }
}

/** @type {{ readonly removed: Kind, readonly failed: Kind, readonly lag: Kind }} */
const kinds = {
  removed: { label: "Removed", colour: "--accent", ...counts },
  failed: { label: "Failed", colour: "--bad", ...counts },
  lag: { label: "Longest lag", colour: "--warn", ...spans }
}

const height = 120
const dayOf = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" })

/** Bars of an hour each, of the kind that its attribute names. */
class HourChart extends HTMLElement {
  /** @type {Series} */
  #series = { starts: [], values: [] }
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

  /** @returns {uPlot.AlignedData} */
  get #data() {
    return [this.#series.starts, this.#series.values]
  }

  /** Anew when colours have changed: a canvas keeps those that it was drawn with. */
  #draw = () => {
    this.#plot?.destroy()
    const { axis, colour, label, scale, text } = kinds[/** @type {keyof typeof kinds} */ (this.getAttribute("kind"))]
    const style = getComputedStyle(this)
    const [faint, line] = [style.getPropertyValue("--faint"), style.getPropertyValue("--line")]
    const ofBoth = { stroke: faint, font: `12px ${style.fontFamily}`, ticks: { show: false } }
    const paths = uPlot.paths.bars?.({ size: [0.75, 12] })
    this.#plot = new uPlot(
      {
        width: this.clientWidth,
        height,
        padding: [8, 16, 0, 0],
        // Whoever points at an hour in one chart sees it in all of them.
        cursor: {
          drag: { setScale: false, x: false, y: false },
          y: false,
          points: { show: false },
          sync: { key: "hours" }
        },
        scales: { y: scale },
        axes: [
          {
            ...ofBoth,
            grid: { show: false },
            space: 60,
            size: 26,
            incrs: [day, 2 * day],
            values: (_, splits) => splits.map((at) => dayOf.format(at * 1000))
          },
          {
            ...ofBoth,
            ...axis,
            grid: { stroke: line, width: 1 },
            size: 52,
            values: (_, splits) => splits.map(text)
          }
        ],
        series: [
          {
            label: "Hour",
            value: (_, at) => (at === null ? "point at a bar" : time(at * 1000, Date.now()).replace(/:00$/, ""))
          },
          {
            label,
            fill: style.getPropertyValue(colour),
            width: 0,
            points: { show: false },
            value: (_, value, __, index) => (index === null ? "" : value === null ? "none" : text(value)),
            ...(paths && { paths })
          }
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
