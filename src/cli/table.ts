import { Effect } from "effect"

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" })

const isPlain = (text: string) => /^[ -~]*$/.test(text)

/** What a terminal shows in two columns: East Asian wide and fullwidth characters, and emoji. */
const wide =
  /^(?:\p{Emoji_Presentation}|(?:(?![｡-ﾟ])[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}])|[\u3000-\u303e\uff01-\uff60\uffe0-\uffe6])|\ufe0f/u

const piecesOf = (text: string): ReadonlyArray<string> =>
  isPlain(text) ? text.split("") : Array.from(graphemes.segment(text), ({ segment }) => segment)

const pieceWidth = (piece: string) => (wide.test(piece) ? 2 : /^\p{M}/u.test(piece) ? 0 : 1)

/** How many columns a terminal needs for a line without control characters. */
export const widthOf = (text: string): number =>
  isPlain(text) ? text.length : piecesOf(text).reduce((sum, piece) => sum + pieceWidth(piece), 0)

/** At most so many columns of it; `…` is where something was cut off. */
export const cut = (text: string, width: number): string => {
  if (widthOf(text) <= width) return text
  const { kept } = piecesOf(text).reduce(
    ({ kept, left }, piece) => {
      const room = left - pieceWidth(piece)
      return room < 0 ? { kept, left: -1 } : { kept: kept + piece, left: room }
    },
    { kept: "", left: width - 1 }
  )
  return `${kept}…`
}

const gap = "  "

/** No column gets narrower, so a table of `n` columns may need `6 n - 2`. */
const narrowest = 4

/** The widths with the widest cut to one cap, the largest that fits; `undefined` if none does. */
const capped = (widths: ReadonlyArray<number>, floors: ReadonlyArray<number>, room: number) => {
  const at = (cap: number) => widths.map((width, i) => Math.max(Math.min(width, cap), floors[i] ?? 0))
  const caps = Array.from({ length: Math.max(...widths) - narrowest + 1 }, (_, i) => narrowest + i)
  return at(caps.findLast((cap) => at(cap).reduce((sum, width) => sum + width, 0) <= room) ?? -1)
}

/** The narrowest at which cells that differ still do. */
const distinctAt = (cells: ReadonlyArray<string>, width: number) => {
  const count = new Set(cells).size
  const widths = Array.from({ length: Math.max(0, width - narrowest) }, (_, i) => narrowest + i)
  return widths.find((one) => new Set(cells.map((cell) => cut(cell, one))).size === count) ?? width
}

const fitting = (
  columns: ReadonlyArray<{ readonly cells: ReadonlyArray<string>; readonly isId: boolean }>,
  limit: number
): ReadonlyArray<number> => {
  const widths = columns.map(({ cells }) => cells.reduce((widest, cell) => Math.max(widest, widthOf(cell)), 0))
  const room = limit - gap.length * (columns.length - 1)
  const sum = (numbers: ReadonlyArray<number>) => numbers.reduce((a, b) => a + b, 0)
  if (sum(widths) <= room) return widths
  const least = widths.map((width) => Math.min(width, narrowest))
  const ofIds = (floor: (cells: ReadonlyArray<string>, width: number) => number) =>
    columns.map(({ cells, isId }, i) => (isId ? floor(cells, widths[i] ?? 0) : (least[i] ?? 0)))
  const whole = ofIds((_, width) => width)
  if (sum(whole) <= room) return capped(widths, whole, room)
  const distinct = ofIds(distinctAt)
  return capped(widths, sum(distinct) <= room ? distinct : least, room)
}

/** How a table is laid out. */
export interface Layout {
  /** No line is wider, unless the table has so many columns that they cannot get narrower. */
  readonly width?: number | undefined
  /** The columns of ids: cut last, and as long as it is possible so that those that differ still do. */
  readonly ids?: ReadonlyArray<string>
}

/** Rows with the same keys as aligned text under their names; `-` for `null`. Cells hold no control characters. */
export const table = (rows: ReadonlyArray<Record<string, string | null>>, layout: Layout = {}): string => {
  const names = Object.keys(rows[0] ?? {})
  const columns = names.map((name) => ({
    cells: [name, ...rows.map((row) => row[name] ?? "-")],
    isId: layout.ids?.includes(name) === true
  }))
  const widths = fitting(columns, layout.width ?? Infinity)
  const padded = columns.map(({ cells }, i) => {
    const width = widths[i] ?? 0
    return cells.map((cell) => cut(cell, width)).map((cell) => cell + " ".repeat(Math.max(0, width - widthOf(cell))))
  })
  return [names, ...rows]
    .map((_, line) =>
      padded
        .map((cells) => cells[line] ?? "")
        .join(gap)
        .trimEnd()
    )
    .join("\n")
}

/** How wide the terminal is that reads; `undefined` if it is none. */
export const terminalWidth: Effect.Effect<number | undefined> = Effect.sync(() =>
  process.stdout.isTTY ? process.stdout.columns : undefined
)
