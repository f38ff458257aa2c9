import { queryOf } from "./route.js"
import { readEvents } from "./sse.js"

/** @import { Act, ActPage, Caller, GamePage, HoldPage, LiveEvent, LogPage, Stats, Status, Story } from "./types.ts" */

/** What became of an act, for the problems that say more of it than their status. */
const outcomes = new Map([
  ["urn:rtmanager:in-flight", { text: "Under way", passes: true }],
  ["urn:rtmanager:killed", { text: "Not known: part of it may have been done", passes: false }],
  ["urn:rtmanager:failed", { text: "Failed: part of it may have been done", passes: false }]
])

/** The service says what is wrong, or does not answer at all: then `status` is 0. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} message
   * @param {string} [type]
   */
  constructor(status, message, type) {
    super(message)
    this.status = status
    this.type = type
  }

  /** What became of the act that was asked for. */
  get outcome() {
    return outcomes.get(this.type ?? "")?.text ?? (this.passes ? "No answer yet" : "Not done")
  }

  /** Whether the same request may have another answer later. */
  get passes() {
    return outcomes.get(this.type ?? "")?.passes ?? (this.status === 0 || this.status === 429 || this.status >= 500)
  }
}

const key = "rtmanager-token"

/** The token of this tab: it is gone with it. */
export const token = {
  get: () => sessionStorage.getItem(key),
  /** @param {string} value */
  set: (value) => sessionStorage.setItem(key, value),
  forget: () => sessionStorage.removeItem(key)
}

/** @param {unknown} error */
const noAnswer = (error) => {
  if (error instanceof DOMException && error.name === "AbortError") throw error
  throw new Problem(0, "The service does not answer.")
}

/** @param {Response} response */
const problemOf = async (response) => {
  const { detail, title, type } = await response.json().catch(() => ({}))
  return new Problem(response.status, `${detail ?? title ?? response.statusText ?? response.status}`, type)
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 */
const request = async (path, options) => {
  const response = await fetch(path, options).catch(noAnswer)
  if (!response.ok) throw await problemOf(response)
  return response
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 */
const asked = (path, { headers, ...options } = {}) =>
  request(`/api/v1${path}`, { ...options, headers: { ...headers, authorization: `Bearer ${token.get() ?? ""}` } })

/**
 * @param {string} path
 * @param {Readonly<Record<string, string | null | undefined>>} [query]
 */
const read = async (path, query = {}) => (await asked(`${path}${queryOf(query)}`)).json()

/** @param {string} id */
export const gamePath = (id) => `/games/${encodeURIComponent(id)}`

/** @typedef {Readonly<Record<string, string | null | undefined>>} Query */

/** Nothing but a comment comes every 15 seconds. */
const silence = 40_000

/** What the page asks of the service: the public API alone. */
export const api = {
  /** @returns {Promise<{ readonly trace_url: string | null }>} */
  settings: async () => (await request("/settings.json")).json(),
  /** @returns {Promise<Caller>} */
  me: () => read("/me"),
  /** @returns {Promise<Status>} */
  status: () => read("/status"),
  /** @type {(hours: number) => Promise<Stats>} */
  stats: (hours) => read("/stats", { hours: `${hours}` }),
  /** @type {(query: Query) => Promise<GamePage>} */
  games: (query) => read("/games", query),
  /** @type {(id: string) => Promise<{ readonly story: Story, readonly etag: string | null }>} */
  game: async (id) => {
    const response = await asked(gamePath(id))
    return { story: await response.json(), etag: response.headers.get("etag") }
  },
  /** @type {(id: string, query: Query) => Promise<LogPage>} */
  gameLog: (id, query) => read(`${gamePath(id)}/log`, query),
  /** @type {(query: Query) => Promise<LogPage>} */
  log: (query) => read("/log", query),
  /** @type {(query: Query) => Promise<HoldPage>} */
  holds: (query) => read("/holds", query),
  /** @type {(query: Query) => Promise<ActPage>} */
  acts: (query) => read("/acts", query),
  /**
   * Asks for an act, once for each `key`.
   *
   * @param {{ readonly path: string, readonly payload: object, readonly key: string, readonly etag?: string | null | undefined }} ask
   * @returns {Promise<Act>}
   */
  act: async ({ path, payload, key, etag }) => {
    const response = await asked(path, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "idempotency-key": key,
        ...(etag ? { "if-match": etag } : {})
      },
      body: JSON.stringify(payload)
    })
    return response.json()
  },
  /**
   * What happens, as it happens, until the connection ends.
   *
   * @param {AbortSignal} signal
   * @returns {AsyncGenerator<LiveEvent>}
   */
  events: async function* (signal) {
    const { body } = await asked("/events", { signal, headers: { accept: "text/event-stream" } })
    if (body === null) return
    try {
      for await (const { event, data } of readEvents(body, silence)) {
        yield/** @type {LiveEvent} */ ({ event, data: JSON.parse(data) })
      }
    } catch (error) {
      noAnswer(error)
    }
  }
}
