import { api, Problem, token } from "./api.js"
import { follow, waitFor } from "./live.js"
import { parseRoute } from "./route.js"
import { viewOf } from "./views.js"

/** @import { LiveEvent, Page, Route, State, Status } from "./types.ts" */

/** @type {State} */
const outside = {
  caller: null,
  traceUrl: null,
  refused: null,
  entering: false,
  link: { state: "connecting", since: Date.now() },
  status: null,
  unavailable: null,
  ahead: 0,
  route: parseRoute(location.hash),
  loading: false,
  page: null
}

/**
 * What an event changes, whatever is looked at.
 *
 * @param {State} state
 * @param {LiveEvent} event
 * @returns {Partial<State>}
 */
const newsOf = ({ status }, { data, event }) => {
  if (event === "unavailable") return { unavailable: data.detail }
  if (event === "status") return statusNews(data)
  return event === "progress" && status !== null ? { status: { ...status, ...data } } : {}
}

/** @param {Status} status */
const statusNews = (status) => ({ status, ahead: Date.parse(status.now) - Date.now(), unavailable: null })

/** @param {Route} a @param {Route} b */
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b)

/**
 * The state of the page and all that changes it; `show` is told of every change.
 *
 * @param {(state: State) => void} show
 */
export const openSession = (show) => {
  let state = outside
  /** Ends what goes on for the present token. */
  let over = new AbortController()
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let soon
  /** How many loads were begun, and which of them is the last that counts: none before it does any more. */
  let begun = 0
  let settled = 0

  /** @param {Partial<State>} news */
  const change = (news) => {
    state = { ...state, ...news }
    show(state)
  }

  /** @param {string | null} message */
  const leave = (message) => {
    over.abort()
    settled = begun
    token.forget()
    change({ ...outside, refused: message, route: state.route })
  }

  /**
   * Loads what the address asks for. An answer is of no use once a later load was answered, the address has changed
   * again, or the session is over.
   */
  const load = async () => {
    const { route } = state
    begun += 1
    const mine = begun
    /** @param {Pick<Page, "data" | "problem">} loaded */
    const settle = (loaded) => {
      if (!same(route, state.route)) return
      settled = mine
      change({ loading: mine < begun, page: { route, ...loaded } })
    }
    change({ loading: true })
    try {
      const data = await viewOf(route).load(api, route)
      if (mine > settled) settle({ data, problem: null })
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem
      if (mine <= settled) return
      if (problem.status === 401) leave(problem.message)
      else settle({ data: undefined, problem })
    }
  }

  /** After an act of this page, which is not told of by itself. */
  const loadAll = async () => {
    const status = api.status().then(statusNews, () => ({}))
    await load()
    change(await status)
  }

  /** Once for all that happens within a second. */
  const loadSoon = () => {
    if (soon !== undefined) return
    soon = setTimeout(async () => {
      soon = undefined
      if (state.caller !== null) await load()
    }, 1000)
  }

  /** @param {LiveEvent} event */
  const onEvent = (event) => {
    change(newsOf(state, event))
    const { page } = state
    if (page === null) return
    if (page.problem !== null) return page.problem.passes ? loadSoon() : undefined
    const data = viewOf(page.route).follow(page.data, event, page.route)
    if (data === undefined) loadSoon()
    else if (data !== page.data) change({ page: { ...page, data } })
  }

  /** Goes on with the token that is kept. A service that is away is waited for, so that nobody is asked for it again. */
  const enter = async (failures = 0) => {
    change({ entering: true, refused: null })
    try {
      const [caller, { trace_url: traceUrl }] = await Promise.all([api.me(), api.settings()])
      over = new AbortController()
      const { signal } = over
      change({ ...outside, caller, traceUrl, route: state.route })
      const following = follow({
        signal,
        onBack: loadSoon,
        onEvent,
        onLink: (link) => change({ link }),
        onRefused: leave
      })
      await Promise.all([load(), following])
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem
      if (!problem.passes) return leave(problem.message)
      change({ refused: problem.message })
      setTimeout(enter, waitFor(failures, Math.random()), failures + 1)
    }
  }

  return {
    leave,
    load,
    loadAll,
    /** @param {string} given */
    begin: async (given) => {
      token.set(given)
      await enter()
    },
    /** After the address has changed. */
    go: async () => {
      change({ route: parseRoute(location.hash) })
      if (state.caller !== null) await load()
    },
    /** Shows what is known by now, and goes on with the token that this tab has. */
    start: async () => {
      show(state)
      if (token.get() !== null) await enter()
    },
    /** Shows the same again, for what changes with time. */
    tick: () => show(state)
  }
}
