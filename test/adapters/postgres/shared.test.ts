import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Option, type Tracer } from "effect"
import { TestClock } from "effect/testing"
import { type SharedOptions, shared } from "../../../src/adapters/postgres/shared.ts"
import { StoreError, Unavailable } from "../../../src/ports/StoreError.ts"
import { makeTracer } from "../../support/tracer.ts"

const down = new StoreError({ operation: "test", reason: new Unavailable({ cause: new Error("down") }) })

/** A kind of call that is answered with its text twice, and what it was sent as: many together, or one alone. */
const makeCalls = (options: Partial<SharedOptions<string, string>> = {}) => {
  const sent: Array<ReadonlyArray<string> | string> = []
  const { alone = (call) => Effect.succeed(`${call} alone`), wait = Effect.yieldNow } = options
  const { together = (calls) => Effect.succeed(calls.map((call) => call + call)) } = options
  const noted =
    <In extends ReadonlyArray<string> | string, A>(send: (what: In) => Effect.Effect<A, StoreError>) =>
    (what: In) =>
      Effect.suspend(() => {
        sent.push(what)
        return send(what)
      })
  return { sent, call: shared<string, string>({ ...options, wait, together: noted(together), alone: noted(alone) }) }
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `call-${i}`)

const all = <E>(call: (name: string) => Effect.Effect<string, E>, calls: ReadonlyArray<string>) =>
  Effect.forEach(calls, call, { concurrency: "unbounded" })

describe("calls that share a statement", () => {
  it.effect("go together when they come together, and each gets its own answer", () =>
    Effect.gen(function* () {
      const { call, sent } = makeCalls()
      assert.deepStrictEqual(yield* all(call, ["a", "b", "c"]), ["aa", "bb", "cc"])
      assert.deepStrictEqual(sent, [["a", "b", "c"]])
    })
  )

  it.effect("get an answer each where two ask the same", () =>
    Effect.gen(function* () {
      const { call, sent } = makeCalls()
      assert.deepStrictEqual(yield* all(call, ["a", "a"]), ["aa", "aa"])
      assert.deepStrictEqual(sent, [["a", "a"]])
    })
  )

  it.effect("go alone where there is only one", () =>
    Effect.gen(function* () {
      const { call, sent } = makeCalls()
      assert.strictEqual(yield* call("a"), "a alone")
      assert.strictEqual(yield* call("b"), "b alone")
      assert.deepStrictEqual(sent, ["a", "b"])
    })
  )

  it.effect("are at most 16, and the one that is left over goes alone", () =>
    Effect.gen(function* () {
      const { call, sent } = makeCalls()
      const calls = names(33)
      const answers = yield* all(call, calls)
      assert.deepStrictEqual(sent, [calls.slice(0, 16), calls.slice(16, 32), "call-32"])
      assert.deepStrictEqual(answers, [...calls.slice(0, 32).map((name) => name + name), "call-32 alone"])
    })
  )

  it.effect("each go alone where the statement for many gives no answer", () =>
    Effect.gen(function* () {
      const { call, sent } = makeCalls({ together: () => Effect.succeed([]) })
      assert.deepStrictEqual(yield* all(call, ["a", "b"]), ["a alone", "b alone"])
      assert.deepStrictEqual(sent, [["a", "b"], "a", "b"])
    })
  )

  it.effect("leave only that one to a statement of its own which the one for many passes over", () =>
    Effect.gen(function* () {
      const { call, sent } = makeCalls({
        together: (calls) => Effect.succeed(calls.map((name) => (name === "b" ? undefined : name)))
      })
      assert.deepStrictEqual(yield* all(call, ["a", "b", "c"]), ["a", "b alone", "c"])
      assert.deepStrictEqual(sent, [["a", "b", "c"], "b"])
    })
  )

  it.effect("fail each with the failure of the statement for many, and are not sent again", () =>
    Effect.gen(function* () {
      const { call, sent } = makeCalls({ together: () => Effect.fail(down) })
      const failures = yield* all((name) => Effect.as(Effect.flip(call(name)), "failed"), ["a", "b", "c"])
      assert.deepStrictEqual(failures, ["failed", "failed", "failed"])
      assert.deepStrictEqual(sent, [["a", "b", "c"]])
    })
  )

  it.effect("end each with a defect of the statement for many, none of them waiting for ever", () =>
    Effect.gen(function* () {
      const { call } = makeCalls({ together: () => Effect.die("bug") })
      const exits = yield* Effect.forEach(["a", "b"], (name) => Effect.exit(call(name)), { concurrency: "unbounded" })
      for (const exit of exits) assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    })
  )

  it.effect("fail one by one where they went alone", () =>
    Effect.gen(function* () {
      const { call } = makeCalls({
        together: () => Effect.succeed([]),
        alone: (name) => (name === "b" ? Effect.fail(down) : Effect.succeed(name))
      })
      const answers = yield* all((name) => Effect.orElseSucceed(call(name), () => "failed"), ["a", "b", "c"])
      assert.deepStrictEqual(answers, ["a", "failed", "c"])
    })
  )
})

describe("the spans of calls that share a statement", () => {
  const inGame = (gameId: string) => (call: Effect.Effect<string, StoreError>) =>
    call.pipe(Effect.withSpan("lease"), Effect.withSpan("game", { attributes: { "rtmanager.game.id": gameId } }))

  const traced = Effect.fnUntraced(function* (span?: string) {
    const { spans, tracer } = makeTracer()
    const { call } = makeCalls({
      wait: Effect.sleep("20 millis"),
      together: (calls) =>
        Effect.succeed(calls).pipe(Effect.delay("5 millis"), Effect.withSpan("statement", { kind: "client" })),
      ...(span !== undefined && { span })
    })
    const games = Effect.forEach(["a", "b"], (gameId) => inGame(gameId)(call(gameId)), { concurrency: "unbounded" })
    const fiber = yield* Effect.forkChild(games.pipe(Effect.withSpan("pass"), Effect.withTracer(tracer)))
    yield* TestClock.adjust("25 millis")
    yield* Fiber.join(fiber)
    const named = (name: string) => spans.filter((span) => span.name === name)
    return { named }
  })

  const parentOf = (span: Tracer.Span | undefined) => Option.getOrUndefined(span?.parent ?? Option.none())

  it.effect("are one beside their games, with a link to each", () =>
    Effect.gen(function* () {
      const { named } = yield* traced()
      const [statement, ...others] = named("statement")
      assert.deepStrictEqual([others, parentOf(statement)?.spanId], [[], named("pass")[0]?.spanId])
      assert.deepStrictEqual(
        statement?.links.map(({ span }) => span.spanId),
        named("game").map(({ spanId }) => spanId)
      )
      assert.strictEqual(statement?.attributes.get("db.operation.batch.size"), 2)
    })
  )

  it.effect("are a share for each caller too if they have a name, from the question to the answer", () =>
    Effect.gen(function* () {
      const { named } = yield* traced("commit")
      const shares = named("commit")
      assert.deepStrictEqual(
        shares.map((share) => parentOf(share)?.spanId),
        named("lease").map(({ spanId }) => spanId)
      )
      for (const { attributes, status } of shares) {
        assert(status._tag === "Ended")
        assert.strictEqual(status.endTime - status.startTime, 25_000_000n)
        assert.strictEqual(attributes.get("rtmanager.cleanup.waited"), 0.02)
      }
    })
  )

  it.effect("are only the statement's for one that goes alone, which says how long it waited for others", () =>
    Effect.gen(function* () {
      const { spans, tracer } = makeTracer()
      const { call } = makeCalls({
        wait: Effect.sleep("20 millis"),
        alone: (name) => Effect.succeed(name).pipe(Effect.withSpan("statement", { kind: "client" })),
        span: "commit"
      })
      const fiber = yield* Effect.forkChild(inGame("a")(call("a")).pipe(Effect.withTracer(tracer)))
      yield* TestClock.adjust("20 millis")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(
        spans.map(({ name }) => name),
        ["game", "lease", "statement"]
      )
      assert.strictEqual(spans[2]?.attributes.get("rtmanager.cleanup.waited"), 0.02)
    })
  )
})

describe("the wait for others", () => {
  const patient = { wait: Effect.sleep("20 millis") }

  it.effect("lets those share that come before it is over, and begins again for those after", () =>
    Effect.gen(function* () {
      const { call, sent } = makeCalls(patient)
      const first = yield* Effect.forkChild(call("a"))
      yield* TestClock.adjust("10 millis")
      const second = yield* Effect.forkChild(call("b"))
      yield* TestClock.adjust("9 millis")
      assert.deepStrictEqual(sent, [])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(sent, [["a", "b"]])
      const third = yield* Effect.forkChild(call("c"))
      yield* TestClock.adjust("19 millis")
      assert.deepStrictEqual(sent, [["a", "b"]])
      yield* TestClock.adjust("1 millis")
      const answers = yield* Effect.forEach([first, second, third], (fiber) => Fiber.join(fiber))
      assert.deepStrictEqual(answers, ["aa", "bb", "c alone"])
    })
  )

  it.effect("ends at once when 16 are there", () =>
    Effect.gen(function* () {
      const { call, sent } = makeCalls(patient)
      const calls = names(16)
      const early = yield* Effect.forkChild(all(call, calls.slice(0, 15)))
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(sent, [])
      assert.strictEqual(yield* call("call-15"), "call-15call-15")
      assert.deepStrictEqual(sent, [calls])
      yield* Fiber.join(early)
    })
  )

  it.effect.each([0, 1, 2])(
    "leaves out a caller that is interrupted meanwhile, and the others go on: number %s",
    (which) =>
      Effect.gen(function* () {
        const { call, sent } = makeCalls(patient)
        const calls = ["a", "b", "c"]
        const fibers = yield* Effect.forEach(calls, (name) => Effect.forkChild(call(name)))
        yield* TestClock.adjust("10 millis")
        for (const fiber of fibers.slice(which, which + 1)) yield* Fiber.interrupt(fiber)
        yield* TestClock.adjust("10 millis")
        const others = calls.toSpliced(which, 1)
        const answers = yield* Effect.forEach(fibers.toSpliced(which, 1), (fiber) => Fiber.join(fiber))
        assert.deepStrictEqual(
          answers,
          others.map((name) => name + name)
        )
        assert.deepStrictEqual(sent, [others])
      })
  )

  it.effect("sends nothing once its only caller is interrupted, and serves the next", () =>
    Effect.gen(function* () {
      const { call, sent } = makeCalls(patient)
      const fiber = yield* Effect.forkChild(call("a"))
      yield* TestClock.adjust("10 millis")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(sent, [])
      const next = yield* Effect.forkChild(call("b"))
      yield* TestClock.adjust("20 millis")
      assert.strictEqual(yield* Fiber.join(next), "b alone")
    })
  )

  it.effect("is over for who is interrupted after the statement was sent, and the others get their answers", () =>
    Effect.gen(function* () {
      const answered = yield* Deferred.make<void>()
      const { call, sent } = makeCalls({
        ...patient,
        together: (calls) => Effect.as(Deferred.await(answered), calls)
      })
      const [first, second] = yield* Effect.all([Effect.forkChild(call("a")), Effect.forkChild(call("b"))])
      yield* TestClock.adjust("20 millis")
      assert.deepStrictEqual(sent, [["a", "b"]])
      yield* Fiber.interrupt(first)
      yield* Deferred.succeed(answered, undefined)
      assert.strictEqual(yield* Fiber.join(second), "b")
      assert.deepStrictEqual(sent, [["a", "b"]])
    })
  )

  it.effect("does not stand in the way of calls while an earlier statement is still unanswered", () =>
    Effect.gen(function* () {
      const { call, sent } = makeCalls({
        ...patient,
        together: (calls) => (calls.includes("a") ? Effect.never : Effect.succeed(calls))
      })
      const stuck = yield* Effect.forkChild(all(call, ["a", "b"]))
      yield* TestClock.adjust("20 millis")
      const next = yield* Effect.forkChild(all(call, ["c", "d"]))
      yield* TestClock.adjust("20 millis")
      assert.deepStrictEqual(yield* Fiber.join(next), ["c", "d"])
      assert.strictEqual(sent.length, 2)
      yield* Fiber.interrupt(stuck)
    })
  )
})
