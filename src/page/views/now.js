import "../chart.js"
import { html, nothing } from "/lib/lit-html/lit-html.js"
import { acceptAsk, pauseAsk, resumeAsk, runAsk } from "../asks.js"
import { count, counted, many, rate, span, took, words } from "../format.js"
import { badge, distance, ended, facts, gameLink, goes, identity, table, timeOf } from "../parts.js"
import { addressOf } from "../route.js"
import { daily, hourly, sum } from "../series.js"

/** @import { Engine, Hour, Pass, Shown, Status, UnderWay, View } from "../types.ts" */

const week = 168

/** @param {Status} status */
const lastEnded = ({ passes }) => passes.find(({ ended_at }) => ended_at !== null)?.id

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
  const stopped = pause !== null || mode !== "enforce"
  return html`<section class="banner ${stopped ? "stopped" : ""}" aria-labelledby="mode">
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
                <button class="main" @click=${() => ask(runAsk(status))}>Run a pass…</button>`
            : html`<button class="main" @click=${() => ask(resumeAsk(pause))}>Resume…</button>`
        }
      </div>`
    }
  </section>`
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
const backlog = ({ backlog }) => html`<ul class="tiles" aria-label="Backlog">
  ${tiles.map(
    ([key, name, state, meaning]) => html`<li class=${key === "stuck" && backlog[key].count > 0 ? "alarm" : ""}>
      <a href=${addressOf("games", state)}>
        <span>${name}</span> <strong>${counted(backlog[key])}</strong> <small>${meaning}</small>
      </a>
    </li>`
  )}
</ul>`

/** @param {UnderWay} underWay @param {number} now */
const passUnderWay = ({ done, pass, rate: perSecond, seconds_left }, now) => html`<section class="card under-way">
  <h2>Pass under way on <bdi>${pass.engine}</bdi></h2>
  ${
    pass.due === null
      ? html`<progress aria-label="Games done"></progress>`
      : html`<progress max=${Math.max(1, pass.due)} value=${Math.min(done, pass.due)} aria-label="Games done"></progress>`
  }
  ${facts([
    ["Done", pass.due === null ? count(done) : `${count(done)} of ${count(pass.due)}`],
    ["Rate", rate(perSecond)],
    ["Time left", seconds_left === null ? "not known yet" : span(seconds_left)],
    ["Removed", count(pass.removed)],
    ["Already absent", count(pass.already_absent)],
    ["Failed", count(pass.failed)],
    ["Begun", distance(pass.started_at, now)],
    ["Asked for by", words(pass.trigger)]
  ])}
</section>`

/** @param {Status} status @param {Shown} shown */
const engines = ({ engine, engines, passes }, { ask, now }) => html`<section class="card">
  <h2>Engines</h2>
  ${table({
    caption: "Engines",
    rows: engines,
    key: ({ name }) => name,
    empty: "No service has cleaned an engine yet.",
    columns: [
      {
        head: "Engine",
        cell: ({ name }) =>
          html`<strong><bdi>${name}</bdi></strong>${name === engine ? html`<small>asked here</small>` : nothing}`
      },
      { head: "Identity", cell: ({ engine_id }) => identity(engine_id) },
      { head: "Last pass", cell: (one) => lastPass(one, passes, now) },
      { head: "Seen", cell: ({ last_seen_at }) => distance(last_seen_at, now) },
      {
        head: "Brake",
        cell: (one) =>
          one.braked
            ? html`${badge("bad", "on")} ${ask && html`<button class="small" @click=${() => ask(acceptAsk(one))}>Accept…</button>`}`
            : badge("good", "off")
      }
    ]
  })}
</section>`

/** @param {Engine} engine @param {ReadonlyArray<Pass>} passes @param {number} now */
const lastPass = ({ last_pass_at, name }, passes, now) => {
  const pass = passes.find(({ engine }) => engine === name)
  return html`${distance(last_pass_at, now)} ${pass === undefined ? nothing : ended(pass.result)}`
}

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

/** @param {Status} status @param {number} now */
const passes = ({ passes }, now) => html`<section class="card">
  <h2>Last passes</h2>
  ${table({
    caption: "Last passes",
    rows: passes,
    key: ({ id }) => id,
    empty: "No pass has begun yet.",
    columns: [
      { head: "Begun", cell: ({ started_at }) => timeOf(started_at, now) },
      { head: "Engine", cell: ({ engine }) => html`<bdi>${engine}</bdi>` },
      { head: "By", cell: ({ trigger }) => words(trigger) },
      {
        head: "Took",
        kind: "figure",
        cell: ({ ended_at, started_at }) => took(started_at, ended_at)
      },
      { head: "Removed", kind: "figure", cell: ({ removed }) => count(removed) },
      { head: "Absent", kind: "figure", cell: ({ already_absent }) => count(already_absent) },
      { head: "Failed", kind: "figure", cell: ({ failed }) => count(failed) },
      {
        head: "Result",
        cell: ({ message, reason, result }) =>
          html`<span title=${message ?? ""}>${ended(result)} ${reason === null ? nothing : html`<code>${reason}</code>`}</span>`
      }
    ]
  })}
</section>`

/** @param {ReadonlyArray<Hour>} hours @param {number} now */
const history = (hours, now) => html`<section class="card">
  <h2>The last 7 days</h2>
  <p class="summary">
    ${many(sum(hours, "removed"), "container")} removed, ${count(sum(hours, "already_absent"))} already absent,
    ${many(sum(hours, "failed"), "failure")}, in ${many(sum(hours, "passes"), "pass")}.
  </p>
  <hour-chart aria-hidden="true" .series=${hourly(hours, now, week)}></hour-chart>
  <details>
    <summary>By day</summary>
    ${table({
      caption: "The last 7 days by day",
      rows: daily(hours),
      key: ({ day }) => day,
      empty: "No pass in these days.",
      columns: [
        { head: "Day", cell: ({ day }) => day },
        { head: "Passes", kind: "figure", cell: ({ passes }) => count(passes) },
        { head: "Removed", kind: "figure", cell: ({ removed }) => count(removed) },
        { head: "Absent", kind: "figure", cell: ({ absent }) => count(absent) },
        { head: "Failed", kind: "figure", cell: ({ failed }) => count(failed) }
      ]
    })}
  </details>
</section>`

/** @type {View<{ readonly hours: ReadonlyArray<Hour>, readonly upTo?: string | undefined }>} */
export const now = {
  title: () => "Now",
  load: (api) => api.stats(week),
  follow: (data, event) => {
    if (event.event !== "status") return data
    const upTo = lastEnded(event.data)
    return "upTo" in data && data.upTo !== upTo ? undefined : { ...data, upTo }
  },
  show: ({ hours }, shown) => {
    const { status } = shown
    if (status === null) return html`<p class="empty">Waiting for the first word of the service…</p>`
    return html`${banner(status, shown)} ${backlog(status)}
      ${status.under_way.map((one) => passUnderWay(one, shown.now))}
      <div class="columns">
        <div>${next(status, shown.now)} ${passes(status, shown.now)}</div>
        <div>${history(hours, shown.now)} ${engines(status, shown)}</div>
      </div>`
  }
}
