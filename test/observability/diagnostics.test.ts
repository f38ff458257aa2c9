import { assert, describe, it } from "@effect/vitest"
import { diag } from "@opentelemetry/api"
import { Effect, Logger, References } from "effect"
import { TestClock } from "effect/testing"
import { layer } from "../../src/observability/diagnostics.ts"

describe("the SDK's complaints", () => {
  it.effect("event 23: become one warning a minute at most, and none once the scope is closed", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const memory = Logger.make(({ message, logLevel }) => {
        lines.push([logLevel, message])
      })
      const complain = Effect.sync(() => {
        diag.error("export failed")
        diag.warn("queue is full")
        diag.info("retrying")
      })
      yield* Effect.gen(function* () {
        yield* complain
        yield* TestClock.adjust("59 seconds")
        yield* complain
        assert.strictEqual(lines.length, 1)
        yield* TestClock.adjust("1 second")
        yield* complain
      }).pipe(Effect.provide(layer), Effect.provide(Logger.layer([memory])))
      yield* TestClock.adjust("1 hour")
      yield* complain
      const warning = ["Warn", ["telemetry.problem"]]
      assert.deepStrictEqual(lines, [warning, warning])
    })
  )

  it.effect("event 35: name a gRPC port by how its answer looks", () =>
    Effect.gen(function* () {
      const hints: Array<unknown> = []
      const memory = Logger.make(({ fiber }) => {
        hints.push(fiber.getRef(References.CurrentLogAnnotations)["hint"])
      })
      yield* Effect.gen(function* () {
        diag.error("Parse Error: Expected HTTP/, RTSP/ or ICE/")
        yield* TestClock.adjust("1 minute")
        diag.error("connect ECONNREFUSED 127.0.0.1:4318")
        yield* TestClock.adjust("1 minute")
      }).pipe(Effect.provide(layer), Effect.provide(Logger.layer([memory])))
      assert.lengthOf(hints, 2)
      assert.match(String(hints[0]), /gRPC port.*4318/)
      assert.isUndefined(hints[1])
    })
  )
})
