import { api, Problem } from "./api.js"

/** @import { Link, LiveEvent } from "./types.ts" */

/** So many operations are told at once at most: if they were so many, there may have been more. */
export const mostTold = 50

const longest = 30_000

/**
 * How long to wait before the next try: from one second, twice as long each time. `random` is in [0, 1).
 *
 * @param {number} failures
 * @param {number} random
 */
export const waitFor = (failures, random) => Math.min(longest, 1000 * 2 ** Math.min(failures, 10)) * (0.5 + random / 2)

/** @param {number} milliseconds @param {AbortSignal} signal */
const sleep = (milliseconds, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener("abort", () => clearTimeout(timer), { once: true })
    // Whoever is back at a network does not wait.
    addEventListener("online", resolve, { once: true, signal })
  })

/**
 * Tells of everything that happens, and of the connection, until `signal` ends it. A connection that has ended is
 * made again: `onBack` is called once something is told again, since nothing tells what happened in between.
 *
 * @param {{ readonly signal: AbortSignal, readonly onEvent: (event: LiveEvent) => void,
 *   readonly onBack: () => void, readonly onLink: (link: Link) => void, readonly onRefused: (message: string) => void }} options
 */
export const follow = async ({ signal, onBack, onEvent, onLink, onRefused }) => {
  let failures = 0
  let isFirst = true
  /** @type {Link} */
  let link = { state: "connecting", since: Date.now() }
  /** @param {Link["state"]} state */
  const tell = (state) => {
    if (state === link.state) return
    link = { state, since: Date.now() }
    onLink(link)
  }
  while (!signal.aborted) {
    let isHeard = false
    try {
      for await (const event of api.events(signal)) {
        if (!isHeard && !isFirst) onBack()
        failures = 0
        isHeard = true
        tell("live")
        onEvent(event)
      }
    } catch (error) {
      isHeard = false
      if (signal.aborted) return
      if (!(error instanceof Problem)) throw error
      if (error.status === 401) return onRefused(error.message)
    }
    if (signal.aborted) return
    isFirst = false
    // The service itself ends each stream after some minutes, so that a token is asked for again.
    if (!isHeard) tell("lost")
    await sleep(waitFor(failures, Math.random()), signal)
    failures += 1
  }
}
