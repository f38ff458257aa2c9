import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import fc from "fast-check"
import { MemoryEngine } from "../../../src/adapters/memory/ContainerEngine.ts"
import { CleanupPass } from "../../../src/cleanup/pass/CleanupPass.ts"
import { plan } from "../../../src/cleanup/pass/CleanupPlan.ts"
import { planOf, Selection } from "../../../src/cleanup/pass/Selection.ts"
import { Author } from "../../../src/domain/Act.ts"
import type { Container } from "../../../src/domain/Container.ts"
import { ContainerId } from "../../../src/domain/ContainerId.ts"
import { type GameEnd, notDoneOf } from "../../../src/domain/NotDone.ts"
import type { PlanRow } from "../../../src/domain/PlanFile.ts"
import type { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import { StoreState } from "../../adapters/memory/StoreState.ts"
import { micros } from "../../support/records.ts"
import {
  atEngine,
  containerId,
  cutoff,
  inWorld,
  layerWorld,
  now,
  seed,
  seedMany,
  settings,
  storeDown,
  unreachable
} from "../../support/world.ts"

const author = Author.make("ann@desk")

/** The report of a pass over this selection, and what it told of each game. */
const pass = Effect.fnUntraced(function* (selection: Selection) {
  const ends: Array<GameEnd> = []
  const report = yield* (yield* CleanupPass).runOnce({
    trigger: "manual",
    selection,
    onGame: (end) => Effect.sync(() => void ends.push(end))
  })
  return { report, ends }
})

const clean = (gameId: string) => pass(Selection.Game({ gameId, author, opSource: "admin_cli" }))

/** What is left, of all records and containers. */
const left = Effect.gen(function* () {
  const containers = yield* (yield* MemoryEngine).containers
  const { records } = yield* StoreState
  return {
    containers: containers.map(({ gameId }) => gameId).sort(),
    removed: [...records.values()].filter(({ status }) => status === "removed").map(({ gameId }) => gameId)
  }
})

const young = { lastOpAt: micros(now - 1000) }

describe("a pass over one game by hand", () => {
  inWorld("removes it however young it is, and no other, and keeps who asked", function* () {
    yield* seed("young", 1, { record: young, container: { finishedAt: now - 1000 } })
    yield* seed("due", 2)
    const { ends, report } = yield* clean("young")
    assert.deepInclude(report, { result: "success", listed: 1 })
    assert.deepStrictEqual(
      ends.map((end) => "outcome" in end && end.outcome),
      ["removed"]
    )
    assert.deepStrictEqual(yield* left, { containers: ["due"], removed: ["young"] })
    const { log } = yield* StoreState
    assert.deepStrictEqual(
      log.map(({ gameId, opSource, sourceRef }) => [gameId, opSource, sourceRef]),
      [["young", "admin_cli", "ann@desk"]]
    )
  })

  inWorld.each([
    ["backs off", { backoff: { attempts: 3, nextAttemptAt: now + 60_000, lastError: "engine_error" } }, {}],
    ["has no time", { lastOpAt: null }, {}],
    ["names no container", { ...young, containerId: null }, null]
  ] as const)("does so too if it %s", function* ([, record, container]) {
    yield* seed("game", 1, { record, container })
    assert.deepInclude((yield* clean("game")).report, { result: "success", listed: 1 })
    assert.deepStrictEqual((yield* left).removed, ["game"])
  })

  inWorld.each<readonly [string, Partial<RuntimeRecord>, Partial<Container>, string, string]>([
    ["its container runs", young, { state: "running" }, "failed", "container_running"],
    ["its container is paused", young, { state: "paused" }, "failed", "container_running"],
    ["its container has another game's label", young, { gameId: "other" }, "failed", "identity_mismatch"],
    ["its container has no label", young, { gameId: null }, "failed", "identity_mismatch"],
    ["its container is of the future", young, { finishedAt: now + 3_600_000 }, "failed", "engine_clock"],
    ["it is still played", { status: "running" }, {}, "conflict", "record_moved"],
    ["it is on another engine", { engine: "host-1" }, {}, "conflict", "record_moved"],
    ["its record names no full id", { containerId: "postgres" }, {}, "failed", "invalid_container_id"],
    ["it is removed already", { status: "removed" }, {}, "replay_no_op", "replay_no_op"]
  ])("keeps the container if %s", function* ([, record, container, outcome, code]) {
    yield* seed("game", 1, { record, container })
    const [end] = (yield* clean("game")).ends
    assert(end !== undefined && "outcome" in end)
    assert.deepStrictEqual([end.outcome, end.errorCode], [outcome, code])
    assert.lengthOf((yield* left).containers, 1)
    assert.isFalse((yield* (yield* MemoryEngine).calls).some(({ operation }) => operation === "remove"))
  })

  inWorld("leaves a leased game to the holder of its lease", function* () {
    yield* seed("game", 1)
    ;(yield* StoreState).setLease("game", { owner: "another", token: 1n, expiresAt: Infinity })
    assert.deepInclude((yield* clean("game")).ends[0], { outcome: "conflict", errorCode: "lease_busy" })
    assert.lengthOf((yield* left).containers, 1)
  })

  inWorld("says that a game has no record, and begins with none", function* () {
    yield* seed("other", 1)
    const { ends, report } = yield* clean("nobody")
    assert.deepInclude(report, { result: "success", listed: 0 })
    assert.deepStrictEqual(ends, [{ gameId: "nobody", why: "gone", message: "there is no record of game nobody" }])
  })

  inWorld("says that a record does not decode", function* () {
    yield* seed("odd", 1)
    const state = yield* StoreState
    const odd = state.records.get("odd")
    if (odd !== undefined) state.setRecord("odd", { ...odd, problem: "is odd" })
    const { ends, report } = yield* clean("odd")
    assert.deepInclude(report, { listed: 1, undecodable: 1 })
    assert.deepInclude(ends[0], { why: "changed", message: "the record does not decode: game odd: is odd" })
  })

  inWorld.with({ mode: "dry_run" })("tries it out without touching anything", function* () {
    yield* seed("young", 1, { record: young, container: { finishedAt: now - 1000 } })
    const { ends } = yield* clean("young")
    assert.deepInclude(ends[0], { outcome: "removed", message: "a person asks for it" })
    assert.deepStrictEqual(yield* left, { containers: ["young"], removed: [] })
  })

  inWorld("is rehearsed with that game, and refused if its removal would not be recorded", function* () {
    yield* seed("young", 1, { record: young, container: { finishedAt: now - 1000 } })
    ;(yield* StoreState).swallows = true
    assert.deepInclude((yield* clean("young")).report, { reason: "cannot_record" })
    assert.lengthOf((yield* left).containers, 1)
  })
})

/** The rows of these games, as they are shown now. */
const shown = Effect.fnUntraced(function* (...gameIds: ReadonlyArray<string>) {
  const { records } = yield* StoreState
  return gameIds.map((gameId): PlanRow => {
    const record = records.get(gameId)
    const id = record?.containerId ?? null
    return {
      gameId,
      containerId: id === null ? null : ContainerId.make(id),
      lastOpAt: record?.lastOpAt ?? 0n,
      action: "remove",
      rule: "retention 30d"
    }
  })
})

const change = Effect.fnUntraced(function* (gameId: string, changes: Partial<RuntimeRecord>) {
  const state = yield* StoreState
  const record = state.records.get(gameId)
  assert.isDefined(record)
  state.setRecord(gameId, { ...record, ...changes })
})

const apply = (rows: ReadonlyArray<PlanRow>) => pass(planOf(rows, { author, opSource: "admin_cli" }))

const whyNot = (ends: ReadonlyArray<GameEnd>) =>
  ends.flatMap((end) => {
    const one = notDoneOf(end)
    return one === undefined ? [] : [[one.gameId, one.why]]
  })

describe("a pass over a plan's games", () => {
  inWorld.with({ pageSize: 2 })("touches what is as shown and due, and nothing else (S14)", function* () {
    yield* seedMany(9)
    yield* seed("unlisted", 20)
    const rows = yield* shown(...Array.from({ length: 9 }, (_, i) => `game-${i}`), "nowhere")
    yield* change("game-1", { status: "removed" })
    yield* change("game-2", { status: "running" })
    yield* change("game-3", { containerId: containerId("b") })
    yield* change("game-4", { lastOpAt: micros(cutoff - 1) })
    yield* change("game-5", { engine: "host-1" })
    ;(yield* StoreState).setBackoff("game-6", { attempts: 1, nextAttemptAt: now + 1, lastError: "engine_error" })
    ;(yield* StoreState).setRecord("game-7", undefined)
    const { ends, report } = yield* apply(rows)
    assert.deepStrictEqual(whyNot(ends), [
      ["game-1", "gone"],
      ["game-2", "changed"],
      ["game-3", "changed"],
      ["game-4", "changed"],
      ["game-5", "changed"],
      ["game-6", "no_longer_due"],
      ["game-7", "gone"],
      ["nowhere", "gone"]
    ])
    assert.deepInclude(report, { result: "success", listed: 2 })
    assert.deepStrictEqual(
      (yield* StoreState).log.map(({ gameId, opSource, sourceRef }) => [gameId, opSource, sourceRef]).sort(),
      [
        ["game-0", "admin_cli", "ann@desk"],
        ["game-8", "admin_cli", "ann@desk"]
      ]
    )
    assert.include((yield* left).containers, "unlisted")
    assert.strictEqual((yield* left).containers.length, 8)
  })

  inWorld("keeps what the present retention keeps, although the plan shows it", function* () {
    yield* seed("young", 1, { record: { lastOpAt: micros(cutoff) } })
    const { ends } = yield* apply(yield* shown("young"))
    assert.deepInclude(ends[0], { why: "no_longer_due", message: `due at ${new Date(now).toISOString()}` })
    assert.lengthOf((yield* left).containers, 1)
  })

  inWorld.each([
    ["with another container", { containerId: containerId("b") }],
    ["at another time, still due", { lastOpAt: micros(cutoff - 5) }]
  ] as const)("keeps a game that was started and stopped again %s right before its lease", function* ([, changes]) {
    yield* seed("game", 1)
    const rows = yield* shown("game")
    const state = yield* StoreState
    state.intercept = (operation) =>
      operation === "acquire" ? Effect.provideService(change("game", changes), StoreState, state) : Effect.void
    const { ends } = yield* apply(rows)
    assert.deepInclude(ends[0], { outcome: "conflict", errorCode: "record_moved" })
    assert.match(ends[0]?.message ?? "", /changed since it was shown/)
    assert.deepStrictEqual(whyNot(ends), [["game", "changed"]])
    assert.lengthOf((yield* left).containers, 1)
  })

  inWorld("keeps a container that changed after the cutoff, although its record is as shown", function* () {
    yield* seed("game", 1, { container: { finishedAt: cutoff } })
    const { ends } = yield* apply(yield* shown("game"))
    assert.deepInclude(ends[0], { outcome: "conflict", errorCode: "too_recent" })
    assert.lengthOf((yield* left).containers, 1)
  })

  inWorld.with({ maxRemovals: 2, pageSize: 2 })("attempts no more than it may", function* () {
    yield* seedMany(5)
    const rows = yield* shown(...Array.from({ length: 5 }, (_, i) => `game-${i}`))
    yield* change("game-0", { status: "running" })
    const { ends, report } = yield* apply(rows)
    assert.strictEqual(report.outcomes.removed, 2)
    assert.deepStrictEqual(whyNot(ends), [["game-0", "changed"]])
    assert.lengthOf((yield* left).containers, 3)
  })

  inWorld("is ended by an engine or a database that is away, and begins with no game", function* () {
    yield* seedMany(2)
    const rows = yield* shown("game-0", "game-1")
    ;(yield* StoreState).intercept = (operation) => (operation === "find" ? storeDown : Effect.void)
    assert.deepInclude((yield* apply(rows)).report, { reason: "database_down", listed: 0 })
    ;(yield* StoreState).intercept = () => Effect.void
    yield* atEngine("identity", unreachable)
    assert.deepInclude((yield* apply(rows)).report, { reason: "engine_down", listed: 0 })
  })

  inWorld("has no game and nothing to do", function* () {
    yield* seedMany(2)
    assert.deepInclude((yield* apply([])).report, { result: "success", listed: 0 })
    assert.lengthOf((yield* left).containers, 2)
  })
})

describe("what a plan shows", () => {
  interface Game {
    readonly record: Partial<RuntimeRecord>
    readonly container: Partial<Container> | null
  }

  const record = fc.record<Partial<RuntimeRecord>>(
    {
      status: fc.constantFrom("stopped", "stopped", "stopped", "running", "removed", "odd"),
      engine: fc.constantFrom("default", "default", "default", "host-1"),
      lastOpAt: fc.oneof(
        fc.bigInt({ min: -5n, max: 5n }).map((offset) => micros(cutoff) + offset),
        fc.constantFrom(null, micros(now + 1000), 0n)
      ),
      containerId: fc.constantFrom(null, "../x", containerId("e")),
      backoff: fc.record({
        attempts: fc.integer({ min: 1, max: 12 }),
        nextAttemptAt: fc.constantFrom(now - 1, now, now + 1),
        lastError: fc.constant("engine_error")
      })
    },
    { requiredKeys: [] }
  )
  const container = fc.option(
    fc.record<Partial<Container>>(
      {
        state: fc.constantFrom("exited", "exited", "created", "dead", "running", "paused"),
        gameId: fc.constantFrom(null, "another"),
        finishedAt: fc.constantFrom(cutoff - 1, cutoff, now, now + 3_600_000)
      },
      { requiredKeys: [] }
    ),
    { freq: 5 }
  )
  const games = fc.array(fc.record<Game>({ record, container }), { maxLength: 12 })

  const planned = Effect.gen(function* () {
    const shown = yield* Stream.runCollect((yield* plan({ ...settings, pageSize: 3 })).games)
    return shown.flatMap(({ action, containerId, gameId, lastOpAt }): ReadonlyArray<PlanRow> => {
      if (action === "keep" || gameId === null || lastOpAt === null) return []
      return [
        { gameId, containerId: containerId === null ? null : ContainerId.make(containerId), lastOpAt, action, rule: "" }
      ]
    })
  })

  const removed = Effect.map(StoreState, ({ records }) =>
    [...records.values()].filter(({ status }) => status === "removed").map(({ gameId }) => gameId)
  )

  /** In a world of these games: those that the plan shows, and those that a pass then removes. */
  const compared = Effect.fnUntraced(function* (
    seeds: ReadonlyArray<Game>,
    selectionOf: (rows: ReadonlyArray<PlanRow>) => Selection
  ) {
    // Something speaks for the engine, so that absence is believed.
    yield* seed("live", 1000, { record: { status: "running" }, container: { state: "running" } })
    yield* Effect.forEach(seeds, ({ container, record }, i) => seed(`game-${i}`, i, { record, container }))
    const before = yield* removed
    const rows = yield* planned
    yield* pass(selectionOf(rows))
    const gone = (yield* removed).filter((gameId) => !before.includes(gameId))
    return { shown: rows.map(({ gameId }) => gameId).sort(), gone: gone.sort() }
  })

  it.effect("is what the next pass does, and what applying it does, in any world (S18)", () =>
    Effect.gen(function* () {
      const runPromise = Effect.runPromiseWith(yield* Effect.context<never>())
      const counts = { gone: 0, kept: 0 }
      const check = Effect.fnUntraced(function* (seeds: ReadonlyArray<Game>) {
        for (const selectionOf of [
          () => Selection.Due(),
          (rows: ReadonlyArray<PlanRow>) => planOf(rows, { author, opSource: "admin_cli" })
        ]) {
          const { gone, shown } = yield* Effect.provide(compared(seeds, selectionOf), layerWorld({ pageSize: 3 }))
          assert.deepStrictEqual(gone, shown)
          counts.gone += gone.length
          counts.kept += seeds.length - gone.length
        }
      })
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(games, (seeds) => runPromise(check(seeds))),
          { numRuns: 200 }
        )
      )
      assert.isAbove(counts.gone, 100)
      assert.isAbove(counts.kept, 100)
    })
  )
})
