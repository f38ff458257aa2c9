import { assert, describe } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { Author, Reason } from "../../src/domain/Act.ts"
import { acceptAbsence } from "../../src/operator/acceptAbsence.ts"
import { acceptEngine } from "../../src/operator/acceptEngine.ts"
import { acceptRetention } from "../../src/operator/acceptRetention.ts"
import { ActKey } from "../../src/operator/act.ts"
import { pause } from "../../src/operator/pause.ts"
import { resume } from "../../src/operator/resume.ts"
import { EngineId } from "../../src/ports/ContainerEngine.ts"
import { StoreState } from "../adapters/memory/StoreState.ts"
import { atEngine, inWorld, retention, runOnce, seed, seedMany, storeDown, unreachable } from "../support/world.ts"

const asked = { author: Author.make("anna@host"), reason: Reason.make("a test") }

/** What each act came to, oldest first. */
const ends = Effect.map(StoreState, ({ acts }) =>
  [...acts.values()].map(({ act, target, result }) => [act, target, result])
)

const operations = Effect.map(StoreState, (state) => {
  const sent: Array<string> = []
  state.intercept = (operation) => Effect.sync(() => void sent.push(operation))
  return sent
})

describe("an act", () => {
  inWorld("has its row before it takes effect, and its result after", function* () {
    const sent = yield* operations
    const { message, value } = yield* pause({ ...asked, duration: Duration.hours(2) })
    assert.match(message, /^paused until 2026-11-01T02:00:00.000Z: no removal begins after 2 s from now$/)
    assert.deepInclude(value, asked)
    yield* resume(asked)
    assert.deepStrictEqual(sent, ["beginAct", "pause", "endAct", "beginAct", "resume", "endAct"])
    assert.deepStrictEqual(yield* ends, [
      ["pause", null, "done"],
      ["resume", null, "done"]
    ])
  })

  inWorld("that cannot have a row does not take effect", function* () {
    const state = yield* StoreState
    state.intercept = (operation) => (operation === "beginAct" ? storeDown : Effect.void)
    yield* Effect.flip(pause({ ...asked, duration: undefined }))
    assert.isUndefined(state.pause)
  })

  inWorld("that was refused, or that the database failed, has a row that says so", function* () {
    yield* Effect.flip(resume(asked))
    yield* Effect.flip(acceptRetention({ ...asked, retention }))
    ;(yield* StoreState).intercept = (operation) => (operation === "pause" ? storeDown : Effect.void)
    yield* Effect.flip(pause({ ...asked, duration: undefined }))
    yield* atEngine("identity", unreachable)
    yield* Effect.flip(acceptEngine(asked))
    assert.deepStrictEqual(yield* ends, [
      ["resume", null, "refused"],
      ["retention_accept", "default", "refused"],
      ["pause", null, "failed"],
      ["engine_accept", "default", "failed"]
    ])
  })

  inWorld("whose request comes again with its key is done once, and has one row", function* () {
    const state = yield* StoreState
    const key = { key: "k1", requestHash: "hash" }
    const paused = Effect.provideService(pause({ ...asked, duration: undefined }), ActKey, key)
    yield* paused
    yield* resume(asked)
    const { _tag, message } = yield* Effect.flip(paused)
    assert.deepStrictEqual([_tag, message], ["ActRepeated", "anna@host has made a request with this key before"])
    assert.isUndefined(state.pause)
    assert.deepStrictEqual(yield* ends, [
      ["pause", null, "done"],
      ["resume", null, "done"]
    ])
  })

  inWorld("accepts the engine that answers, and says which one it replaces", function* () {
    const state = yield* StoreState
    const known = EngineId.make("known/none")
    state.known = { id: known, braked: true }
    const { message, value } = yield* acceptEngine(asked)
    assert.deepStrictEqual<object>(value, { name: "default", engineId: "memory/none", knownBefore: known })
    assert.strictEqual(message, "accepted engine memory/none as default, replacing known/none")
    assert.deepInclude<object | undefined>(state.known, { id: "memory/none", braked: false })
    assert.strictEqual((yield* acceptEngine(asked)).message, "accepted engine memory/none as default")
  })

  inWorld("accepts a shorter retention, after which a pass works with it", function* () {
    const state = yield* StoreState
    state.known = { id: EngineId.make("memory/none"), braked: false, retention: Duration.toMillis("60 days") }
    yield* seedMany(25)
    assert.strictEqual((yield* runOnce).reason, "retention_shortened")
    const { message } = yield* acceptRetention({ ...asked, retention })
    assert.strictEqual(message, "accepted a retention of 30d for engine default: it was 60d before")
    assert.strictEqual((yield* runOnce).outcomes.removed, 25)
  })
})

describe("an act whose work is a pass", () => {
  const gone = seedMany(30, { container: null })

  inWorld("gives its report, and is done although games failed", function* () {
    yield* gone
    yield* seed("running", 100, { container: { state: "running" } })
    const { message, value } = yield* acceptAbsence(asked)
    assert.deepInclude(value, { result: "partial", trigger: "manual" })
    assert.strictEqual(message, "pass: partial; already_absent 30, failed 1")
    assert.deepStrictEqual(yield* ends, [["absence_accept", "default", "done"]])
  })

  inWorld("is refused if a guard refuses the pass, and says why", function* () {
    yield* gone
    yield* pause({ ...asked, duration: undefined })
    const { message, value } = yield* acceptAbsence(asked)
    assert.strictEqual(value.reason, "paused")
    assert.match(message, /^pass: refused; anna@host has paused cleaning/)
    assert.deepStrictEqual((yield* ends).at(-1), ["absence_accept", "default", "refused"])
  })

  inWorld("has failed if the database goes away in it", function* () {
    yield* gone
    ;(yield* StoreState).intercept = (operation) => (operation === "listDue" ? storeDown : Effect.void)
    assert.strictEqual((yield* acceptAbsence(asked)).value.reason, "database_down")
    assert.deepStrictEqual(yield* ends, [["absence_accept", "default", "failed"]])
  })
})
