import { html, nothing } from "/lib/lit-html/lit-html.js"
import { count, counted, words } from "../format.js"
import { mostTold } from "../live.js"
import { badge, choice, filters, gameLink, goes, pager, table, timeOf } from "../parts.js"
import { addressOf } from "../route.js"

/** @import { GamePage, Route, Shown, View } from "../types.ts" */

const states = /** @type {const} */ (["due", "held", "backing_off", "stuck", "stopped"])

/** @type {Readonly<Record<string, string>>} */
const empty = {
  due: "Nothing is due.",
  held: "Nobody holds a stopped game.",
  backing_off: "No game waits for another try.",
  stuck: "No game needs a person.",
  stopped: "No game is stopped."
}

/** @param {Route} route */
const stateOf = ({ id }) => id || "due"

/** The counts are of the engine that is asked here, so they are shown for it alone. @param {Shown} shown */
const tabs = ({ route, status }) => html`<nav class="tabs" aria-label="States">
  ${states.map(
    (
      state
    ) => html`<a href=${addressOf("games", state, { engine: route.query["engine"] })} aria-current=${state === stateOf(route) ? "page" : nothing}>
      ${words(state)} ${status !== null && status.engine === route.query["engine"] ? html`<span class="count">${counted(status.backlog[state])}</span>` : nothing}
    </a>`
  )}
</nav>`

/** @param {Shown} shown */
const finder = ({ route, status }) => {
  const names = status?.engines.map(({ name }) => name) ?? []
  return html`<div class="finders">
    <form
      class="filters"
      role="search"
      @submit=${(/** @type {SubmitEvent} */ event) => {
        event.preventDefault()
        const id = `${new FormData(/** @type {HTMLFormElement} */ (event.currentTarget)).get("id")}`.trim()
        if (id !== "") location.hash = addressOf("game", id)
      }}
    >
      <label>Game <input name="id" type="search" placeholder="its whole id" autocomplete="off" spellcheck="false" required maxlength="1000" /></label>
      <button>Show</button>
    </form>
    ${
      names.length < 2
        ? nothing
        : filters(
            route,
            choice("Engine", "engine", route.query["engine"] ?? "", [
              ["", "all"],
              ...names.map((name) => /** @type {const} */ ([name, name]))
            ])
          )
    }
  </div>`
}

/** @type {View<GamePage>} */
export const games = {
  title: (route) => `Games: ${words(stateOf(route))}`,
  load: (api, route) => api.games({ limit: "100", ...route.query, state: stateOf(route) }),
  // A game that was removed is stopped no more, and one that failed is not due.
  follow: (data, event, route) => {
    if (event.event !== "operations") return data
    const { operations } = event.data
    if (operations.length >= mostTold) return undefined
    const leaves = operations.filter(({ outcome }) => outcome === "success" || stateOf(route) === "due")
    const left = new Set(leaves.map(({ game_id }) => game_id))
    const games = data.games.filter(({ game_id }) => !left.has(game_id))
    if (games.length === data.games.length) return data
    return games.length === 0 && data.next !== null ? undefined : { ...data, games }
  },
  show: ({ games, next }, shown) => html`<h1>Games</h1>
    ${finder(shown)} ${tabs(shown)}
    <section class="card" aria-label=${words(stateOf(shown.route))}>
      ${table({
        caption: `Games: ${words(stateOf(shown.route))}`,
        rows: games,
        key: ({ game_id }) => game_id,
        empty:
          next === null
            ? (empty[stateOf(shown.route)] ?? "There is no such game.")
            : "None on this page; the next one may have some.",
        columns: [
          { head: "Game", cell: ({ game_id }) => gameLink(game_id) },
          {
            head: "Goes",
            cell: (game) =>
              game.blocked_by === "elsewhere"
                ? html`<span class="faint">not known here</span>`
                : goes(game.due_at, shown.now, game.blocked_by !== null)
          },
          { head: "Rule", cell: ({ rule }) => html`<bdi>${rule}</bdi>` },
          {
            head: "Waits for",
            cell: ({ blocked_by }) =>
              blocked_by === null || blocked_by === "elsewhere"
                ? html`<span class="faint">${blocked_by === null ? "nothing" : "not known here"}</span>`
                : badge(blocked_by === "retention" ? "quiet" : "warn", blocked_by)
          },
          { head: "Stopped", cell: ({ last_op_at }) => timeOf(last_op_at, shown.now, "not known") },
          { head: "Engine", cell: ({ engine }) => html`<bdi>${engine}</bdi>` },
          {
            head: "Failures",
            cell: ({ attempts, last_error }) =>
              attempts === 0
                ? html`<span class="faint">none</span>`
                : html`${count(attempts)} ${last_error && html`<code>${last_error}</code>`}`
          }
        ]
      })}
      ${pager(shown.route, next)}
    </section>`
}
