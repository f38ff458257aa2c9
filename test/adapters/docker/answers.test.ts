import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { decode as decodeAnswer, Listed, saysAbsent, Time, wordsOf } from "../../../src/adapters/docker/answers.ts"
import { containerId } from "../../support/records.ts"

const decode = Schema.decodeUnknownOption(Time)

const times: ReadonlyArray<readonly [string, number | null]> = [
  ["2026-01-02T03:04:05Z", Date.UTC(2026, 0, 2, 3, 4, 5)],
  ["2026-01-02T03:04:05.1Z", Date.UTC(2026, 0, 2, 3, 4, 5, 100)],
  ["2026-01-02T03:04:05.999999999Z", Date.UTC(2026, 0, 2, 3, 4, 5, 999)],
  ["2026-01-02T03:04:05.000999999+02:00", Date.UTC(2026, 0, 2, 1, 4, 5)],
  ["1969-12-31T23:59:59.9999Z", -1],
  ["0001-01-01T00:00:00Z", null]
]

const milliseconds = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Date.UTC(9999, 11, 31) }))
const nanoseconds = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 999_999 }))

describe("answers of Docker's API", () => {
  for (const [text, millis] of times) {
    it(`reads the time ${text}`, () => {
      assert.deepStrictEqual(decode(text), Option.some(millis))
    })
  }

  for (const text of ["", "now", "2026-01-02", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z", "1700000000", null, 5]) {
    it(`refuses the time ${JSON.stringify(text)}`, () => {
      assert.isTrue(Option.isNone(decode(text)))
    })
  }

  it.prop(
    "rounds every time down to its millisecond",
    { milliseconds, nanoseconds },
    ({ milliseconds, nanoseconds }) => {
      const text = new Date(milliseconds).toISOString().replace("Z", `${String(nanoseconds).padStart(6, "0")}Z`)
      assert.deepStrictEqual(decode(text), Option.some(milliseconds))
    }
  )

  it.effect("names the place of what it can not use in a few printable characters, whatever a label is called", () =>
    Effect.gen(function* () {
      const body = JSON.stringify([
        { Id: containerId("5"), Labels: { [`k\u0000\u001b[31m${"x".repeat(1_000_000)}`]: 5 } }
      ])
      const error = yield* Effect.flip(decodeAnswer(Listed)({ status: 200, fromEngine: true, fromPodman: false, body }))
      assert.match(error.detail, /^unusable answer at answer\.0\.Labels\.k\\u\{0\}\\u\{1b\}\[31mx+…$/)
      assert.isBelow(error.detail.length, 200)
    })
  )

  it("event 31: keeps what went wrong of an engine's words, however long the path before it is", () => {
    const path = `/var/lib/docker/overlay2/${containerId("a")}/diff/srv/games/worlds/${"deep/".repeat(40)}world.db`
    const what = `container ${containerId("5")}: driver "overlay2" failed to remove root filesystem`
    const body = JSON.stringify({ message: `${what}: unlinkat ${path}: operation not permitted` })
    const words = wordsOf({ status: 500, fromEngine: true, fromPodman: false, body })
    assert.match(words, /^the engine answered 500: container 5+: driver "overlay2" failed .*…/)
    assert.match(words, /world\.db: operation not permitted$/)
    assert.isAtMost(`not removed: ${words}`.length, 300)
  })

  it.prop("calls nothing absent that does not name the container", { body: Schema.String }, ({ body }) => {
    const id = containerId("5")
    assert.isFalse(saysAbsent({ status: 404, fromEngine: true, fromPodman: false, body }, id))
    assert.isFalse(
      saysAbsent({ status: 404, fromEngine: true, fromPodman: false, body: JSON.stringify({ message: body }) }, id)
    )
  })
})
