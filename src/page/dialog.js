import { html, nothing, render } from "/lib/lit-html/lit-html.js"
import { api, Problem } from "./api.js"
import { words } from "./format.js"

/** @import { Act, Ask } from "./types.ts" */

const element = /** @type {HTMLDialogElement} */ (document.querySelector("dialog"))

/** 128 random bits. `randomUUID` is only for secure contexts, and the page may be read over plain HTTP. */
const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("")

/**
 * @typedef {{ readonly state: "asking" } | { readonly state: "sending" } | { readonly state: "answered", readonly act: Act }
 *   | { readonly state: "failed", readonly problem: Problem, readonly payload: object }} Phase
 */

/** @param {Phase} phase */
const outcome = (phase) => {
  if (phase.state === "answered") {
    const { message, result } = phase.act
    return html`<p class="answer ${result === "done" || result === null ? "good" : "bad"}">
      <strong>${result === null ? "Begun" : words(result)}.</strong> <bdi>${message ?? ""}</bdi>
    </p>`
  }
  if (phase.state === "failed") {
    return html`<p class="answer bad"><strong>${phase.problem.outcome}.</strong> <bdi>${phase.problem.message}</bdi></p>`
  }
  return phase.state === "sending" ? html`<p class="answer">Waiting for the answer…</p>` : nothing
}

/**
 * @param {Ask} ask
 * @param {Phase} phase
 * @param {(payload: object) => void} send
 */
const dialog = ({ button, fields, grave, lines, payload, title }, phase, send) => {
  const over = phase.state === "answered" || phase.state === "failed"
  const again = phase.state === "failed" && phase.problem.passes
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    const form = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget))
    send({ reason: `${form.get("reason")}`.trim(), ...payload?.(form) })
  }
  return html`<form @submit=${submit} aria-labelledby="dialog-title">
    <h2 id="dialog-title"><bdi>${title}</bdi></h2>
    <ul>${lines.map((line) => html`<li><bdi>${line}</bdi></li>`)}</ul>
    <fieldset ?disabled=${phase.state !== "asking"}>
      ${fields ?? nothing}
      <label>Reason, for whoever reads the acts later
        <input name="reason" required maxlength="500" pattern=".*\\S.*" autocomplete="off" autofocus />
      </label>
    </fieldset>
    <div role="status">${outcome(phase)}</div>
    <div class="buttons">
      <button type="button" ?disabled=${phase.state === "sending"} @click=${() => element.close()}>${phase.state === "asking" ? "Cancel" : "Close"}</button>
      ${over ? nothing : html`<button class=${grave ? "grave" : "main"} ?disabled=${phase.state === "sending"}>${button}</button>`}
      ${again ? html`<button type="button" class="main" @click=${() => send(phase.payload)}>Try again</button>` : nothing}
    </div>
  </form>`
}

/**
 * Asks for the reason and does it. However often it is tried from this dialog, the act is done once. The dialog stays
 * until the answer is seen.
 *
 * @param {Ask} ask
 * @param {() => void} done
 */
export const openDialog = (ask, done) => {
  const key = newKey()
  const place = element.appendChild(document.createElement("div"))
  let isSending = false
  /** @param {Phase} phase */
  const show = (phase) => {
    isSending = phase.state === "sending"
    render(dialog(ask, phase, send), place)
    if (phase.state === "answered" || phase.state === "failed") place.querySelector("button")?.focus()
  }
  /** @param {object} payload */
  const send = async (payload) => {
    show({ state: "sending" })
    try {
      show({ state: "answered", act: await api.act({ path: ask.path, payload, key, etag: ask.etag }) })
      done()
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem
      show({ state: "failed", problem, payload })
    }
  }
  show({ state: "asking" })
  // A browser closes it at the second Escape whatever `cancel` says, so it is opened again.
  const closed = () => {
    if (isSending) return element.showModal()
    element.removeEventListener("close", closed)
    place.remove()
  }
  element.addEventListener("close", closed)
  element.showModal()
}
