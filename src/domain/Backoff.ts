import { Duration, Schema } from "effect"

/**
 * How often a game has failed since its last success, and when it may be tried again (Unix milliseconds). Only a success
 * resets it: a game that is started and stopped again keeps its count.
 */
export const Backoff = Schema.Struct({
  attempts: Schema.Int,
  nextAttemptAt: Schema.Int,
  /** The error code of the last failure. */
  lastError: Schema.String
})
export type Backoff = typeof Backoff.Type

/** After this many failures without a success, a game is listed as stuck: a person is needed. */
export const stuckAfter = 10

export const isStuck = (backoff: Backoff | null): boolean => backoff !== null && backoff.attempts >= stuckAfter

const shortest = Duration.toMillis("1 minute")
const longest = Duration.toMillis("24 hours")

/**
 * The backoff after one more failure. The game may be tried again after a random time of up to 2, 4, 8 … minutes, at most a
 * day, so that games that failed together do not come back together. `random` is in [0, 1).
 */
export const afterFailure = (
  before: Backoff | null,
  failure: { readonly code: string; readonly at: number; readonly random: number }
): Backoff => {
  const attempts = (before?.attempts ?? 0) + 1
  const ceiling = Math.min(longest, shortest * 2 ** Math.min(attempts, 32))
  return { attempts, nextAttemptAt: Math.ceil(failure.at + failure.random * ceiling), lastError: failure.code }
}
