import { html, nothing } from "/lib/lit-html/lit-html.js"

/**
 * Asks for the token.
 *
 * @param {{ readonly message: string | null, readonly busy: boolean, readonly enter: (token: string) => void }} options
 */
export const login = ({ busy, enter, message }) => {
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    enter(`${new FormData(/** @type {HTMLFormElement} */ (event.currentTarget)).get("token")}`.trim())
  }
  return html`<main class="login">
    <form class="card" @submit=${submit}>
      <img src="/icon.svg" alt="" width="40" height="40" />
      <h1>Container cleanup</h1>
      <label>Token
        <input name="token" type="password" required autocomplete="off" autofocus aria-describedby="token-help" aria-invalid=${message === null ? nothing : "true"} />
      </label>
      <p id="token-help" class="faint">It is kept in this tab alone, and gone when the tab is closed.</p>
      <div role="alert">${message === null ? nothing : html`<p class="answer bad">${message}</p>`}</div>
      <button class="main" ?disabled=${busy}>Open</button>
    </form>
  </main>`
}
