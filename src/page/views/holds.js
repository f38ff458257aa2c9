import { html } from "/lib/lit-html/lit-html.js"
import { distance, gameLink, pager, table, timeOf } from "../parts.js"

/** @import { HoldPage, View } from "../types.ts" */

/** @type {View<HoldPage>} */
export const holds = {
  title: () => "Holds",
  load: (api, { query }) => api.holds({ limit: "100", ...query }),
  // They are not told of, but the status that comes at least every 15 seconds may follow one.
  follow: (data, { event }) => (event === "status" ? undefined : data),
  show: ({ holds, next }, { now, route }) => html`<h1>Holds</h1>
    <section class="card" aria-label="Holds">
      ${table({
        caption: "Holds that have not ended",
        rows: holds,
        key: ({ author, game_id }) => `${author} ${game_id}`,
        empty: "Nobody holds a game.",
        columns: [
          { head: "Game", cell: ({ game_id }) => gameLink(game_id) },
          { head: "By", cell: ({ author }) => html`<bdi>${author}</bdi>` },
          { head: "Reason", kind: "wide", cell: ({ reason }) => html`<bdi>${reason}</bdi>` },
          { head: "Placed", cell: ({ placed_at }) => timeOf(placed_at, now) },
          { head: "Ends", cell: ({ until }) => distance(until, now, { never: "when it is released", exact: true }) }
        ]
      })}
      ${pager(route, next)}
    </section>`
}
