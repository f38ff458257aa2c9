import { html, nothing } from "/lib/lit-html/lit-html.js"
import { cleanAsk, cleans, holdAsk, releaseAsk } from "../asks.js"
import { fromNow, many, words } from "../format.js"
import { badge, distance, ended, facts, operationText, pager, timeOf } from "../parts.js"

/** @import { Act, LogPage, Operation, Shown, Story, View } from "../types.ts" */

/** @typedef {{ readonly story: Story, readonly etag: string | null, readonly log: LogPage, readonly past: boolean }} Data */

/** @param {Data} data @param {Shown} shown */
const buttons = ({ etag, story }, { ask, caller, now, status }) =>
  ask === undefined
    ? nothing
    : html`<div class="buttons">
        <button @click=${() => ask(holdAsk({ story, etag }, caller))}>Hold…</button>
        ${story.holds.length === 0 ? nothing : html`<button @click=${() => ask(releaseAsk({ story, etag }, caller, now))}>Release…</button>`}
        ${story.record?.status === "stopped" && status !== null && cleans(status) ? html`<button class="grave" @click=${() => ask(cleanAsk({ story, etag }, now))}>Clean now…</button>` : nothing}
      </div>`

/** @param {Story} story @param {number} now */
const due = ({ due, record }, now) => {
  if (due === null) return html`<p>There is no record of this game.</p>`
  const at = due.at === null ? null : Date.parse(due.at)
  const headline =
    record?.status === "removed"
      ? "Removed"
      : at === null
        ? "Stays, as it stands"
        : at <= now
          ? "Goes with the next pass"
          : `Goes ${fromNow(at, now)}`
  return html`<p class="headline">${headline}</p>
    ${at === null ? nothing : html`<p>${at <= now ? "It was due at" : "At"} ${timeOf(due.at, now)}</p>`}
    <p class="faint"><bdi>${due.rule}</bdi></p>`
}

/** @param {Story} story @param {number} now */
const record = ({ problem, record }, now) => {
  if (record === null)
    return html`<p class=${problem === null ? "faint" : ""}><bdi>${problem ?? "There is none."}</bdi></p>`
  return facts([
    ["Status", words(record.status)],
    ["Engine", html`<bdi>${record.engine}</bdi>`],
    ["Container", record.container_id === null ? "none" : html`<code>${record.container_id}</code>`],
    ["Image", record.image_ref === null ? "none" : html`<code>${record.image_ref}</code>`],
    ["Last changed", timeOf(record.last_op_at, now, "not known")]
  ])
}

/** @type {Readonly<Record<NonNullable<Story["container"]>["found"], string>>} */
const found = {
  present: "Present",
  absent: "Absent",
  none: "The record names none",
  elsewhere: "On an engine that another service cleans",
  unknown: "Not known"
}

/** @param {Story} story @param {number} now */
const container = ({ container, game_id }, now) => {
  if (container === null) return html`<p class="faint">None is recorded.</p>`
  const other = container.game_id !== null && container.game_id !== game_id
  return html`<p class="headline">${found[container.found]}</p>
    ${container.message === null ? nothing : html`<p class="faint"><bdi>${container.message}</bdi></p>`}
    ${
      container.found === "present"
        ? facts([
            ["State", container.state ?? "not known"],
            [
              "Label",
              other
                ? html`${badge("bad", "another game")} <bdi>${container.game_id}</bdi>`
                : (container.game_id ?? "none")
            ],
            ["Created", timeOf(container.created_at, now, "not known")],
            ["Started", timeOf(container.started_at, now)],
            ["Finished", timeOf(container.finished_at, now)]
          ])
        : nothing
    }`
}

/** @param {Story} story @param {number} now */
const obstacles = ({ backoff, holds, lease }, now) => {
  if (backoff === null && lease === null && holds.length === 0) {
    return html`<p class="faint">No hold, no backoff and no lease.</p>`
  }
  return html`<ul class="plain">
    ${holds.map(
      ({ author, placed_at, reason, until }) => html`<li>
        ${badge("warn", "held")} by <bdi>${author}</bdi> ${until === null ? "until it is released" : html`until ${timeOf(until, now)}`},
        placed ${distance(placed_at, now)}: <q><bdi>${reason}</bdi></q>
      </li>`
    )}
    ${
      backoff === null
        ? nothing
        : html`<li>
            ${badge(backoff.stuck ? "bad" : "warn", backoff.stuck ? "stuck" : "backing off")} after ${many(backoff.attempts, "failure")},
            last <code>${backoff.last_error}</code>; next try ${distance(backoff.next_attempt_at, now, { exact: true })}
          </li>`
    }
    ${
      lease === null
        ? nothing
        : html`<li>${badge("quiet", "leased")} to <code>${lease.owner}</code> since ${timeOf(lease.since, now)} until ${timeOf(lease.until, now)}</li>`
    }
  </ul>`
}

/** @param {Operation} operation @param {Shown} shown */
const operationEntry = (operation, { now, traceUrl }) => ({
  at: operation.finished_at ?? operation.started_at,
  kind: operation.outcome === "success" ? "good" : "bad",
  text: html`${ended(operation.outcome)} <span class="faint">${words(operation.op_source ?? "")}</span> ${operationText(operation, traceUrl)}`,
  now
})

/** @param {Act} act @param {Shown} shown */
const actEntry = ({ act, asked_at, author, message, reason, result }, { now }) => ({
  at: asked_at,
  kind: "act",
  text: html`<strong>${words(act)}</strong> by <bdi>${author}</bdi> ${ended(result)} <q><bdi>${reason}</bdi></q>
    ${message === null ? nothing : html`<br /><span class="faint"><bdi>${message}</bdi></span>`}`,
  now
})

/** @param {Data} data @param {Shown} shown */
const timeline = ({ log, past, story }, shown) => {
  // The acts are only the last ones, so beside older operations they would be misleading.
  const entries = [
    ...log.operations.map((one) => operationEntry(one, shown)),
    ...(past ? [] : story.acts.map((one) => actEntry(one, shown)))
  ].toSorted((a, b) => Date.parse(b.at ?? "") - Date.parse(a.at ?? "") || 0)
  return html`${
    entries.length === 0
      ? html`<p class="empty">Nothing has happened to it yet.</p>`
      : html`<ol class="timeline">
          ${entries.map(({ at, kind, text }) => html`<li class=${kind}>${timeOf(at, shown.now, "not known")}<div>${text}</div></li>`)}
        </ol>`
  }
  ${pager(shown.route, log.next)}`
}

/** @type {View<Data>} */
export const game = {
  title: ({ id }) => `Game ${id}`,
  load: async (api, { id, query }) => {
    const [seen, log] = await Promise.all([api.game(id), api.gameLog(id, { limit: "50", ...query })])
    return { ...seen, log, past: "cursor" in query }
  },
  // Holds, acts and leases are not told of, but a status comes at least every 15 seconds.
  follow: (data, event) =>
    event.event === "status" ||
    (event.event === "operations" && event.data.operations.some(({ game_id }) => game_id === data.story.game_id))
      ? undefined
      : data,
  show: (data, shown) => {
    const { story } = data
    return html`<header class="title">
        <h1><bdi>${story.game_id}</bdi></h1>
        ${buttons(data, shown)}
      </header>
      <div class="columns three">
        <section class="card"><h2>When it goes</h2>${due(story, shown.now)} ${obstacles(story, shown.now)}</section>
        <section class="card"><h2>Record</h2>${record(story, shown.now)}</section>
        <section class="card"><h2>Container</h2>${container(story, shown.now)}</section>
      </div>
      <section class="card"><h2>What became of it</h2>${timeline(data, shown)}</section>`
  }
}
