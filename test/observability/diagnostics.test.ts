import { assert, describe, it } from "@effect/vitest"
import { diag } from "@opentelemetry/api"
import { Effect, Logger } from "effect"
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
})
