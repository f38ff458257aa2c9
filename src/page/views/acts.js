import { html } from "/lib/lit-html/lit-html.js"
import { words } from "../format.js"
import { ended, filters, gameLink, pager, table, timeOf } from "../parts.js"

/** @import { Act, ActPage, View } from "../types.ts" */

const ofGames = new Set(["hold", "release", "clean"])

/** @param {Act} act */
const target = ({ act, target }) => {
  if (target === null) return html`<span class="faint">all</span>`
  return ofGames.has(act) ? gameLink(target) : html`<bdi>${target}</bdi>`
}

/** @type {View<ActPage>} */
export const acts = {
  title: () => "Acts",
  load: (api, { query }) => api.acts({ limit: "100", ...query }),
  // They are not told of, but the status that comes at least every 15 seconds may follow one.
  follow: (data, { event }) => (event === "status" ? undefined : data),
  show: ({ acts, next }, { now, route }) => html`<h1>Acts</h1>
    ${filters(route, html`<label>Concerns <input name="target" type="search" placeholder="a game, engine or plan" size="24" .value=${route.query["target"] ?? ""} autocomplete="off" spellcheck="false" maxlength="1000" /></label>`)}
    <section class="card" aria-label="Acts">
      ${table({
        caption: "What people asked for, newest first",
        rows: acts,
        key: ({ id }) => id,
        empty: "Nobody has asked for anything.",
        columns: [
          { head: "When", cell: ({ asked_at }) => timeOf(asked_at, now) },
          { head: "By", cell: ({ author }) => html`<bdi>${author}</bdi>` },
          { head: "Act", cell: ({ act }) => words(act) },
          { head: "Concerns", cell: target },
          { head: "Reason", kind: "wide", cell: ({ reason }) => html`<bdi>${reason}</bdi>` },
          { head: "Result", cell: ({ result }) => ended(result, "no answer yet") },
          { head: "Message", kind: "wide", cell: ({ message }) => html`<bdi>${message ?? ""}</bdi>` }
        ]
      })}
      ${pager(route, next)}
    </section>`
}
