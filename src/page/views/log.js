import { html } from "/lib/lit-html/lit-html.js"
import { took, words } from "../format.js"
import { mostTold } from "../live.js"
import { choice, ended, filters, gameLink, identity, operationText, pager, table, timeOf } from "../parts.js"

/** @import { LogPage, Operation, Route, View } from "../types.ts" */

const shownAtOnce = 100

/** @param {Route} route */
const asksFor =
  ({ query }) =>
  (/** @type {Operation} */ { game_id, outcome }) =>
    (!query["outcome"] || outcome === query["outcome"]) && (!query["game"] || game_id === query["game"])

/** @type {View<LogPage>} */
export const log = {
  title: () => "Log",
  load: (api, { query }) => api.log({ limit: `${shownAtOnce}`, ...query }),
  // What is new belongs on the first page, before what was loaded.
  follow: (data, event, route) => {
    if (event.event !== "operations" || "cursor" in route.query) return data
    const { operations } = event.data
    const known = new Set(data.operations.map(({ id }) => id))
    const fresh = operations.filter(asksFor(route)).filter(({ id }) => !known.has(id))
    const isLong = data.operations.length + fresh.length > 2 * shownAtOnce
    if (operations.length >= mostTold || isLong) return undefined
    return fresh.length === 0 ? data : { ...data, operations: [...fresh, ...data.operations] }
  },
  show: ({ next, operations }, { now, route, traceUrl }) => html`<h1>Log</h1>
    ${filters(
      route,
      html`${choice("Outcome", "outcome", route.query["outcome"] ?? "", [
        ["", "all"],
        ["success", "success"],
        ["failure", "failure"]
      ])}
        ${choice("Since", "since", route.query["since"] ?? "", [
          ["", "ever"],
          ["1h", "an hour ago"],
          ["24h", "a day ago"],
          ["7d", "a week ago"],
          ["30d", "30 days ago"]
        ])}
        <label>Game <input name="game" type="search" .value=${route.query["game"] ?? ""} autocomplete="off" spellcheck="false" maxlength="1000" /></label>`
    )}
    <section class="card" aria-label="Operations">
      ${table({
        caption: "Operations, newest first",
        rows: operations,
        key: ({ id }) => id,
        empty: "Nothing of this kind was logged.",
        columns: [
          { head: "When", cell: ({ finished_at, started_at }) => timeOf(finished_at ?? started_at, now, "not known") },
          {
            head: "Game",
            cell: ({ game_id }) => (game_id === null ? html`<span class="faint">none</span>` : gameLink(game_id))
          },
          { head: "Outcome", cell: ({ outcome }) => ended(outcome, "none") },
          { head: "By", cell: ({ op_source }) => words(op_source ?? "") },
          { head: "Message", kind: "wide", cell: (operation) => operationText(operation, traceUrl) },
          { head: "Container", cell: ({ container_id }) => identity(container_id) },
          { head: "Took", kind: "figure", cell: ({ finished_at, started_at }) => took(started_at, finished_at) }
        ]
      })}
      ${pager(route, next)}
    </section>`
}
