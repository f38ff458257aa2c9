import { assert, describe } from "@effect/vitest"
import { Duration, Effect, Fiber, Result } from "effect"
import { TestClock } from "effect/testing"
import { MemoryEngine } from "../../../src/adapters/memory/ContainerEngine.ts"
import { type OpenOptions, openPass } from "../../../src/cleanup/pass/openPass.ts"
import { Author } from "../../../src/domain/Act.ts"
import { EngineId } from "../../../src/ports/ContainerEngine.ts"
import { Pauses } from "../../../src/ports/Pauses.ts"
import { StoreState } from "../../adapters/memory/StoreState.ts"
import { inWorld, maxClockSkew, moment, now, retention, seed, seedMany } from "../../support/world.ts"

const open = (options?: Partial<OpenOptions>) =>
  Effect.flatMap(openPass, (open) => open({ retention, maxClockSkew, touch: true, ...options }))

const reasonOf = Effect.fnUntraced(function* (options?: Parameters<typeof open>[0]) {
  const opened = yield* Effect.result(open(options))
  return Result.isSuccess(opened) ? "opened" : opened.failure._tag === "PassRefused" ? opened.failure.reason : "failed"
})

const present = EngineId.make("memory/none")
const wide = EngineId.make("id/none/overlay2:/data")

describe("a pass opens", () => {
  inWorld.each([
    ["an hour behind", Duration.hours(-1), "clock_skew"],
    ["a minute and a millisecond behind", Duration.millis(-60_001), "clock_skew"],
    ["a minute behind", Duration.minutes(-1), "opened"],
    ["a minute ahead", Duration.minutes(1), "opened"],
    ["a minute and a millisecond ahead", Duration.millis(60_001), "clock_skew"],
    ["an hour ahead", Duration.hours(1), "clock_skew"]
  ] as const)("event 8: or is refused, with the database's clock %s", function* ([, offset, expected]) {
    ;(yield* StoreState).clockOffset = offset
    assert.strictEqual(yield* reasonOf(), expected)
  })

  inWorld("event 8: and a refusal says by how much the clocks differ and which setting allows how much", function* () {
    ;(yield* StoreState).clockOffset = Duration.hours(1)
    const error = yield* Effect.flip(open())
    assert.match(error.message, /clock is 1h behind the database's.*RTMANAGER_CLEANUP_MAX_CLOCK_SKEW \(1m\)/)
  })

  inWorld("although the database's answer takes minutes, before or after it has read its clock", function* () {
    const state = yield* StoreState
    state.intercept = (operation) => (operation === "clock" ? Effect.sleep("5 minutes") : Effect.void)
    state.interceptAnswer = state.intercept
    const opening = yield* Effect.forkChild(reasonOf())
    yield* TestClock.adjust("10 minutes")
    assert.strictEqual(yield* Fiber.join(opening), "opened")
  })

  inWorld("at the earlier of the two clocks", function* () {
    const state = yield* StoreState
    state.clockOffset = Duration.seconds(-30)
    assert.strictEqual((yield* open()).moment.now, now - 30_000)
    state.clockOffset = Duration.seconds(30)
    assert.strictEqual((yield* open()).moment.now, now)
  })

  inWorld("event 13: only over the known engine, and remembers the first one", function* () {
    assert.strictEqual(yield* reasonOf(), "opened")
    yield* (yield* MemoryEngine).setIdentity(EngineId.make("another/none"))
    assert.strictEqual(yield* reasonOf(), "engine_changed")
    assert.strictEqual(yield* reasonOf({ acceptAbsent: true }), "engine_changed")
    assert.strictEqual((yield* StoreState).known?.id, present)
  })

  inWorld.each([
    ["the engine is known by another name", undefined],
    ["the engine is known by another name, and this one has an engine of its own", EngineId.make("own/none")]
  ] as const)("event 42: or is refused with both names if %s", function* ([, own]) {
    const state = yield* StoreState
    state.known = own && { id: own, braked: false }
    state.engines.set("host-1", { id: present, braked: false })
    const before = new Map(state.engines)
    for (const options of [{ touch: false }, {}, { acceptAbsent: true }]) {
      const error = yield* Effect.flip(open(options))
      assert.match(
        error.message,
        /the engine that answers is host-1, not default: memory\/none .*RTMANAGER_ENGINE_NAME/
      )
      assert.strictEqual(yield* reasonOf(options), "engine_changed")
    }
    assert.deepStrictEqual(state.engines, before)
  })

  inWorld("event 42: or is refused if an earlier version knew the engine by another name", function* () {
    ;(yield* StoreState).engines.set("host-1", { id: EngineId.make("id/none"), braked: false })
    yield* (yield* MemoryEngine).setIdentity(wide)
    assert.strictEqual(yield* reasonOf(), "engine_changed")
  })

  inWorld("or is refused if the database does not keep which engine is known", function* () {
    const state = yield* StoreState
    state.interceptAnswer = () => Effect.sync(() => void state.engines.clear())
    assert.strictEqual(yield* reasonOf(), "cannot_record")
    assert.strictEqual(yield* reasonOf({ touch: false }), "opened")
  })

  inWorld(
    "event 42: or is refused if the engine gets another name while a person accepts what is absent",
    function* () {
      const state = yield* StoreState
      state.known = { id: present, braked: true }
      state.intercept = (operation) =>
        Effect.sync(() => {
          if (operation !== "acceptEngine") return
          state.known = { id: EngineId.make("own/none"), braked: false }
          state.engines.set("host-1", { id: present, braked: false })
        })
      assert.strictEqual(yield* reasonOf({ acceptAbsent: true }), "engine_changed")
    }
  )

  inWorld("over its own engine, whatever else is known, and keeps when it began", function* () {
    const state = yield* StoreState
    const other = { id: EngineId.make("other/none"), braked: true }
    state.engines.set("host-1", other)
    state.known = { id: present, braked: false }
    yield* open({ touch: false })
    assert.isUndefined(state.known?.lastPassAt)
    assert.strictEqual((yield* open()).engineName, "default")
    assert.strictEqual(state.known?.lastPassAt, now)
    assert.strictEqual(state.engines.get("host-1"), other)
  })

  inWorld("event 13: not over a braked engine, until a person accepts what is absent", function* () {
    const state = yield* StoreState
    state.known = { id: present, braked: true }
    assert.strictEqual(yield* reasonOf(), "absent_brake")
    assert.strictEqual(yield* reasonOf({ acceptAbsent: true }), "opened")
    assert.deepInclude(state.known, { id: present, braked: false, acceptedAt: now })
    assert.strictEqual(yield* reasonOf(), "opened")
  })

  inWorld.each([
    ["the engine as an earlier version wrote it", "id/none", "opened"],
    ["the engine as it is", "id/none/overlay2:/data", "opened"],
    ["another storage driver", "id/none/vfs:/data", "engine_changed"],
    ["another data root", "id/none/overlay2:/data/100000.100000", "engine_changed"],
    ["another network", "id/other", "engine_changed"]
  ] as const)("event 28: or is refused, where the known engine is %s", function* ([, known, expected]) {
    const state = yield* StoreState
    state.known = { id: EngineId.make(known), braked: false }
    yield* (yield* MemoryEngine).setIdentity(wide)
    assert.strictEqual(yield* reasonOf({ touch: false }), expected)
    assert.strictEqual<string>(state.known.id, known)
    assert.strictEqual(yield* reasonOf(), expected)
    assert.strictEqual(state.known.id, expected === "opened" ? wide : known)
  })

  inWorld("event 28: not over an engine that was braked before its identity was completed", function* () {
    const state = yield* StoreState
    state.known = { id: EngineId.make("id/none"), braked: true }
    yield* (yield* MemoryEngine).setIdentity(wide)
    assert.strictEqual(yield* reasonOf(), "absent_brake")
    assert.deepStrictEqual(state.known, { id: wide, braked: true })
  })

  inWorld("event 28: not where a person has meanwhile accepted another engine", function* () {
    const state = yield* StoreState
    const accepted = { id: EngineId.make("id/none/vfs:/data"), braked: false }
    state.known = { id: EngineId.make("id/none"), braked: false }
    yield* (yield* MemoryEngine).setIdentity(wide)
    state.intercept = (operation) =>
      Effect.sync(() => {
        if (operation === "widenEngine") state.known = accepted
      })
    assert.strictEqual(yield* reasonOf(), "engine_changed")
    assert.strictEqual(state.known, accepted)
  })

  inWorld("event 28: and keeps when a person accepted what is absent, with a brake or without", function* () {
    const state = yield* StoreState
    yield* open()
    assert.isUndefined(state.known?.acceptedAt)
    yield* open({ acceptAbsent: true, touch: false })
    assert.isUndefined(state.known?.acceptedAt)
    yield* open({ acceptAbsent: true })
    assert.strictEqual(state.known?.acceptedAt, now)
  })

  inWorld("over a braked engine for who only looks, and leaves the brake on", function* () {
    const state = yield* StoreState
    state.known = { id: present, braked: true }
    assert.strictEqual(yield* reasonOf({ touch: false }), "opened")
    assert.isTrue(state.known.braked)
  })

  inWorld("not during a person's pause, and then asks nothing of the engine and keeps no time", function* () {
    yield* open()
    const state = yield* StoreState
    yield* TestClock.adjust("1 hour")
    yield* (yield* Pauses).pause({ author: Author.make("anna"), reason: "a test", duration: undefined })
    const engine = yield* MemoryEngine
    const asked = (yield* engine.calls).length
    assert.strictEqual(yield* reasonOf(), "paused")
    assert.strictEqual(yield* reasonOf({ acceptAbsent: true }), "paused")
    assert.strictEqual((yield* engine.calls).length, asked)
    assert.strictEqual(state.known?.lastPassAt, now)
    assert.strictEqual(yield* reasonOf({ touch: false }), "opened")
  })

  const short = Duration.days(3)
  /** Games that are due by the short retention and not by the long one. */
  const seedBetween = (count: number) =>
    seedMany(count, { record: { lastOpAt: BigInt(now - Duration.toMillis("20 days")) * 1000n } })

  inWorld("with the retention that it is told, which it keeps, and so does each later one", function* () {
    const state = yield* StoreState
    yield* open({ touch: false })
    assert.strictEqual(state.engines.size, 0)
    for (const days of [30, 60, 40]) {
      yield* open({ retention: Duration.days(days) })
      assert.strictEqual(state.known?.retention, Duration.toMillis(Duration.days(days)))
      yield* open({ retention: Duration.days(90), touch: false })
      assert.strictEqual(state.known?.retention, Duration.toMillis(Duration.days(days)))
    }
  })

  inWorld("without another statement as long as the retention is the same", function* () {
    yield* open()
    const state = yield* StoreState
    const sent: Array<string> = []
    state.intercept = (operation) => Effect.sync(() => void sent.push(operation))
    yield* open()
    assert.deepStrictEqual(sent, ["clock", "beginPassUnpaused", "beginPass"])
  })

  inWorld.each([
    ["30d to 3d, and 20 games become due", retention, short, 20, "opened"],
    ["30d to 3d, and 21 games become due", retention, short, 21, "retention_shortened"],
    ["3d to 30d, while 21 games are due by the shorter", short, retention, 21, "opened"],
    ["30d to 25d, which changes nothing for 21 games", retention, Duration.days(25), 21, "opened"],
    ["10d to 3d, while 21 games were due already", Duration.days(10), short, 21, "opened"]
  ] as const)(
    "event 49: or is refused if the retention changes too much at once: %s",
    function* ([, before, after, games, expected]) {
      const state = yield* StoreState
      yield* open({ retention: before })
      yield* seedBetween(games)
      assert.strictEqual(yield* reasonOf({ retention: after }), expected)
      assert.strictEqual(state.known?.retention, Duration.toMillis(expected === "opened" ? after : before))
    }
  )

  inWorld("and counts only the games of its engine that the shorter retention makes due", function* () {
    yield* open()
    yield* seedBetween(21)
    const state = yield* StoreState
    for (const changes of [
      { engine: "host-1" },
      { status: "running" },
      { lastOpAt: BigInt(moment.cutoff) * 1000n - 1n },
      { lastOpAt: BigInt(now - Duration.toMillis(short)) * 1000n },
      { lastOpAt: null }
    ]) {
      yield* seed("game-0", 0, { record: changes })
      assert.strictEqual(yield* reasonOf({ retention: short, touch: false }), "opened")
      assert.isUndefined((yield* open({ retention: short, touch: false })).wouldRefuse)
    }
    yield* seed("game-0", 0, { record: { lastOpAt: BigInt(moment.cutoff) * 1000n } })
    assert.strictEqual((yield* open({ retention: short, touch: false })).wouldRefuse?.reason, "retention_shortened")
    assert.strictEqual(state.known?.retention, Duration.toMillis(retention))
  })

  inWorld("and a refusal of a shorter retention says both, how many games, and what to run", function* () {
    yield* open()
    yield* seedBetween(25)
    assert.strictEqual(
      (yield* Effect.flip(open({ retention: short }))).message,
      "the retention is 3d and was 30d before, which makes 25 more games due at once. If RTMANAGER_CONTAINER_RETENTION_DAYS is right, run: retention accept --reason REASON"
    )
  })

  inWorld("for who only looks, and says what would refuse a pass: pause, brake or retention", function* () {
    const look = Effect.map(open({ retention: short, touch: false }), ({ wouldRefuse }) => wouldRefuse?.reason)
    const state = yield* StoreState
    const pauses = yield* Pauses
    yield* open()
    assert.isUndefined(yield* look)
    yield* seedBetween(21)
    assert.strictEqual(yield* look, "retention_shortened")
    state.known = { id: present, braked: true, retention: Duration.toMillis(retention) }
    assert.strictEqual(yield* look, "absent_brake")
    yield* pauses.pause({ author: Author.make("anna"), reason: "a test", duration: undefined })
    const before = new Map(state.engines)
    assert.strictEqual(yield* look, "paused")
    assert.deepStrictEqual(state.engines, before)
    yield* pauses.resume
    assert.strictEqual(yield* look, "absent_brake")
  })
})
