import { epoch } from "./Universe.ts"

interface Line {
  readonly time: number
  readonly who: string
  readonly what: ReadonlyArray<unknown>
}

const format = ({ time, who, what }: Line) =>
  `${new Date(epoch + time).toISOString().slice(8, 23)} ${who.padEnd(10)} ${what.map(text).join(" ")}`

/** Ids are told apart by their last digits. */
const shorten = (value: string) => value.replace(/0{40,}([0-9a-f]+)/g, (_, digits: string) => `#${digits}`)

const text = (value: unknown): string =>
  typeof value === "string"
    ? shorten(value)
    : shorten(JSON.stringify(value, (_, field) => (typeof field === "bigint" ? String(field) : field)) ?? "-")

/** The events of a history in order: the last ones, or all. They are put into words only when somebody reads them. */
export class Trace {
  private readonly kept: number
  private readonly lines: Array<Line> = []
  private count = 0

  constructor(kept: number) {
    this.kept = kept
  }

  add(time: number, who: string, what: ReadonlyArray<unknown>) {
    if (this.kept === 0) return
    const line = { time, who, what }
    if (this.kept === Infinity) this.lines.push(line)
    else this.lines[this.count % this.kept] = line
    this.count++
  }

  read(): ReadonlyArray<string> {
    const start = this.lines.length < this.kept ? 0 : this.count % this.kept
    return [...this.lines.slice(start), ...this.lines.slice(0, start)].map(format)
  }
}
