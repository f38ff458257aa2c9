import { assert, describe, it } from "@effect/vitest"
import { Cause, Console, Effect, Redacted, Schema } from "effect"
import { layer } from "../../src/observability/logging.ts"

class Broken extends Schema.TaggedError<Broken>()("Broken", { message: Schema.String }) {}

/** What an effect writes to stderr under one of our log layers; anything on stdout is a defect. */
const linesOf = <A, E>(self: Effect.Effect<A, E>, options: Parameters<typeof layer>[0]) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const fake: Console.Console = {
      ...globalThis.console,
      error: (line: string) => lines.push(line),
      log: () => assert.fail("a log line went to stdout")
    }
    yield* self.pipe(Effect.provide(layer(options)), Effect.provideService(Console.Console, fake))
    return lines
  })

const Line = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown))
const jsonOf = <A, E>(self: Effect.Effect<A, E>) =>
  linesOf(self, { level: "Info", format: "json" }).pipe(
    Effect.flatMap(([line]) => Schema.decodeUnknownEffect(Line)(line))
  )

describe("a JSON log line", () => {
  it.effect("holds the event, its fields, the level and the time", () =>
    Effect.gen(function* () {
      const log = Effect.logInfo("cleanup.removed").pipe(Effect.annotateLogs({ game_id: "g-1", attempts: 2, at: 5n }))
      assert.deepStrictEqual(yield* jsonOf(log), {
        timestamp: "1970-01-01T00:00:00.000Z",
        level: "info",
        event: "cleanup.removed",
        game_id: "g-1",
        attempts: 2,
        at: "5"
      })
    })
  )

  it.effect("holds the ids of the span in which it was written", () =>
    Effect.gen(function* () {
      const log = Effect.currentSpan.pipe(
        Effect.tap(Effect.logInfo("cleanup.removed")),
        Effect.withSpan("rtmanager.cleanup.game")
      )
      const line = yield* jsonOf(log)
      assert.match(String(line["trace_id"]), /^[0-9a-f]{32}$/)
      assert.match(String(line["span_id"]), /^[0-9a-f]{16}$/)
    })
  )

  it.effect("tells a cause as its error", () =>
    Effect.gen(function* () {
      const line = yield* jsonOf(Effect.logError("cleanup.failed", Cause.fail(new Broken({ message: "no luck" }))))
      assert.strictEqual(line["event"], "cleanup.failed")
      assert.match(String(line["error"]), /^Broken: no luck/)
    })
  )

  it.effect("keeps its own names against fields of the same name", () =>
    Effect.gen(function* () {
      const line = yield* jsonOf(
        Effect.logInfo("cleanup.removed").pipe(Effect.annotateLogs({ event: "x", level: "y" }))
      )
      assert.deepStrictEqual([line["event"], line["level"]], ["cleanup.removed", "info"])
    })
  )

  it.effect("survives values that are not JSON, and shows no redacted one", () =>
    Effect.gen(function* () {
      const circular: Record<string, unknown> = {}
      circular["self"] = circular
      const fields = { circular, url: Redacted.make("hunter2"), nothing: undefined, call: () => 1, map: new Map() }
      const line = yield* jsonOf(Effect.logInfo("start").pipe(Effect.annotateLogs(fields)))
      assert.notInclude(JSON.stringify(line), "hunter2")
    })
  )

  const hostile = "\u001b[2J\n\r\u0000\u202e\u2028\u{e0001}"

  it.effect("is one line of visible characters whatever the values are, and loses none of them", () =>
    Effect.gen(function* () {
      const log = Effect.logInfo("cleanup.failed").pipe(Effect.annotateLogs({ game_id: hostile }))
      const [text = ""] = yield* linesOf(log, { level: "Info", format: "json" })
      assert.notMatch(text, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
      assert.strictEqual((yield* jsonOf(log))["game_id"], hostile)
    })
  )

  it.effect("cuts long values and long errors", () =>
    Effect.gen(function* () {
      const huge = "x".repeat(1_000_000)
      const log = Effect.logInfo("cleanup.failed", Cause.fail(new Broken({ message: huge }))).pipe(
        Effect.annotateLogs({ game_id: huge, list: [huge] })
      )
      const [text = ""] = yield* linesOf(log, { level: "Info", format: "json" })
      assert.isBelow(text.length, 12_000)
    })
  )
})

describe("a log line for people", () => {
  it.effect("is short, with the error indented below it and nothing that a terminal obeys", () =>
    Effect.gen(function* () {
      const log = Effect.logWarning("cleanup.failed", Cause.fail(new Broken({ message: "no\u001b[2J luck" }))).pipe(
        Effect.annotateLogs({ game_id: "g-1\n", attempts: 2 })
      )
      const [text = ""] = yield* linesOf(log, { level: "Info", format: "pretty" })
      const [head = "", error = ""] = text.split("\n")
      assert.match(head, /^00:00:00\.000 .*WARN .* ?cleanup\.failed game_id="g-1\\n" attempts=2$/)
      assert.match(error, /^ {4}Broken: no\\u001b\[2J luck/)
    })
  )
})

describe("the log level", () => {
  it.effect("drops what is below it", () =>
    Effect.gen(function* () {
      const log = Effect.logDebug("a").pipe(Effect.andThen(Effect.logWarning("b")), Effect.andThen(Effect.logInfo("c")))
      const count = (level: "Trace" | "Info" | "Warn") =>
        linesOf(log, { level, format: "json" }).pipe(Effect.map((lines) => lines.length))
      assert.deepStrictEqual([yield* count("Trace"), yield* count("Info"), yield* count("Warn")], [3, 2, 1])
    })
  )
})
