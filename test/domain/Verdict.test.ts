import { assert, describe, it } from "@effect/vitest"
import { Duration, identity, Result } from "effect"
import type { Container } from "../../src/domain/Container.ts"
import { defaultEngine } from "../../src/domain/EngineName.ts"
import type { Refused } from "../../src/domain/Outcome.ts"
import type { RuntimeRecord } from "../../src/domain/RuntimeRecord.ts"
import { judgeContainer, judgeRecord } from "../../src/domain/Verdict.ts"
import { containerId } from "../support/records.ts"

const cutoff = Date.UTC(2026, 9, 1)
const now = cutoff + 30 * 86_400_000
const id = containerId("a")

const record = (changes: Partial<RuntimeRecord>): RuntimeRecord => ({
  gameId: "game",
  engine: defaultEngine,
  status: "stopped",
  containerId: id,
  imageRef: null,
  lastOpAt: BigInt(cutoff) * 1000n - 1n,
  backoff: null,
  hold: null,
  ...changes
})

const hold = { author: "ann", reason: "the players complain", until: new Date(now) }

const backedOffUntil = (nextAttemptAt: number) => ({ attempts: 1, nextAttemptAt, lastError: "engine_error" })

const container = (changes: Partial<Container>): Container => ({
  id,
  state: "exited",
  gameId: "game",
  createdAt: cutoff - 3000,
  startedAt: cutoff - 2000,
  finishedAt: cutoff - 1000,
  ...changes
})

const codeOf = <A>(verdict: Result.Result<A, Refused>, passed: (found: A) => string) =>
  Result.match(verdict, { onSuccess: passed, onFailure: ({ code }) => code })

describe("judgeRecord", () => {
  const cases: ReadonlyArray<readonly [name: string, record: RuntimeRecord | undefined, expected: string]> = [
    ["stopped and a microsecond older than the cutoff", record({}), id],
    ["exactly at the cutoff", record({ lastOpAt: BigInt(cutoff) * 1000n }), "record_moved"],
    ["a microsecond younger", record({ lastOpAt: BigInt(cutoff) * 1000n + 1n }), "record_moved"],
    ["without a time", record({ lastOpAt: null }), "record_moved"],
    ["that another has just tried", record({ backoff: backedOffUntil(now + 1) }), "lease_busy"],
    ["whose next attempt is now", record({ backoff: backedOffUntil(now) }), id],
    ["that a person holds", record({ hold }), "held"],
    ["that a person holds, however young", record({ hold, lastOpAt: null }), "held"],
    ["that a person holds and another has just tried", record({ hold, backoff: backedOffUntil(now + 1) }), "held"],
    ["that a person holds, of an id that is none", record({ hold, containerId: "" }), "held"],
    ["that a person holds, on another engine", record({ hold, engine: "host-1" }), "record_moved"],
    ["that a person holds but that runs", record({ hold, status: "running" }), "record_moved"],
    ["before 1970", record({ lastOpAt: -1n }), id],
    ["gone", undefined, "record_moved"],
    ["running", record({ status: "running" }), "record_moved"],
    ["on another engine", record({ engine: "host-1" }), "record_moved"],
    ["removed, on another engine", record({ engine: "host-1", status: "removed" }), "replay_no_op"],
    ["in a status that we do not know", record({ status: "Stopped " }), "record_moved"],
    ["removed", record({ status: "removed" }), "replay_no_op"],
    ["without a container", record({ containerId: null }), "no container"],
    ["with an empty container id", record({ containerId: "" }), "invalid_container_id"],
    ["with a short id", record({ containerId: "a".repeat(63) }), "invalid_container_id"],
    ["with a long id", record({ containerId: "a".repeat(65) }), "invalid_container_id"],
    ["with an upper-case id", record({ containerId: "A".repeat(64) }), "invalid_container_id"],
    ["with a name", record({ containerId: "postgres" }), "invalid_container_id"],
    ["with a path", record({ containerId: `../images/${"a".repeat(54)}` }), "invalid_container_id"],
    ["with a query", record({ containerId: `${id}?force=1` }), "invalid_container_id"],
    ["with a line break after the id", record({ containerId: `${id}\n` }), "invalid_container_id"],
    ["with full-width digits", record({ containerId: "１".repeat(64) }), "invalid_container_id"]
  ]
  it.each(cases)("a record %s", (_, subject, expected) => {
    assert.strictEqual(
      codeOf(
        judgeRecord(subject, { engineName: defaultEngine, moment: { now, cutoff } }),
        ({ containerId }) => containerId ?? "no container"
      ),
      expected
    )
  })

  it("escapes and cuts what it tells of a hostile id", () => {
    const verdict = judgeRecord(record({ containerId: `\u001b[2J${"x".repeat(100_000)}` }), {
      engineName: defaultEngine,
      moment: { now, cutoff }
    })
    assert(Result.isFailure(verdict))
    const { message } = verdict.failure
    assert.isTrue(message.length < 200 && !message.includes("\u001b"))
  })
})

describe("judgeRecord, by hand", () => {
  const cases: ReadonlyArray<readonly [name: string, record: RuntimeRecord | undefined, expected: string]> = [
    ["however young", record({ lastOpAt: BigInt(now) * 1000n }), id],
    ["without a time", record({ lastOpAt: null }), id],
    ["backed off", record({ backoff: backedOffUntil(now + 1) }), id],
    ["gone", undefined, "record_moved"],
    ["running", record({ status: "running" }), "record_moved"],
    ["on another engine", record({ engine: "host-1" }), "record_moved"],
    ["removed", record({ status: "removed" }), "replay_no_op"],
    ["with a name", record({ containerId: "postgres" }), "invalid_container_id"]
  ]
  it.each(cases)("skips age and backoff alone: a record %s", (_, subject, expected) => {
    const question = { engineName: defaultEngine, moment: { now, cutoff }, byHand: true }
    assert.strictEqual(
      codeOf(judgeRecord(subject, question), ({ containerId }) => containerId ?? "no container"),
      expected
    )
  })
})

describe("judgeRecord, after a plan", () => {
  const shown = { containerId: id, lastOpAt: BigInt(cutoff) * 1000n - 1n }
  const cases: ReadonlyArray<readonly [name: string, record: RuntimeRecord, expected: string]> = [
    ["as it was shown", record({}), id],
    ["with another container", record({ containerId: containerId("b") }), "record_moved"],
    ["without its container", record({ containerId: null }), "record_moved"],
    ["a microsecond older than it was shown", record({ lastOpAt: shown.lastOpAt - 1n }), "record_moved"],
    ["that has lost its time", record({ lastOpAt: null }), "record_moved"]
  ]
  it.each(cases)("passes only what did not change: a record %s", (_, subject, expected) => {
    const verdict = judgeRecord(subject, { engineName: defaultEngine, moment: { now, cutoff }, shown })
    assert.strictEqual(
      codeOf(verdict, ({ containerId }) => containerId ?? "no container"),
      expected
    )
    if (Result.isFailure(verdict)) assert.match(verdict.failure.message, /^it changed since it was shown: its /)
  })
})

describe("judgeContainer", () => {
  const cases: ReadonlyArray<readonly [name: string, container: Container, expected: string]> = [
    ["that exited a second before the cutoff", container({}), "removable"],
    ["that was never started", container({ state: "created", startedAt: null, finishedAt: null }), "removable"],
    ["that a killed engine left dead", container({ state: "dead" }), "removable"],
    ["that is being removed", container({ state: "removing" }), "removing"],
    ["that runs", container({ state: "running" }), "container_running"],
    ["that is paused", container({ state: "paused" }), "container_running"],
    ["that restarts", container({ state: "restarting" }), "container_running"],
    ["without the label", container({ gameId: null }), "identity_mismatch"],
    ["of another game", container({ gameId: "game2" }), "identity_mismatch"],
    ["of another game that runs", container({ gameId: "game2", state: "running" }), "identity_mismatch"],
    ["created at the cutoff", container({ createdAt: cutoff }), "too_recent"],
    ["started at the cutoff", container({ startedAt: cutoff }), "too_recent"],
    ["finished at the cutoff", container({ finishedAt: cutoff }), "too_recent"],
    ["finished a millisecond before it", container({ finishedAt: cutoff - 1 }), "removable"],
    ["a minute in the future", container({ finishedAt: now + 60_000 }), "too_recent"],
    ["more than a minute in the future", container({ finishedAt: now + 60_001 }), "engine_clock"],
    ["being removed but too recent", container({ state: "removing", finishedAt: cutoff }), "too_recent"]
  ]
  it.each(cases)("a container %s", (_, subject, expected) => {
    assert.strictEqual(
      codeOf(judgeContainer(subject, { gameId: "game", cutoff, now, maxClockSkew: Duration.minutes(1) }), identity),
      expected
    )
  })

  it.each([
    ["however young", container({ finishedAt: now }), "removable"],
    ["that runs", container({ state: "running" }), "container_running"],
    ["that is paused", container({ state: "paused" }), "container_running"],
    ["of another game", container({ gameId: "another" }), "identity_mismatch"],
    ["without a label", container({ gameId: null }), "identity_mismatch"],
    ["of the future", container({ finishedAt: now + 60_001 }), "engine_clock"]
  ])("skips by hand the age alone: a container %s", (_, subject, expected) => {
    const game = { gameId: "game", cutoff, now, maxClockSkew: Duration.minutes(1), byHand: true }
    assert.strictEqual(codeOf(judgeContainer(subject, game), identity), expected)
  })
})
