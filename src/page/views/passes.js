import "../chart.js"
import { html, nothing } from "/lib/lit-html/lit-html.js"
import { count, many, rate, span, took, words } from "../format.js"
import { cameTo, distance, facts, table, timeOf } from "../parts.js"
import { daily, hourly, longestLag, sum } from "../series.js"

/** @import { Hour, Status, UnderWay } from "../types.ts" */

/** How many hours the history is of. */
export const week = 168

/** @param {UnderWay} underWay @param {number} now */
export const passUnderWay = (
  { done, pass, rate: perSecond, seconds_left },
  now
) => html`<section class="card under-way">
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

/** @param {Status} status @param {number} now */
export const passes = (status, now) => html`<section class="card">
  <h2>Last passes</h2>
  ${table({
    caption: "Last passes",
    rows: status.passes,
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
        cell: (pass) =>
          html`${cameTo(pass, status)} ${pass.reason === null ? nothing : html`<code>${pass.reason}</code>`}
            ${pass.message === null ? nothing : html`<small><bdi>${pass.message}</bdi></small>`}`
      }
    ]
  })}
</section>`

/** @param {number | null} lag */
const lagText = (lag) => (lag === null ? html`<span class="faint">none</span>` : span(lag))

/** @param {ReadonlyArray<Hour>} hours @param {number} now */
const charts = (hours, now) => {
  const { failed, lag, removed, starts } = hourly(hours, now, week)
  return html`<hour-chart kind="removed" aria-hidden="true" .series=${{ starts, values: removed }}></hour-chart>
    <hour-chart kind="failed" aria-hidden="true" .series=${{ starts, values: failed }}></hour-chart>
    <hour-chart kind="lag" aria-hidden="true" .series=${{ starts, values: lag }}></hour-chart>`
}

/** @param {ReadonlyArray<Hour>} hours @param {number} now */
export const history = (hours, now) => html`<section class="card">
  <h2>The last 7 days</h2>
  <p class="summary">
    ${many(sum(hours, "removed"), "container")} removed, ${count(sum(hours, "already_absent"))} already absent,
    ${many(sum(hours, "failed"), "failure")}, in ${many(sum(hours, "passes"), "pass")}. Longest lag from due to removed:
    ${lagText(longestLag(hours))}.
  </p>
  ${charts(hours, now)}
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
        { head: "Failed", kind: "figure", cell: ({ failed }) => count(failed) },
        { head: "Longest lag", kind: "figure", cell: ({ lag }) => lagText(lag) }
      ]
    })}
  </details>
</section>`
