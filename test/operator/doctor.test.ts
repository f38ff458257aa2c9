import { assert, describe } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as Memory from "../../src/adapters/memory/ContainerEngine.ts"
import type { Check } from "../../src/domain/Check.ts"
import { EngineId } from "../../src/domain/EngineId.ts"
import { doctor, TelemetryProbe } from "../../src/operator/doctor.ts"
import { ContainerEngineError, UnexpectedAnswer } from "../../src/ports/ContainerEngine.ts"
import { RoleRights } from "../../src/ports/RoleRights.ts"
import { CannotRecord, NotMigrated, StoreError, UnsafeSession } from "../../src/ports/StoreError.ts"
import { StoreState } from "../adapters/memory/StoreState.ts"
import { atEngine, inWorld, runOnce, seed, settings, storeDown, unreachable } from "../support/world.ts"

interface Outside {
  readonly missing?: ReadonlyArray<string>
  readonly otel?: Parameters<typeof doctor>[0]["otel"]
  readonly send?: TelemetryProbe["Service"]["send"]
}

const off = { traces: undefined, metrics: undefined, logs: undefined }

const look = ({ missing = [], otel = off, send = () => Effect.void }: Outside = {}) =>
  doctor({ ...settings, otel }).pipe(
    Effect.provideService(RoleRights, { look: Effect.succeed({ role: "cleaner", missing }) }),
    Effect.provideService(TelemetryProbe, { send })
  )

const results = (found: ReadonlyArray<Check>) =>
  Object.fromEntries(found.map(({ check, result }) => [check, result] as const))

const named = (found: ReadonlyArray<Check>, name: Check["check"]) => {
  const one = found.find(({ check }) => check === name)
  assert(one !== undefined)
  return one
}

/** What the database says when it is asked for its clock. */
const databaseSays = (error: StoreError) =>
  Effect.map(StoreState, (state) => {
    state.intercept = (operation) => (operation === "clock" ? Effect.fail(error) : Effect.void)
  })

const failure = (reason: StoreError["reason"]) => new StoreError({ operation: "clock", reason })

describe("doctor", () => {
  inWorld("finds everything in order, with what it has seen", function* () {
    yield* seed("a", 1)
    yield* seed("b", 2)
    const otel = { ...off, traces: "http://collector:4318/v1/traces" }
    const found = yield* look({ otel })
    assert.deepStrictEqual(results(found), {
      database: "ok",
      schema: "ok",
      rights: "ok",
      recording: "ok",
      clock: "ok",
      engine: "ok",
      label: "ok",
      requests: "ok",
      traces: "ok",
      metrics: "skipped",
      logs: "skipped"
    })
    assert.include(named(found, "recording").message, "game a")
    assert.include(named(found, "label").message, "2 of 2")
    assert.deepStrictEqual(
      found.filter(({ mend }) => mend !== null),
      []
    )
  })

  inWorld("changes nothing", function* () {
    yield* seed("a", 1)
    const state = yield* StoreState
    yield* look()
    assert.strictEqual(state.records.get("a")?.status, "stopped")
    assert.strictEqual((yield* (yield* Memory.MemoryEngine).containers).length, 1)
    assert.deepStrictEqual([state.log.length, state.leases.size, state.engines.size], [0, 0, 0])
  })

  inWorld("asks nothing more of a database that does not answer", function* () {
    yield* databaseSays(storeDown)
    const found = yield* look()
    const { clock, database, engine, label, recording, requests, rights, schema } = results(found)
    assert.strictEqual(database, "wrong")
    assert.deepStrictEqual(
      new Set<string | undefined>([schema, rights, recording, clock, engine, label]),
      new Set<string | undefined>(["skipped"])
    )
    assert.strictEqual(requests, "ok")
    assert.include(named(found, "database").mend, "RTMANAGER_DATABASE_URL")
  })

  for (const [what, reason, mend] of [
    ["an old schema", new NotMigrated({ detail: "the schema is at version 3" }), /migrate/],
    ["a session without its settings", new UnsafeSession({ detail: "lock_timeout is off" }), /pooler/],
    ["rows that are hidden from it", new CannotRecord({ detail: "row level security" }), /every row/]
  ] as const) {
    inWorld(`tells ${what} from a database that is away`, function* () {
      yield* databaseSays(failure(reason))
      const found = yield* look()
      assert.strictEqual(named(found, "database").result, "ok")
      assert.strictEqual(named(found, "schema").result, "wrong")
      assert.match(named(found, "schema").mend ?? "", mend)
    })
  }

  inWorld("names the rights that the role lacks", function* () {
    const { mend, message, result } = named(yield* look({ missing: ["insert on operation_log"] }), "rights")
    assert.strictEqual(result, "wrong")
    assert.strictEqual(message, "role cleaner lacks insert on operation_log")
    assert.include(mend, "deploy/roles.sql")
  })

  inWorld("says in the database's words why a removal would not be recorded", function* () {
    yield* seed("a", 1)
    ;(yield* StoreState).swallows = true
    const { message, result } = named(yield* look(), "recording")
    assert.strictEqual(result, "wrong")
    assert.include(message, "swallowed")
  })

  inWorld("finds clocks that are apart", function* () {
    const state = yield* StoreState
    state.clockOffset = Duration.hours(1)
    assert.include(named(yield* look(), "clock").message, "behind the database's")
  })

  inWorld("asks nothing more of an engine that does not answer", function* () {
    yield* atEngine("identity", Effect.fail(unreachable))
    const found = yield* look()
    const { database, engine, label, requests } = results(found)
    assert.deepStrictEqual([database, engine, label, requests], ["ok", "wrong", "skipped", "skipped"])
    assert.include(named(found, "engine").mend, "DOCKER_HOST")
  })

  inWorld("finds another engine than the known one", function* () {
    yield* runOnce
    yield* (yield* Memory.MemoryEngine).setIdentity(EngineId.make("other/none"))
    const { message, result } = named(yield* look(), "engine")
    assert.strictEqual(result, "wrong")
    assert.include(message, "other/none")
  })

  inWorld("finds a label that no container carries", function* () {
    yield* seed("a", 1, { container: { gameId: null } })
    const { mend, result } = named(yield* look(), "label")
    assert.strictEqual(result, "wrong")
    assert.include(mend, "RTMANAGER_GAME_LABEL")
  })

  inWorld("finds a proxy that lets no removal pass, and names the request", function* () {
    const refusal = new UnexpectedAnswer({ status: 403, detail: "the proxy answered 403" })
    yield* atEngine("remove", Effect.fail(new ContainerEngineError({ operation: "remove", reason: refusal })))
    const { message, result } = named(yield* look(), "requests")
    assert.strictEqual(result, "wrong")
    assert.match(message, /^DELETE \/containers\/\{id\}: /)
  })

  inWorld("says which receiver does not take its signal, and why", function* () {
    const otel = { traces: "http://one:4318/v1/traces", metrics: "http://two:4318/v1/metrics", logs: undefined }
    const found = yield* look({
      otel,
      send: (signal) => (signal === "metrics" ? Effect.fail(new Error("401 Unauthorized")) : Effect.void)
    })
    assert.strictEqual(named(found, "traces").result, "ok")
    assert.strictEqual(named(found, "metrics").message, "http://two:4318/v1/metrics: 401 Unauthorized")
  })
})
