import { repeat } from "/lib/lit-html/directives/repeat.js"
import { html, nothing } from "/lib/lit-html/lit-html.js"
import { about, fromNow, short, time, traceLink, utc, words } from "./format.js"
import { addressOf } from "./route.js"

/** @import { TemplateResult } from "lit-html" */
/** @import { Operation, Pass, Route, Status } from "./types.ts" */

/** Small pieces that several views show. */

/**
 * @param {string | null} iso
 * @param {number} now
 * @param {string} [never]
 */
export const timeOf = (iso, now, never = "never") =>
  iso === null
    ? html`<span class="faint">${never}</span>`
    : html`<time datetime=${iso} title=${utc(Date.parse(iso))}>${time(Date.parse(iso), now)}</time>`

/**
 * How far away it is; the title says when.
 *
 * @param {string | null} iso
 * @param {number} now
 * @param {{ readonly never?: string, readonly exact?: boolean }} [options]
 */
export const distance = (iso, now, { never = "never", exact = false } = {}) => {
  if (iso === null) return html`<span class="faint">${never}</span>`
  const at = Date.parse(iso)
  const text = exact || Math.abs(at - now) < 3_600_000 ? fromNow(at, now) : about(at, now)
  return html`<time datetime=${iso} title=${`${time(at, now)} · ${utc(at)}`}>${text}</time>`
}

/**
 * When a game goes: `due` is when it may, and `blocked` whether anything keeps it longer.
 *
 * @param {string | null} due
 * @param {number} now
 * @param {boolean} [blocked]
 */
export const goes = (due, now, blocked = false) =>
  due !== null && !blocked && Date.parse(due) <= now
    ? html`<strong>next pass</strong> <span class="faint">due ${distance(due, now)}</span>`
    : distance(due, now, { never: "not by itself", exact: true })

/** @param {string} id */
export const gameLink = (id) => html`<a class="id" href=${addressOf("game", id)}><bdi>${id}</bdi></a>`

/** @param {string | null} id */
export const identity = (id) =>
  id === null ? html`<span class="faint">none</span>` : html`<code class="short" title=${id}>${short(id)}</code>`

/**
 * @param {"good" | "bad" | "warn" | "quiet"} kind
 * @param {string} text
 */
export const badge = (kind, text) => html`<span class="badge ${kind}">${text}</span>`

/** @type {Readonly<Record<string, "good" | "bad" | "warn">>} */
const kinds = {
  success: "good",
  done: "good",
  failure: "bad",
  failed: "bad",
  partial: "warn",
  refused: "warn",
  interrupted: "warn"
}

/**
 * How something ended; `null` while it goes on.
 *
 * @param {string | null} result
 * @param {string} [underWay]
 */
export const ended = (result, underWay = "under way") =>
  result === null ? badge("quiet", underWay) : badge(kinds[result] ?? "quiet", words(result))

/**
 * What a pass came to: one that is not told of as under way and has no result was killed.
 *
 * @param {Pass} pass
 * @param {Status} status
 */
export const cameTo = ({ id, result }, { under_way }) =>
  ended(result, under_way.some(({ pass }) => pass.id === id) ? "under way" : "killed")

/**
 * What became of an attempt, in words and with its trace.
 *
 * @param {Operation} operation
 * @param {string | null} traceUrl
 */
export const operationText = ({ error_code, message, trace_id }, traceUrl) => {
  const link = traceLink(traceUrl, trace_id)
  return html`<span>${error_code === null ? nothing : html`<code>${error_code}</code> `}<bdi>${message ?? ""}</bdi></span>
    ${link === null ? nothing : html` <a class="trace" href=${link} target="_blank" rel="noreferrer">trace</a>`}`
}

/**
 * @template Row
 * @typedef {{ readonly head: string, readonly cell: (row: Row) => unknown, readonly kind?: "figure" | "wide" }} Column
 */

/**
 * Roles are given because narrow screens show rows as blocks, and then a table is none by itself.
 *
 * @template Row
 * @param {{ readonly caption: string, readonly columns: ReadonlyArray<Column<Row>>, readonly rows: ReadonlyArray<Row>,
 *   readonly key: (row: Row) => unknown, readonly empty: string }} table
 */
export const table = ({ caption, columns, empty, key, rows }) =>
  rows.length === 0
    ? html`<p class="empty">${empty}</p>`
    : html`<table role="table">
        <caption class="hidden">${caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
            ${columns.map(({ head, kind }) => html`<th role="columnheader" scope="col" class=${kind ?? ""}>${head}</th>`)}
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${repeat(
            rows,
            key,
            (row) => html`<tr role="row">
              ${columns.map(({ cell, head, kind }) => html`<td role="cell" class=${kind ?? ""} data-head=${head}>${cell(row)}</td>`)}
            </tr>`
          )}
        </tbody>
      </table>`

/**
 * @param {Route} route
 * @param {string | null} next
 */
export const pager = ({ id, name, query }, next) => {
  const { cursor, ...rest } = query
  if (next === null && cursor === undefined) return nothing
  return html`<nav class="pager" aria-label="Pages">
    ${cursor === undefined ? nothing : html`<a href=${addressOf(name, id, rest)}>First page</a>`}
    ${next === null ? html`<span class="faint">The last page</span>` : html`<a href=${addressOf(name, id, { ...rest, cursor: next })}>Next page</a>`}
  </nav>`
}

/**
 * A row of names and what they are.
 *
 * @param {ReadonlyArray<readonly [string, unknown]>} facts
 */
export const facts = (facts) =>
  html`<dl>${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`

/**
 * Filters: a change of any shows the first page of what it asks for.
 *
 * @param {Route} route
 * @param {unknown} fields
 */
export const filters = ({ id, name }, fields) => html`<form
  class="filters"
  role="search"
  @submit=${(/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    location.hash = addressOf(name, id, formQuery(event.currentTarget))
  }}
  @change=${(/** @type {Event} */ event) => {
    location.hash = addressOf(name, id, formQuery(event.currentTarget))
  }}
>
  ${fields}
</form>`

/** @param {EventTarget | null} form */
const formQuery = (form) =>
  Object.fromEntries(
    [...new FormData(/** @type {HTMLFormElement} */ (form))].map(([name, value]) => [name, `${value}`.trim()])
  )

/**
 * @param {string} label
 * @param {string} name
 * @param {string} chosen
 * @param {ReadonlyArray<readonly [string, string]>} options
 */
export const choice = (label, name, chosen, options) => html`<label>
  ${label}
  <select name=${name} .value=${chosen}>
    ${options.map(([value, text]) => html`<option value=${value} ?selected=${value === chosen}>${text}</option>`)}
  </select>
</label>`

/** @typedef {TemplateResult} Template */
