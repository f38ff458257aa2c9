import { html, nothing, render } from "/lib/lit-html/lit-html.js"
import { openDialog } from "./dialog.js"
import { time, utc } from "./format.js"
import { addressOf, isFiltered, parseRoute } from "./route.js"
import { openSession } from "./session.js"
import { login } from "./views/login.js"
import { viewOf } from "./views.js"

/** @import { Ask, Caller, Shown, State } from "./types.ts" */

const inMenu = /** @type {const} */ ([
  ["now", "Now"],
  ["games", "Games"],
  ["log", "Log"],
  ["holds", "Holds"],
  ["acts", "Acts"]
])

const root = /** @type {HTMLElement} */ (document.getElementById("page"))

/** @param {State} state @param {Caller} caller */
const header = ({ link, route }, { name, role }) => {
  const chosen = route.name === "game" ? "games" : route.name
  return html`<header class="top">
    <a class="brand" href=${addressOf("now")}><img src="/icon.svg" alt="" width="24" height="24" /> Container cleanup</a>
    <nav aria-label="Views">
      ${inMenu.map(([view, text]) => html`<a href=${addressOf(view)} aria-current=${view === chosen ? "page" : nothing}>${text}</a>`)}
    </nav>
    <div class="who">
      <span class="link ${link.state}">${link.state}</span>
      <span><bdi>${name}</bdi>${role === "read" ? html` <span class="faint">only looks</span>` : nothing}</span>
      <button class="small" @click=${() => session.leave(null)}>Sign out</button>
    </div>
  </header>`
}

/** @param {State} state */
const lost = ({ link, unavailable }) => {
  if (link.state === "lost") {
    const since = html`<time title=${utc(link.since)}>${time(link.since, Date.now())}</time>`
    return html`<p class="lost">Not connected since ${since}: what is shown is from then.</p>`
  }
  return unavailable === null
    ? nothing
    : html`<p class="lost">The service cannot say what happens now: <bdi>${unavailable}</bdi></p>`
}

/** @param {State} state @param {Shown} shown */
const content = ({ page }, shown) => {
  if (page === null) return html`<p class="empty">Loading…</p>`
  if (page.problem === null) return viewOf(page.route).show(page.data, shown)
  return html`<h1>${viewOf(page.route).title(page.route)}</h1>
    <p class="answer bad"><bdi>${page.problem.message}</bdi></p>
    <p><button @click=${session.load}>Try again</button></p>`
}

/** @param {Ask} ask */
const ask = (ask) => openDialog(ask, session.loadAll)

/** @param {State} state @param {Caller} caller */
const inside = (state, caller) => {
  const shown = {
    route: state.page?.route ?? state.route,
    caller,
    status: state.status,
    now: Date.now() + state.ahead,
    traceUrl: state.traceUrl,
    ...(caller.role === "act" && { ask })
  }
  return html`${header(state, caller)}
    <div role="status">${lost(state)}</div>
    <main tabindex="-1" aria-busy=${state.loading}>${content(state, shown)}</main>`
}

const session = openSession((state) => {
  const { caller, entering, page, refused, route } = state
  const title = caller === null ? "" : `${viewOf(page?.route ?? route).title(page?.route ?? route)} · `
  document.title = `${title}Container cleanup`
  const asking = { message: refused, busy: entering, enter: session.begin }
  render(caller === null ? login(asking) : inside(state, caller), root)
})

/** @param {string} url */
const routeOf = (url) => parseRoute(new URL(url).hash)

addEventListener("hashchange", async ({ newURL, oldURL }) => {
  await session.go()
  // Whoever filters goes on with the filters.
  if (isFiltered(routeOf(oldURL), routeOf(newURL))) return
  scrollTo(0, 0)
  root.querySelector("main")?.focus()
})

// Distances in time change by themselves.
setInterval(() => document.visibilityState === "visible" && session.tick(), 1000)

await session.start()
