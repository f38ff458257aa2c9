import { assert, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { describeEngine } from "../support/docker.ts"
import { allowedRequest } from "../support/EngineProxy.ts"
import { game, layerEngine, type World, world } from "../support/e2e.ts"
import { addressOf, hostAndPort, urlWith } from "../support/externalServer.ts"
import * as FaultProxy from "../support/FaultProxy.ts"
import { makeOtlpSink } from "../support/OtlpSink.ts"
import { PostgresServer, postgresServer } from "../support/postgres.ts"
import { command, start } from "../support/service.ts"

/** When a fault strikes: with these words on their way to the server, and their answer still to come. */
const moments = {
  engine: [
    { matching: /^GET \/containers\/[0-9a-f]{64}\/json/, count: 1 },
    { matching: /^DELETE/, count: 2 }
  ],
  database: [
    { matching: /insert into \S+\.game_leases/, count: 1 },
    { matching: /the container was removed/, count: 2 }
  ]
}

/**
 * One pass for each moment, but one alone where it comes to its end and leaves nothing for another, and where a database
 * that never answers takes it a quarter of a minute.
 */
const momentsOf = (faulty: keyof typeof moments, fault: FaultProxy.Fault) => {
  if (fault === "latency" || fault === "slow") return moments[faulty].slice(0, 1)
  return faulty === "database" && (fault === "half_open" || fault === "hang")
    ? moments[faulty].slice(1)
    : moments[faulty]
}

const records = ({ sql }: World) =>
  sql<{ gameId: string; status: string; row: string }>`
    select game_id as "gameId", status, r::text as row from runtime_records r order by 1`

/** Games that must go, and three whose containers must stay. No other test has their names: it has the same engine. */
const populate = Effect.fnUntraced(function* (here: World, name: string, count: number) {
  const expired = Array.from({ length: count }, (_, index) => `${name}-${index}`)
  const kept = { running: `${name}-running`, label: `${name}-of-somebody-else`, young: `${name}-young` }
  yield* Effect.all(
    [
      ...expired.map((gameId, index) => game(here, gameId, index % 3 === 0 ? "exited" : "created")),
      game(here, kept.running, "running"),
      game(here, `${name}-mislabelled`, "exited", { label: kept.label }),
      game(here, kept.young, "exited", { daysAgo: 3 })
    ],
    { concurrency: 3, discard: true }
  )
  return { expired, kept: Object.values(kept), before: yield* records(here) }
})

type Games = Effect.Success<ReturnType<typeof populate>>

/** So that a pass which gets no answers ends soon. Whoever is healthy may be slow, as on a busy machine. */
const impatient = {
  engine: { RTMANAGER_ENGINE_TIMEOUT: "1s", RTMANAGER_GAME_LEASE_TTL: "16s", RTMANAGER_CLEANUP_CONCURRENCY: "2" },
  database: { RTMANAGER_DATABASE_TIMEOUT: "2s", RTMANAGER_CLEANUP_CONCURRENCY: "2" }
}

/** A pass in a process of its own, which ends by itself and as documented, whatever happens. */
const pass = Effect.fnUntraced(function* (env: Readonly<Record<string, string>>) {
  const ended = yield* Effect.timeout(command(["run", "--json"], env), "4 minutes")
  const crashes = ended.log.map((line) => JSON.stringify(line)).filter((line) => /defect|(\\n|") +at /.test(line))
  assert.deepStrictEqual(crashes, [])
  assert.include([0, 1, 3, 4], ended.code)
  const report = JSON.parse(ended.stdout)
  const outcomes = Object.values<number>(report.outcomes).reduce((sum, count) => sum + count, 0)
  assert.strictEqual(report.listed, report.undecodable + report.not_attempted + outcomes)
  assert.notProperty(report.error_codes, "internal_error")
  return { code: ended.code, report }
})

/** What must be true after any pass. Returns the games whose records have moved. */
const check = Effect.fnUntraced(function* (here: World, { before, expired, kept }: Games) {
  const left = (yield* here.engine.left).map(({ gameId }) => gameId)
  assert.includeMembers(left, kept)
  const after = yield* records(here)
  const removed = after.filter(({ status }) => status === "removed").map(({ gameId }) => gameId)
  assert.includeMembers(expired, removed)
  const others = (rows: typeof after) => rows.filter(({ gameId }) => !removed.includes(gameId))
  assert.deepStrictEqual(others(after), others(before))
  assert.deepStrictEqual(
    removed.filter((gameId) => left.includes(gameId)),
    []
  )
  const successes = yield* here.sql<{ gameId: string }>`
    select game_id as "gameId" from operation_log where outcome = 'success' order by 1`
  assert.deepStrictEqual(
    successes.map(({ gameId }) => gameId),
    removed
  )
  assert.deepStrictEqual(
    here.proxy.requests.filter((request) => !allowedRequest.test(request)),
    []
  )
  return removed
})

/** As if the leases had run out and the games that failed could be tried again. */
const later = ({ sql }: World) =>
  Effect.andThen(
    sql`update game_leases set expires_at = clock_timestamp()`,
    sql`update cleanup_backoff set next_attempt_at = clock_timestamp()`
  )

/** One faulty pass after another, each on what the last one left, and then a healthy one. */
const survives = Effect.fnUntraced(
  function* (faulty: keyof typeof moments, fault: FaultProxy.Fault) {
    const here = yield* world()
    const games = yield* populate(here, `${faulty}-${fault}`, 6)
    const { url } = yield* PostgresServer
    const database = yield* FaultProxy.serve(addressOf(url), "tcp")
    const engine = yield* FaultProxy.serve({ path: here.proxy.socketPath }, "unix")
    const env = {
      ...here.env,
      RTMANAGER_DATABASE_URL: Redacted.value(urlWith(url, hostAndPort(database.address))),
      DOCKER_HOST: `unix://${engine.address}`
    }
    const proxy = { database, engine }[faulty]
    const faultyPass = Effect.fnUntraced(function* (moment: FaultProxy.Moment | undefined) {
      proxy.inject(fault, moment)
      const { report } = yield* pass({ ...env, ...impatient[faulty] })
      const isStruck = proxy.hits() > 0
      yield* Effect.all([database.idle, engine.idle, here.proxy.idle])
      yield* check(here, games)
      proxy.heal()
      yield* later(here)
      return { isStruck, report }
    })
    for (const moment of momentsOf(faulty, fault)) {
      // On a loaded machine the impatient pass may give up before its moment has come.
      const { isStruck, report } = yield* Effect.repeat(faultyPass(moment), {
        until: ({ isStruck }) => isStruck,
        times: 5
      })
      assert.isTrue(isStruck, `the fault did not strike: ${JSON.stringify(report)}`)
    }
    const { code, report } = yield* pass(env)
    assert.deepStrictEqual(report.error_codes, { container_running: 1, identity_mismatch: 1 })
    assert.strictEqual(code, 1)
    assert.deepStrictEqual(yield* check(here, games), games.expired)
  },
  (test) => Effect.provide(test, Layer.fresh(layerEngine))
)

/** The collector is none of a pass's business: it removes all that it would without one, and its end is not held up. */
const unaffected = Effect.fnUntraced(
  function* (fault: FaultProxy.Fault) {
    const here = yield* world()
    const games = yield* populate(here, `collector-${fault}`, 2)
    const sink = yield* makeOtlpSink()
    const collector = yield* FaultProxy.serve({ host: "127.0.0.1", port: Number(new URL(sink.endpoint).port) }, "tcp")
    collector.inject(fault)
    const env = {
      ...here.env,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://${collector.address}`,
      // As long as it would take if nothing else bounded it.
      OTEL_EXPORTER_OTLP_TIMEOUT: "60000"
    }
    const service = yield* start(["run"], env)
    yield* service.event("cleanup.pass.partial")
    const { code } = yield* Effect.timeout(service.ended, "30 seconds")
    assert.isAbove(collector.hits(), 0)
    assert.strictEqual(code, 1)
    assert.deepStrictEqual(yield* check(here, games), games.expired)
  },
  (test) => Effect.provide(test, Layer.fresh(layerEngine))
)

const words: Record<FaultProxy.Fault, string> = {
  latency: "answers late",
  reset: "resets every connection",
  half_open: "is cut off without a word",
  slow: "answers a few bytes at a time",
  truncated: "breaks its answers off",
  garbage: "answers with garbage",
  "5xx": "hides behind a proxy that answers 503",
  hang: "takes requests and never answers"
}

describeEngine("run, when the bytes between the parts go wrong", () => {
  const layer = { excludeTestServices: true, concurrent: true } as const
  it.layer(postgresServer(), layer)("removes nothing that must stay and finishes afterwards", (it) => {
    for (const fault of FaultProxy.faults.filter((fault) => fault !== "5xx")) {
      it.effect(`event 17: where the database ${words[fault]}`, () => survives("database", fault))
    }
    for (const fault of FaultProxy.faults) {
      it.effect(`event 14: where the engine ${words[fault]}`, () => survives("engine", fault))
    }
    for (const fault of ["reset", "half_open", "slow", "5xx", "hang"] as const) {
      it.effect(`event 23: at once, where the collector ${words[fault]}`, () => unaffected(fault))
    }
  })
})
