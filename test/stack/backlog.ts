import { Duration, Effect } from "effect"
import { stuckAfter } from "../../src/domain/Backoff.ts"
import type { Hold } from "../../src/domain/Hold.ts"
import { world } from "../support/e2e.ts"
import { micros } from "../support/records.ts"
import { start } from "../support/service.ts"
import { demand, eventually } from "./demand.ts"
import { askedBy, firing } from "./metrics.ts"
import type { Stack } from "./Stack.ts"

/** Told apart from the others of the run. */
const service = "rtmanager.paused"
const engine = "host-17"

/** What the service says of the backlog is what was put there, in a service that makes no pass. */
export const gaugesAreTrue = Effect.fnUntraced(function* ({ metrics }: Stack, env: Readonly<Record<string, string>>) {
  const here = yield* world()
  const days = (count: number) => Duration.toMillis(Duration.days(count))
  const now = Date.now()
  const put = (
    gameId: string,
    daysAgo: number,
    backoff: { readonly attempts: number; readonly at: number } | null,
    hold: Hold | null = null
  ) =>
    here.store.put({
      gameId,
      engine,
      status: "stopped",
      containerId: "c".repeat(64),
      imageRef: null,
      backoff: backoff && { attempts: backoff.attempts, nextAttemptAt: backoff.at, lastError: "engine_error" },
      hold,
      lastOpAt: micros(now - days(daysAgo))
    })
  yield* put("young", 29, null)
  yield* put("due", 32, null)
  yield* put("leased", 70, null)
  yield* put("held", 90, null, { author: "ann", reason: "the players complain", until: null })
  yield* put("again", 50, { attempts: 1, at: now - days(1) })
  yield* put("waits", 50, { attempts: 1, at: now + days(1) })
  yield* put("stuck", 50, { attempts: stuckAfter, at: now + days(1) })
  yield* here.store.putLease({ gameId: "leased", owner: "0a0a0a0a-0000-4000-8000-000000000000", token: 1n }, false)
  const running = yield* start(["serve"], {
    ...here.env,
    ...env,
    OTEL_SERVICE_NAME: service,
    RTMANAGER_ENGINE_NAME: engine,
    RTMANAGER_CLEANUP_MODE: "paused"
  })
  const states = eventually(
    "the gauges of the backlog",
    metrics.query(askedBy("Backlog", service)),
    (samples) => samples.length === 5
  )
  const counted = Object.fromEntries((yield* states).map(({ labels, value }) => [labels["state"], value]))
  const wanted = { due: 3, leased: 1, held: 1, backing_off: 1, stuck: 1 }
  yield* demand(
    Object.entries(wanted).every(([state, count]) => counted[state] === count),
    `the gauges say ${JSON.stringify(counted)}, not ${JSON.stringify(wanted)}`
  )
  const [oldest] = yield* metrics.query(askedBy("Oldest due game", service))
  const age = (oldest?.value ?? 0) / 86_400
  yield* demand(age > 1.99 && age < 2.01, `the oldest due game is ${age} days old, not 2`)
  yield* eventually("the mode", metrics.query(askedBy("Mode", service)), (samples) =>
    samples.some(({ labels }) => labels["mode"] === "paused")
  )
  const leased = metrics.query(firing("CleanupGameLeased", `job="${service}", rtmanager_engine_name="${engine}"`))
  yield* eventually("CleanupGameLeased to fire", leased, (samples) => samples.length > 0)
  yield* here.store.expireLeases
  // The backlog is counted once a minute, and that is longer than the patience of a service that is meant to remove.
  yield* eventually("CleanupGameLeased to end", leased, (samples) => samples.length === 0)
  const stalled = yield* metrics.query(firing("CleanupStalled", `job="${service}"`))
  yield* demand(stalled.length === 0, "a paused service is called stalled")
  yield* running.signal("SIGTERM")
  yield* running.ended
  return [
    `in a paused service the gauges are what was put there: ${JSON.stringify(counted)}; it is not stalled, and CleanupGameLeased fired for its engine ${engine} and ended`
  ]
})
