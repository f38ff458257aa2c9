import { html, nothing } from "/lib/lit-html/lit-html.js"
import { acceptAsk, cleans, pauseAsk, resumeAsk, runAsk } from "../asks.js"
import { counted, span } from "../format.js"
import { badge, cameTo, distance, ended, gameLink, goes, identity, table, timeOf } from "../parts.js"
import { addressOf } from "../route.js"
import { history, passes, passUnderWay, week } from "./passes.js"

/** @import { Engine, Hour, Shown, Status, View } from "../types.ts" */

/** When a pass last ended. @param {Status} status */
const lastEnd = ({ passes }) =>
  passes
    .flatMap(({ ended_at }) => ended_at ?? [])
    .toSorted()
    .at(-1)

/** @type {Readonly<Record<Status["mode"], readonly [string, string]>>} */
const modes = {
  enforce: ["Cleaning", "Games are removed once their retention is over."],
  dry_run: ["Dry run", "Passes decide and report, and nothing is removed."],
  paused: ["Paused by its settings", "RTMANAGER_CLEANUP_MODE is paused: no passes are made."]
}

/** @param {Status} status @param {Shown} shown */
const banner = (status, { ask, now }) => {
  const { mode, pause } = status
  const [name, meaning] = modes[mode]
  return html`<section class="banner ${cleans(status) ? "" : "stopped"}" aria-labelledby="mode">
    <div>
      <h1 id="mode">${pause === null ? name : "Paused"}</h1>
      ${
        pause === null
          ? html`<p>${meaning} Retention ${span((Date.parse(status.now) - Date.parse(status.cutoff)) / 1000)}.</p>`
          : html`<p>
              <bdi>${pause.author}</bdi> paused it ${distance(pause.paused_at, now)},
              ${pause.until === null ? "until somebody resumes" : html`until ${timeOf(pause.until, now)}`}:
              <q><bdi>${pause.reason}</bdi></q>
            </p>`
      }
    </div>
    ${
      ask &&
      html`<div class="buttons">
        ${
          pause === null
            ? html`<button @click=${() => ask(pauseAsk)}>Pause…</button>
                ${cleans(status) ? html`<button class="main" @click=${() => ask(runAsk(status))}>Run a pass…</button>` : nothing}`
            : html`<button class="main" @click=${() => ask(resumeAsk(pause))}>Resume…</button>`
        }
      </div>`
    }
  </section>`
}

/** @param {Status} status @param {Shown} shown */
const needs = ({ backlog, engine, engines, passes }, { ask }) => {
  const lastOnes = engines.flatMap(
    ({ name }) => passes.find(({ ended_at, engine }) => engine === name && ended_at !== null) ?? []
  )
  const all = [
    ...engines
      .filter(({ braked }) => braked)
      .map(
        (
          one
        ) => html`<span>The brake of <bdi>${one.name}</bdi> is on: its passes are refused until a person has looked.</span>
          ${ask && one.name === engine ? html`<button class="small" @click=${() => ask(acceptAsk(one))}>Accept…</button>` : nothing}`
      ),
    ...lastOnes
      .filter(({ result }) => result === "refused" || result === "failure")
      .map(
        ({ engine, message, reason, result }) => html`<span
          >The last pass on <bdi>${engine}</bdi>: ${ended(result)} <code>${reason}</code> <bdi>${message}</bdi></span
        >`
      ),
    ...(backlog.stuck.count === 0
      ? []
      : [
          html`<a href=${addressOf("games", "stuck", { engine })}>${counted(backlog.stuck)} stuck: failed ten times or more</a>`
        ])
  ]
  return all.length === 0
    ? nothing
    : html`<ul class="needs" aria-label="What needs a person">${all.map((one) => html`<li>${one}</li>`)}</ul>`
}

/** @type {ReadonlyArray<readonly [keyof Status["backlog"], string, string, string]>} */
const tiles = [
  ["due", "Due", "due", "go with the next pass"],
  ["leased", "Leased", "due", "somebody works on them"],
  ["held", "Held", "held", "a person keeps them"],
  ["backing_off", "Backing off", "backing_off", "failed, and wait"],
  ["stuck", "Stuck", "stuck", "need a person"],
  ["stopped", "Stopped", "stopped", "all of this engine"]
]

/** @param {Status} status */
const backlog = ({ backlog, engine }) => html`<ul class="tiles" aria-label="Backlog">
  ${tiles.map(
    ([key, name, state, meaning]) => html`<li class=${key === "stuck" && backlog[key].count > 0 ? "alarm" : ""}>
      <a href=${addressOf("games", state, { engine })}>
        <span>${name}</span> <strong>${counted(backlog[key])}</strong> <small>${meaning}</small>
      </a>
    </li>`
  )}
</ul>`

/** @param {Status} status @param {number} now */
const engines = (status, now) => html`<section class="card">
  <h2>Engines</h2>
  ${table({
    caption: "Engines",
    rows: status.engines,
    key: ({ name }) => name,
    empty: "No service has cleaned an engine yet.",
    columns: [
      {
        head: "Engine",
        cell: ({ name }) =>
          html`<strong><bdi>${name}</bdi></strong>${name === status.engine ? html`<small>asked here</small>` : nothing}`
      },
      { head: "Identity", cell: ({ engine_id }) => identity(engine_id) },
      { head: "Last pass", cell: (one) => lastPass(one, status, now) },
      { head: "Seen", cell: ({ last_seen_at }) => distance(last_seen_at, now) },
      {
        head: "Brake",
        cell: (one) => (one.braked ? badge("bad", "on") : badge("good", "off"))
      }
    ]
  })}
</section>`

/** @param {Engine} engine @param {Status} status @param {number} now */
const lastPass = ({ last_pass_at, name }, status, now) => {
  const pass = status.passes.find(({ engine }) => engine === name)
  const { next_pass_at } = status
  return html`${distance(last_pass_at, now)} ${pass === undefined ? nothing : cameTo(pass, status)}
  ${name === status.engine && next_pass_at !== null ? html`<small>next ${nextPass(next_pass_at, now)}</small>` : nothing}`
}

/** It begins once the interval after the last one's end is over, which is a little later. @param {string} at @param {number} now */
const nextPass = (at, now) => (Date.parse(at) <= now ? "about now" : distance(at, now))

/** @param {Status} status @param {number} now */
const next = ({ next }, now) => html`<section class="card">
  <h2>What goes next</h2>
  ${table({
    caption: "What goes next",
    rows: next,
    key: ({ game_id }) => game_id,
    empty: "No stopped game is waiting.",
    columns: [
      { head: "Game", cell: ({ game_id }) => gameLink(game_id) },
      { head: "Goes", cell: ({ due_at }) => goes(due_at, now) },
      { head: "Rule", cell: ({ rule }) => html`<bdi>${rule}</bdi>` }
    ]
  })}
</section>`

/** `upTo`: the end of the last pass that is counted for sure. @type {View<{ readonly hours: ReadonlyArray<Hour>, readonly upTo: string | undefined }>} */
export const now = {
  title: () => "Now",
  load: async (api) => {
    const upTo = lastEnd(await api.status())
    return { ...(await api.stats(week)), upTo }
  },
  follow: (data, { data: status, event }) => (event === "status" && lastEnd(status) !== data.upTo ? undefined : data),
  show: ({ hours }, shown) => {
    const { status } = shown
    if (status === null) return html`<p class="empty">Waiting for the first word of the service…</p>`
    return html`${banner(status, shown)} ${needs(status, shown)} ${backlog(status)}
      ${status.under_way.map((one) => passUnderWay(one, shown.now))}
      <div class="columns">
        <div>${next(status, shown.now)} ${passes(status, shown.now)}</div>
        <div>${history(hours, shown.now)} ${engines(status, shown.now)}</div>
      </div>`
  }
}
