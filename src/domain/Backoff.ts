import { Duration, Schema } from "effect"

/**
 * How often a game has failed since its last success, and when it may be tried again (Unix milliseconds). Only a success
 * ends it, so a game that is started and stopped once more keeps its count.
 */
export const Backoff = Schema.Struct({
  attempts: Schema.Int,
  nextAttemptAt: Schema.Int,
  /** The error code of the last failure. */
  lastError: Schema.String
})
export type Backoff = typeof Backoff.Type

/** So many failures without a success, and the game is listed as stuck: it waits for a person. */
export const stuckAfter = 10

export const isStuck = (backoff: Backoff | null): boolean => backoff !== null && backoff.attempts >= stuckAfter

const shortest = Duration.toMillis("1 minute")
const longest = Duration.toMillis("24 hours")

/**
 * What one more failure makes of it: anywhere up to 2, 4, 8 … minutes later, at most a day, so that games which failed
 * together do not come back together. `random` is in [0, 1).
 */
export const afterFailure = (
  before: Backoff | null,
  failure: { readonly code: string; readonly at: number; readonly random: number }
): Backoff => {
  const attempts = (before?.attempts ?? 0) + 1
  const ceiling = Math.min(longest, shortest * 2 ** Math.min(attempts, 32))
  return { attempts, nextAttemptAt: Math.ceil(failure.at + failure.random * ceiling), lastError: failure.code }
}
