import { type IncomingMessage, get as open } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Queue } from "effect"
import { TestClock } from "effect/testing"
import { type Glance, newsOf, type Told } from "../../src/http/Events.ts"
import { StoreState } from "../adapters/memory/StoreState.ts"
import { ApiServer, inApi, post } from "../support/apiServer.ts"
import { runOnce, seedMany, storeDown } from "../support/world.ts"

/** The blocks of an event stream, as they come, until the scope ends. */
const listen = Effect.gen(function* () {
  const { port, tokens } = yield* ApiServer
  const blocks = yield* Queue.unbounded<string>()
  const headers = { authorization: `Bearer ${tokens.bob}` }
  yield* Effect.acquireRelease(
    Effect.callback<IncomingMessage>((resume) => {
      open({ host: "127.0.0.1", port, path: "/api/v1/events", headers, agent: false }, (response) => {
        const left = { text: "" }
        response.on("data", (chunk) => {
          const parts = `${left.text}${chunk}`.split("\n\n")
          left.text = parts.pop() ?? ""
          for (const part of parts) Queue.offerUnsafe(blocks, part)
        })
        response.on("error", () => {})
        response.on("end", () => Queue.offerUnsafe(blocks, "end"))
        resume(Effect.succeed(response))
      })
    }),
    (response) => Effect.sync(() => response.destroy())
  )
  return Queue.take(blocks)
})

const eventOf = (block: string) => {
  const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s).slice(0, 2)))
  return { event: fields["event"], data: JSON.parse(fields["data"] ?? "null"), id: fields["id"] }
}

describe("the events", () => {
  inApi("begin with the whole status", function* () {
    yield* seedMany(2)
    const next = yield* listen
    const { data, event, id } = eventOf(yield* next)
    assert.strictEqual(event, "status")
    assert.match(id, /^\d+$/)
    assert.strictEqual(data.backlog.due.count, 2)
  })

  inApi("tell of a pause, and of what passes remove", function* () {
    yield* seedMany(2)
    const next = yield* listen
    yield* next
    yield* TestClock.adjust("2 seconds")
    yield* next
    yield* post("/pause", { reason: "a test", for: "1m" })
    yield* TestClock.adjust("2 seconds")
    assert.strictEqual(eventOf(yield* next).data.pause.author, "ann")
    yield* post("/resume", { reason: "a test" })
    yield* TestClock.adjust("2 seconds")
    assert.isNull(eventOf(yield* next).data.pause)
    yield* runOnce
    yield* TestClock.adjust("2 seconds")
    const { data, event } = eventOf(yield* next)
    assert.strictEqual(event, "operations")
    assert.deepStrictEqual(data.operations.map(({ game_id }: { game_id: string }) => game_id).toSorted(), [
      "game-0",
      "game-1"
    ])
  })

  inApi("say when the database is away, and begin again with the status once it is back", function* () {
    const next = yield* listen
    yield* next
    yield* TestClock.adjust("2 seconds")
    yield* next
    const state = yield* StoreState
    state.intercept = () => storeDown
    yield* TestClock.adjust("2 seconds")
    assert.strictEqual(eventOf(yield* next).event, "unavailable")
    state.intercept = () => Effect.void
    yield* TestClock.adjust("2 seconds")
    assert.strictEqual(eventOf(yield* next).event, "status")
  })

  inApi(
    "have a comment every 15 seconds, and end after five minutes, so that a token that is gone reads no further",
    function* () {
      const next = yield* listen
      yield* next
      yield* TestClock.adjust("15 seconds")
      const seen = yield* Effect.replicateEffect(next, 2)
      assert.include(
        seen.map((block) => block.slice(0, 1)),
        ":"
      )
      yield* TestClock.adjust("5 minutes")
      const rest = yield* Effect.repeat(next, { until: (block) => block === "end" })
      assert.strictEqual(rest, "end")
    }
  )

  inApi("leave no traces, however long somebody reads", function* () {
    const state = yield* StoreState
    const traced: Array<boolean> = []
    const next = yield* listen
    yield* next
    yield* next
    state.intercept = () => Effect.useSpan("statement", ({ sampled }) => Effect.sync(() => void traced.push(sampled)))
    yield* Effect.repeat(TestClock.adjust("2 seconds"), { until: () => traced.length > 0 })
    assert.notInclude(traced, true)
  })

  inApi("cost one look, however many read", function* () {
    const state = yield* StoreState
    const asked = { count: 0 }
    const readers = yield* Effect.replicateEffect(listen, 10)
    yield* Effect.forEach(readers, (next) => next)
    state.intercept = (operation) => Effect.sync(() => void (operation === "listOperations" && asked.count++))
    yield* Effect.repeat(TestClock.adjust("2 seconds"), { until: () => asked.count > 0 })
    assert.strictEqual(asked.count, 1)
  })
})

const nothing: Glance = { pause: null, underWay: [], operations: [] }
const told = (changes: Partial<Told> = {}): Told => ({ ...nothing, statusAt: 0, isStale: false, ...changes })
const paused = { author: "ann", reason: "a test", pausedAt: new Date(1), until: null }

describe("what is told after a look", () => {
  const cases: ReadonlyArray<readonly [string, Told | undefined, Glance, number, boolean]> = [
    ["the status first of all", undefined, nothing, 0, true],
    ["nothing while nothing happens", told(), nothing, Duration.toMillis("14 seconds"), false],
    ["the status every 15 seconds", told(), nothing, Duration.toMillis("15 seconds"), true],
    ["no status just after operations", told({ isStale: true }), nothing, Duration.toMillis("4 seconds"), false],
    ["the status 5 seconds after operations", told({ isStale: true }), nothing, Duration.toMillis("5 seconds"), true],
    ["the status once it can be had again", told({ statusAt: undefined }), nothing, 0, true],
    ["the status when somebody pauses", told(), { ...nothing, pause: paused }, 0, true],
    ["the status when somebody resumes", told({ pause: paused }), nothing, 0, true],
    ["no status while it stays paused", told({ pause: paused }), { ...nothing, pause: paused }, 0, false]
  ]
  it.each(cases)("%s", (_, told, glance, now, status) => {
    assert.deepInclude(newsOf(told, glance, now), { status, progress: false, operations: [] })
  })
})
