import { Duration, Effect, Redacted, Ref } from "effect"
import { stuckAfter } from "../../src/domain/Backoff.ts"
import { defaultEngine } from "../../src/domain/EngineName.ts"
import * as EngineProxy from "../support/EngineProxy.ts"
import { game, type World, world } from "../support/e2e.ts"
import type { Gate } from "../support/Gate.ts"
import { makePostgresProxy } from "../support/PostgresProxy.ts"
import { PostgresServer } from "../support/postgres.ts"
import { micros } from "../support/records.ts"
import { type Process, start } from "../support/service.ts"
import { gaugesAreTrue } from "./backlog.ts"
import { demand, eventually } from "./demand.ts"
import { askedBy, firing } from "./metrics.ts"
import type { Stack } from "./Stack.ts"

/** The service of this part, told apart from the one that the rest of the run looks at, by a namespace too. */
const namespace = "games"
const name = "rtmanager.watched"
const watched = `${namespace}/${name}`

/** Where a part of the world can be taken away: every request to it is cut off. */
const makeSwitch = Effect.map(Ref.make(false), (isAway) => ({
  gate: ((_) => (Ref.getUnsafe(isAway) ? "cut" : "pass")) satisfies Gate,
  away: Ref.set(isAway, true),
  back: Ref.set(isAway, false)
}))

/** Each alert is silent and not about to fire, fires once `begin` has happened, and is silent again once `end` has. */
const lives = Effect.fnUntraced(function* <R>(
  { metrics }: Stack,
  alerts: ReadonlyArray<string>,
  {
    begin,
    during = Effect.void,
    end,
    after = Effect.void,
    labels = `job="${watched}"`
  }: {
    readonly begin: Effect.Effect<unknown, unknown, R>
    /** While the alerts come. */
    readonly during?: Effect.Effect<unknown, unknown, R>
    readonly end: Effect.Effect<unknown, unknown, R>
    readonly after?: Effect.Effect<unknown, unknown, R>
    readonly labels?: string
  }
) {
  const seen = (alert: string) => metrics.query(firing(alert, labels))
  for (const alert of alerts) {
    const inAnyState = metrics.query(`ALERTS{alertname="${alert}", ${labels}}`)
    yield* eventually(`${alert} silent beforehand`, inAnyState, (samples) => samples.length === 0)
  }
  const times = (what: string, wanted: (count: number) => boolean) =>
    Effect.forEach(
      alerts,
      (alert) =>
        Effect.timed(eventually(`${alert} ${what}`, seen(alert), ({ length }) => wanted(length))).pipe(
          Effect.map(([took]) => Duration.toSeconds(took).toFixed(0))
        ),
      { concurrency: "unbounded" }
    )
  yield* begin
  const [fired, [red]] = yield* Effect.all([times("to fire", (count) => count > 0), Effect.timed(during)], {
    concurrency: "unbounded"
  })
  yield* end
  const [ended, [back]] = yield* Effect.all([times("to end", (count) => count === 0), Effect.timed(after)], {
    concurrency: "unbounded"
  })
  const panel = `; its panel was red after ${Duration.toSeconds(red).toFixed(0)} s and back after ${Duration.toSeconds(back).toFixed(0)} s`
  return alerts.map(
    (alert, i) =>
      `${alert} fired after ${fired[i]} s, and ended ${ended[i]} s after the mend${after === Effect.void ? "" : panel}`
  )
})

const isRed = (samples: ReadonlyArray<{ readonly labels: Readonly<Record<string, string>>; readonly value: number }>) =>
  samples.some(({ labels, value }) => labels["error_type"] !== "none" && value > 0)

/** The panel of errors is red while a part is away, with the other's as it was, and comes back. */
const panelsOf = ({ metrics }: Stack, errors: string, others: string, reason: string) => ({
  red: Effect.gen(function* () {
    yield* eventually(`${errors} to be red`, metrics.query(askedBy(errors, watched)), isRed)
    yield* demand(!isRed(yield* metrics.query(askedBy(others, watched))), `${others} is red too`)
    yield* eventually(`the reason ${reason}`, metrics.query(askedBy("Passes are stopped by", watched)), (samples) =>
      samples.some(({ labels }) => labels["reason"] === reason)
    )
  }),
  back: Effect.andThen(
    eventually(
      `${errors} to come back`,
      metrics.query(askedBy(errors, watched)),
      (samples) => samples.length > 0 && !isRed(samples)
    ),
    eventually("no reason", metrics.query(askedBy("Passes are stopped by", watched)), (samples) =>
      samples.some(({ labels }) => labels["reason"] === "nothing")
    )
  )
})

/** As an operator would move them out of the way. */
const forget = ({ sql }: World) =>
  Effect.all([sql`delete from ${sql("runtime_records")}`, sql`delete from ${sql("cleanup_backoff")}`])

/**
 * Takes the database, the engine, a replica, the service and Jaeger away, one after the other, and makes games fail: the
 * panels turn red and come back, and every alert fires and ends, except for `CleanupPausedLong`, which would take 24 minutes.
 * All times of the rules are a sixtieth.
 */
export const everyAlert = Effect.fnUntraced(function* (stack: Stack) {
  const here = yield* world()
  const { url } = yield* PostgresServer
  const database = yield* makeSwitch
  const engine = yield* makeSwitch
  const postgres = yield* makePostgresProxy(url, database.gate)
  const { socketPath } = yield* EngineProxy.serve(here.engine.host, { age: "40 days", gate: engine.gate })
  const telemetry = { OTEL_EXPORTER_OTLP_ENDPOINT: stack.otlp, OTEL_METRIC_EXPORT_INTERVAL: "500" }
  const running = yield* Ref.make<ReadonlyArray<Process>>([])
  const replica = start(["serve"], {
    ...here.env,
    ...telemetry,
    RTMANAGER_DATABASE_URL: Redacted.value(postgres.url),
    OTEL_SERVICE_NAME: name,
    OTEL_RESOURCE_ATTRIBUTES: `service.namespace=${namespace}`,
    DOCKER_HOST: `unix://${socketPath}`,
    RTMANAGER_CLEANUP_INTERVAL: "2s"
  }).pipe(Effect.tap((process) => Ref.update(running, (others) => [process, ...others])))
  const kill = (count: number) =>
    Effect.flatMap(
      Ref.modify(running, (all) => [all.slice(0, count), all.slice(count)]),
      (processes) => Effect.forEach(processes, (process) => Effect.andThen(process.signal("SIGKILL"), process.ended))
    )
  yield* replica
  yield* replica
  const succeeded = stack.metrics.query(`rtmanager_cleanup_pass_last_success_seconds{job="${watched}"}`)
  yield* eventually("a success of both replicas", succeeded, ({ length }) => length === 2)

  const ofDatabase = panelsOf(stack, "Database errors", "Engine errors", "database_down")
  const ofEngine = panelsOf(stack, "Engine errors", "Database errors", "engine_down")
  const [known] = yield* here.sql<{ id: string }>`select identity as id from cleanup_engines`
  const accept = (id: string) => here.sql`update cleanup_engines set identity = ${id}`
  const failing = Effect.gen(function* () {
    for (const i of [1, 2, 3, 4, 5, 6, 7, 8]) yield* game(here, `running-${i}`, "running")
    yield* game(here, "mismatched", "exited", { label: "another" })
    const stopped = {
      status: "stopped",
      containerId: "c".repeat(64),
      imageRef: null,
      hold: null,
      lastOpAt: micros(Date.now() - 40 * 86_400_000)
    }
    const backoff = { attempts: stuckAfter, nextAttemptAt: Date.now() + 86_400_000, lastError: "engine_error" }
    yield* here.store.put({ ...stopped, gameId: "stuck", engine: defaultEngine, backoff })
    yield* here.store.put({ ...stopped, gameId: "elsewhere", engine: "nobodys", backoff: null })
  })

  const seen = [
    yield* lives(stack, ["CleanupDependencyDown", "CleanupStalled", "CleanupBacklogUnknown"], {
      begin: database.away,
      during: ofDatabase.red,
      end: database.back,
      after: ofDatabase.back
    }),
    yield* lives(stack, ["CleanupDependencyDown", "CleanupBacklogAgeing"], {
      begin: Effect.andThen(engine.away, game(here, "due", "exited")),
      during: ofEngine.red,
      end: engine.back,
      after: ofEngine.back
    }),
    yield* lives(stack, ["CleanupPassRefused"], { begin: accept("another/engine"), end: accept(known?.id ?? "") }),
    yield* lives(stack, ["CleanupFailures", "CleanupSeriousError", "CleanupGamesStuck", "CleanupEngineUnknown"], {
      begin: failing,
      end: forget(here)
    }),
    yield* lives(stack, ["CleanupReplicaGone"], { begin: kill(1), end: replica }),
    yield* lives(stack, ["CleanupAbsent"], { begin: kill(2), end: replica }),
    yield* lives(stack, ["TelemetryDown"], {
      begin: stack.jaeger.stop("SIGTERM"),
      end: stack.jaeger.start,
      labels: 'job="jaeger"'
    }),
    yield* gaugesAreTrue(stack, telemetry)
  ]
  yield* kill(1)
  return seen.flat()
})
