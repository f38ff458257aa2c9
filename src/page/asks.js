import { html, nothing } from "/lib/lit-html/lit-html.js"
import { gamePath } from "./api.js"
import { counted, many, time, utc } from "./format.js"

/** @import { Ask, Caller, Engine, Hold, Status, Story } from "./types.ts" */

/** What people may ask for: what the dialog says before, and what is sent then. */

/** @typedef {{ readonly story: Story, readonly etag: string | null }} Seen */

/** @type {ReadonlyArray<readonly [string, string]>} */
const ends = [
  ["", "until it is released"],
  ["24h", "for a day"],
  ["7d", "for a week"],
  ["30d", "for 30 days"],
  ["90d", "for 90 days"]
]

/** @param {ReadonlyArray<readonly [string, string]>} options */
const optionsOf = (options) => options.map(([value, text]) => html`<option value=${value}>${text}</option>`)

/** @param {string} at @param {number} now */
const told = (at, now) => `${time(Date.parse(at), now)} (${utc(Date.parse(at))})`

/** @param {FormData} form @param {string} name */
const textOf = (form, name) => `${form.get(name) ?? ""}`

/**
 * @param {Seen} seen
 * @param {Caller} caller
 * @returns {Ask}
 */
export const holdAsk = ({ story, etag }, caller) => {
  const own = story.holds.find(({ author }) => author === caller.name)
  return {
    title: `Hold ${story.game_id}`,
    lines: [
      "Nothing removes the container of this game until the hold has ended.",
      ...(own === undefined ? [] : [`It replaces your hold: “${own.reason}”.`]),
      "The answer comes once no removal can be under way any more."
    ],
    button: "Hold",
    path: `${gamePath(story.game_id)}/hold`,
    etag,
    fields: html`<label>Hold it <select name="until">${optionsOf(ends)}</select></label>`,
    payload: (form) => ({ until: textOf(form, "until") || null })
  }
}

/**
 * @param {Hold} hold
 * @param {number} now
 */
const holdLine = ({ author, reason, until }, now) =>
  `${author} holds it ${until === null ? "until it is released" : `until ${told(until, now)}`}: “${reason}”.`

/**
 * @param {Seen} seen
 * @param {Caller} caller
 * @param {number} now
 * @returns {Ask}
 */
export const releaseAsk = ({ story, etag }, caller, now) => {
  const others = story.holds.filter(({ author }) => author !== caller.name)
  return {
    title: `Release ${story.game_id}`,
    lines: [
      ...story.holds.map((hold) => holdLine(hold, now)),
      "Once every hold has ended, the game's container goes when its retention is over."
    ],
    button: "Release",
    grave: true,
    path: `${gamePath(story.game_id)}/release`,
    etag,
    fields: html`<label>The hold ends
        <select name="now">
          <option value="">in 24 hours, so that a slip can be taken back</option>
          <option value="now">at once</option>
        </select>
      </label>
      ${
        others.length === 0
          ? nothing
          : html`<label class="check"><input type="checkbox" name="all" /> Also ${many(others.length, "hold")} of others:
              <bdi>${others.map(({ author }) => author).join(", ")}</bdi></label>`
      }`,
    payload: (form) => {
      const all = form.has("all")
      const holds = all ? story.holds : story.holds.filter(({ author }) => author === caller.name)
      const seen = holds.map(({ author, placed_at }) => ({ author, placed_at }))
      return { now: textOf(form, "now") === "now", all, seen }
    }
  }
}

/**
 * @param {Seen} seen
 * @param {number} now
 * @returns {Ask}
 */
export const cleanAsk = ({ story, etag }, now) => ({
  title: `Clean ${story.game_id} now`,
  lines: [
    `Removes the container ${story.record?.container_id?.slice(0, 12) ?? ""} from the engine ${story.record?.engine ?? ""}, and cannot be undone.`,
    ...(story.due?.at && Date.parse(story.due.at) > now
      ? [`It would go by itself at ${told(story.due.at, now)}.`]
      : []),
    "Only the age and the backoff are passed over: every other guard can still refuse it."
  ],
  button: "Clean now",
  grave: true,
  path: `${gamePath(story.game_id)}/clean`,
  etag
})

/** @type {Ask} */
export const pauseAsk = {
  title: "Pause all cleaning",
  lines: [
    "Within 2 seconds of the answer no removal begins any more, in any service over this database, also in a pass under way.",
    "Holds, and what is due, stay as they are."
  ],
  button: "Pause",
  path: "/pause",
  fields: html`<label>Pause
    <select name="for">${optionsOf([
      ["", "until somebody resumes"],
      ["1h", "for an hour"],
      ["4h", "for 4 hours"],
      ["24h", "for a day"],
      ["7d", "for a week"]
    ])}</select>
  </label>`,
  payload: (form) => ({ for: textOf(form, "for") || null })
}

/**
 * @param {NonNullable<Status["pause"]>} pause
 * @returns {Ask}
 */
export const resumeAsk = ({ author, reason }) => ({
  title: "Resume cleaning",
  lines: [`Ends the pause of ${author}: “${reason}”.`, "The next passes remove what is due by then."],
  button: "Resume",
  grave: true,
  path: "/resume"
})

/**
 * Whether the service removes anything now: if not, neither a pass nor a clean is done.
 *
 * @param {Status} status
 */
export const cleans = ({ mode, pause }) => mode === "enforce" && pause === null

/**
 * @param {Status} status
 * @returns {Ask}
 */
export const runAsk = ({ backlog, engine }) => ({
  title: `Run a pass on ${engine}`,
  lines: [
    `Begins a pass over ${counted(backlog.due)} due ${backlog.due.count === 1 ? "game" : "games"} now.`,
    "Every guard of a scheduled pass holds for it too."
  ],
  button: "Run a pass",
  grave: true,
  path: "/passes"
})

/**
 * @param {Engine} engine
 * @returns {Ask}
 */
export const acceptAsk = ({ braked, engine_id, name }) => ({
  title: `Accept the engine ${name}`,
  lines: [
    `The engine that answers now becomes the known one of this name; known until now is ${engine_id}.`,
    ...(braked ? ["Its brake is released: containers that it says are absent count as gone."] : []),
    "Accept it only if the containers of the other one are gone for good, or are all on this one."
  ],
  button: "Accept the engine",
  grave: true,
  path: `/engines/${encodeURIComponent(name)}/accept`
})
