import { Effect, Metric } from "effect"
import { type ActName, type ActResult, actResults, acts } from "../domain/Act.ts"
import {
  type BacklogState,
  backlogStates,
  type DueState,
  dueStates,
  type UnusableReason,
  unusableReasons
} from "../domain/Backlog.ts"
import { type TokenRefusal, tokenRefusals } from "../domain/Caller.ts"
import { type Mode, modes } from "../domain/Mode.ts"
import {
  type ErrorCode,
  errorCodes,
  type OpSource,
  type Outcome,
  opSources,
  outcomes,
  rules
} from "../domain/Outcome.ts"
import { type PassReason, passReasons, type Refusal, refusals } from "../domain/PassRefused.ts"
import { type PassResult, passResults } from "../domain/PassReport.ts"

/** The `error_code` of an outcome without one, because Prometheus drops an empty label. */
const noCode = "none"

const minute = 60
const hour = 60 * minute
const day = 24 * hour

/** From a day on each is about a third more than the one before, so that a quantile is never far off. */
const lagBoundaries = [
  ...[1, 10, minute, 5 * minute, 15 * minute, 30 * minute, hour, 2 * hour, 6 * hour, 12 * hour],
  ...[1, 1.5, 2, 3, 4, 5, 7, 9, 12, 16, 21, 28, 38, 50, 67, 90].map((days) => days * day)
]

export interface Instrument {
  readonly name: string
  readonly type: "counter" | "up_down_counter" | "gauge" | "histogram"
  readonly unit: string
  readonly description: string
  /** Every attribute with all of its values. */
  readonly attributes: Readonly<Record<string, ReadonlyArray<string>>>
  readonly boundaries?: ReadonlyArray<number>
}

/** Every instrument of this service's own. The metrics below are made from this table, and dashboards are checked against it. */
export const instruments = {
  passDuration: {
    name: "rtmanager.cleanup.pass.duration",
    type: "histogram",
    unit: "s",
    description: "How long a pass took",
    attributes: { result: passResults },
    boundaries: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, minute, 2 * minute, 5 * minute, 10 * minute, hour, 3 * hour]
  },
  lastSuccess: {
    name: "rtmanager.cleanup.pass.last_success",
    type: "gauge",
    unit: "s",
    description: "Unix time at which the service's last pass that removes came to its end; absent before the first",
    attributes: {}
  },
  games: {
    name: "rtmanager.cleanup.games",
    type: "counter",
    unit: "{game}",
    description: "Attempts on games, by how they ended",
    attributes: { outcome: outcomes, error_code: [noCode, ...errorCodes], op_source: opSources }
  },
  gameDuration: {
    name: "rtmanager.cleanup.game.duration",
    type: "histogram",
    unit: "s",
    description: "How long an attempt on one game took",
    attributes: { outcome: outcomes },
    boundaries: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, minute, 2 * minute, 5 * minute]
  },
  lag: {
    name: "rtmanager.cleanup.lag",
    type: "histogram",
    unit: "s",
    description: "From the moment a game became due to the removal of its container",
    attributes: {},
    boundaries: lagBoundaries
  },
  backlog: {
    name: "rtmanager.cleanup.backlog",
    type: "gauge",
    unit: "{game}",
    description:
      "Stopped games that wait; those leased or stuck may be due too, those held by a person are not; every replica reports it, so take the maximum",
    attributes: { state: backlogStates }
  },
  oldestDueAge: {
    name: "rtmanager.cleanup.oldest_due_age",
    type: "gauge",
    unit: "s",
    description: "How long the game that could have been cleaned first has been waiting since; 0 if there is none",
    attributes: { state: dueStates }
  },
  backlogCounted: {
    name: "rtmanager.cleanup.backlog_counted",
    type: "gauge",
    unit: "s",
    description: "Unix time of the count that the gauges of the backlog are from; absent before the first",
    attributes: {}
  },
  inFlight: {
    name: "rtmanager.cleanup.in_flight",
    type: "up_down_counter",
    unit: "{game}",
    description: "Games being cleaned at this moment",
    attributes: {}
  },
  unusableRows: {
    name: "rtmanager.cleanup.unusable_rows",
    type: "gauge",
    unit: "{row}",
    description:
      "Stopped records that cannot be used; those that do not decode, as far as the last pass has listed them",
    attributes: { reason: unusableReasons }
  },
  blocked: {
    name: "rtmanager.cleanup.pass.blocked",
    type: "gauge",
    unit: "{pass}",
    description: "1 if the last pass ended early for this reason, until one works; for cannot_record, until one ends",
    attributes: { reason: passReasons }
  },
  passesRefused: {
    name: "rtmanager.cleanup.pass.refused",
    type: "counter",
    unit: "{pass}",
    description: "Passes that were refused",
    attributes: { reason: refusals }
  },
  leaseTakeovers: {
    name: "rtmanager.cleanup.lease_takeovers",
    type: "counter",
    unit: "{lease}",
    description: "Leases taken over because they had expired in another holder's hands",
    attributes: {}
  },
  acts: {
    name: "rtmanager.cleanup.acts",
    type: "counter",
    unit: "{act}",
    description: "What people asked for, by how it ended",
    attributes: { act: acts, result: actResults }
  },
  tokensRefused: {
    name: "rtmanager.cleanup.token.refused",
    type: "counter",
    unit: "{request}",
    description:
      "Requests to the API that were refused for their token, or because their address had sent too many wrong ones",
    attributes: { reason: tokenRefusals }
  },
  mode: {
    name: "rtmanager.cleanup.mode",
    type: "gauge",
    unit: "{service}",
    description: "1 for the mode that the service runs in, else 0",
    attributes: { mode: modes }
  },
  paused: {
    name: "rtmanager.cleanup.paused",
    type: "gauge",
    unit: "{pause}",
    description: "1 while a person's pause is in force, else 0; the mode paused does not count",
    attributes: {}
  },
  holds: {
    name: "rtmanager.cleanup.holds",
    type: "gauge",
    unit: "{hold}",
    description:
      "Holds of people that have not ended, on the games of every engine and on those without a record; every replica reports them, so take the maximum",
    attributes: {}
  },
  interval: {
    name: "rtmanager.cleanup.interval",
    type: "gauge",
    unit: "s",
    description: "RTMANAGER_CLEANUP_INTERVAL: the time between two passes of the service",
    attributes: {}
  },
  retention: {
    name: "rtmanager.cleanup.retention",
    type: "gauge",
    unit: "s",
    description: "For how long a stopped game's container is kept",
    attributes: {}
  },
  memoryUsage: {
    name: "process.memory.usage",
    type: "gauge",
    unit: "By",
    description: "Physical memory in use",
    attributes: {}
  },
  eventLoopUtilization: {
    name: "nodejs.eventloop.utilization",
    type: "gauge",
    unit: "1",
    description: "Share of the last 15 seconds in which the event loop was not idle",
    attributes: {}
  }
} satisfies Record<string, Instrument>

/** The exporter takes a metric's unit from its attribute `unit`. */
const options = ({ description, unit }: Instrument) => ({ description, attributes: { unit } })
const counter = (self: Instrument) => Metric.counter(self.name, { ...options(self), incremental: true })
const gauge = (self: Instrument) => Metric.gauge(self.name, options(self))
const histogram = (self: Instrument & { readonly boundaries: ReadonlyArray<number> }) =>
  Metric.histogram(self.name, { ...options(self), boundaries: self.boundaries })

const passDuration = histogram(instruments.passDuration)
const games = counter(instruments.games)
const gameDuration = histogram(instruments.gameDuration)
const backlog = gauge(instruments.backlog)
const oldestDueAge = gauge(instruments.oldestDueAge)
const unusableRows = gauge(instruments.unusableRows)
const mode = gauge(instruments.mode)
const blocked = gauge(instruments.blocked)
const passesRefused = counter(instruments.passesRefused)
const actsCounter = counter(instruments.acts)
const tokensRefused = counter(instruments.tokensRefused)

const each = <K extends string, A>(keys: ReadonlyArray<K>, make: (key: K) => A) =>
  Object.fromEntries(keys.map((key) => [key, make(key)])) as Record<K, A>

/** Made once, because every game updates one of each. */
const durationBy = each(outcomes, (outcome) => Metric.withAttributes(gameDuration, { outcome }))
const gamesBy = each(opSources, (op_source) => ({
  ...each(outcomes, (outcome) => Metric.withAttributes(games, { outcome, error_code: noCode, op_source })),
  ...each(errorCodes, (error_code) =>
    Metric.withAttributes(games, { outcome: rules[error_code].outcome, error_code, op_source })
  )
}))

/** Unix seconds. */
export const lastSuccess = gauge(instruments.lastSuccess)
/** Unix seconds. */
export const backlogCounted = gauge(instruments.backlogCounted)
/** Seconds, once for each game whose record we moved to `removed`. */
export const lag = histogram(instruments.lag)
/** 1 or 0. */
export const paused = gauge(instruments.paused)
export const holds = gauge(instruments.holds)
/** Seconds. */
export const interval = gauge(instruments.interval)
/** Seconds. */
export const retention = gauge(instruments.retention)
/** Takes 1 and -1. */
export const inFlight = Metric.counter(instruments.inFlight.name, options(instruments.inFlight))
/** Bytes. */
export const memoryUsage = gauge(instruments.memoryUsage)
/** From 0 to 1. */
export const eventLoopUtilization = gauge(instruments.eventLoopUtilization)
export const leaseTakeovers = counter(instruments.leaseTakeovers)

/** Seconds. */
export const passDurationFor = (result: PassResult) => Metric.withAttributes(passDuration, { result })
/** Seconds. */
export const gameDurationFor = (outcome: Outcome) => durationBy[outcome]
export const gamesFor = (outcome: Outcome, errorCode: ErrorCode | null, opSource: OpSource) =>
  gamesBy[opSource][errorCode ?? outcome]
export const backlogFor = (state: BacklogState) => Metric.withAttributes(backlog, { state })
/** Seconds. */
export const oldestDueAgeFor = (state: DueState) => Metric.withAttributes(oldestDueAge, { state })
export const actsFor = (act: ActName, result: ActResult) => Metric.withAttributes(actsCounter, { act, result })
export const tokensRefusedFor = (reason: TokenRefusal) => Metric.withAttributes(tokensRefused, { reason })
export const modeFor = (name: Mode) => Metric.withAttributes(mode, { mode: name })
export const unusableRowsFor = (reason: UnusableReason) => Metric.withAttributes(unusableRows, { reason })
export const blockedFor = (reason: PassReason) => Metric.withAttributes(blocked, { reason })
export const passesRefusedFor = (reason: Refusal) => Metric.withAttributes(passesRefused, { reason })

/**
 * Starts every counter at 0, in each combination of attributes that can occur, because `increase()` misses a counter that
 * appears with 1. Gauges and histograms come with their first value, because a 0 would be a claim.
 */
export const registerAll: Effect.Effect<void> = Effect.forEach(
  [
    ...opSources.flatMap((source) => [
      ...(["removed", "already_absent", "interrupted"] as const).map((outcome) => gamesFor(outcome, null, source)),
      ...errorCodes.map((code) => gamesFor(rules[code].outcome, code, source))
    ]),
    ...refusals.map(passesRefusedFor),
    ...acts.flatMap((act) => actResults.map((result) => actsFor(act, result))),
    ...tokenRefusals.map(tokensRefusedFor),
    leaseTakeovers,
    inFlight
  ],
  (metric) => Metric.update(metric, 0),
  { discard: true }
)
