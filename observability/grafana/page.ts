import type { Panel } from "./panels.ts"
import type { Fields } from "./queries.ts"

/** A row of the page with its panels. A closed one is folded until somebody opens it. */
export type Section = readonly [title: string, isOpen: boolean, panels: ReadonlyArray<Panel>]

/** Panels side by side while they fit, then the next line. */
const placed = (panels: ReadonlyArray<Panel>, top: number) =>
  panels.reduce<{
    readonly x: number
    readonly y: number
    readonly line: number
    readonly done: ReadonlyArray<Fields>
  }>(
    ({ done, line, x, y }, { description, height, json, title, width }) => {
      const isNew = x + width > 24
      const at = isNew ? { x: 0, y: y + line } : { x, y }
      const { type, ...rest } = json
      const panel = { type: type ?? "", title, description, gridPos: { ...at, w: width, h: height }, ...rest }
      return { x: at.x + width, y: at.y, line: isNew ? height : Math.max(line, height), done: [...done, panel] }
    },
    { x: 0, y: top, line: 0, done: [] }
  )

const placedPage = (sections: ReadonlyArray<Section>) =>
  sections.reduce<{ readonly y: number; readonly panels: ReadonlyArray<Fields> }>(
    ({ panels, y }, [title, isOpen, inside]) => {
      const { done, line, y: last } = placed(inside, y + 1)
      const row = { type: "row", title, gridPos: { x: 0, y, w: 24, h: 1 }, collapsed: !isOpen }
      return isOpen
        ? { y: last + line, panels: [...panels, { ...row, panels: [] }, ...done] }
        : { y: y + 1, panels: [...panels, { ...row, panels: done }] }
    },
    { y: 0, panels: [] }
  )

/** Ids in the order of the page, from 1. */
const numbered = (panels: ReadonlyArray<Fields>, from: number): readonly [ReadonlyArray<Fields>, number] =>
  panels.reduce<readonly [ReadonlyArray<Fields>, number]>(
    ([done, id], panel) => {
      const [inside, next] = numbered((panel["panels"] ?? []) as ReadonlyArray<Fields>, id + 1)
      return [[...done, { id, ...panel, ...("panels" in panel && { panels: inside }) }], next]
    },
    [[], from]
  )

/** The panels as Grafana reads them, with places and ids. */
export const page = (sections: ReadonlyArray<Section>) => numbered(placedPage(sections).panels, 1)[0]
