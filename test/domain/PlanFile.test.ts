import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import fc from "fast-check"
import { Micros, microsText } from "../../src/domain/Micros.ts"
import { PlanFile, readPlan } from "../../src/domain/PlanFile.ts"
import { containerId } from "../support/records.ts"

const furthest = 8_640_000_000_000_000_000n
const decodeMicros = Schema.decodeUnknownResult(Micros)

describe("a time in a plan", () => {
  it("comes back to the microsecond, whatever it is", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -furthest, max: furthest }), (micros) => {
        assert.deepStrictEqual(decodeMicros(microsText(micros)), Result.succeed(micros))
      })
    )
    for (const micros of [-furthest, -1n, 0n, furthest]) {
      assert.deepStrictEqual(decodeMicros(microsText(micros)), Result.succeed(micros))
    }
  })

  it.each([
    [1_767_225_599_123_456n, "2025-12-31T23:59:59.123456Z"],
    [-1n, "1969-12-31T23:59:59.999999Z"],
    [-210_863_520_000_000_000n, "-004712-01-01T00:00:00.000000Z"]
  ])("is RFC 3339 with six digits: %i", (micros, text) => {
    assert.strictEqual(microsText(micros), text)
  })

  it.each([
    "2026-02-30T00:00:00.000000Z",
    "2026-01-31T24:00:00.000000Z",
    "2026-01-31T00:00:00.000Z",
    "2026-01-31T00:00:00.000000+01:00",
    "2026-01-31 00:00:00.000000Z",
    "-000000-01-01T00:00:00.000000Z",
    "+275760-09-13T00:00:00.000001Z",
    "1767225599123456",
    ""
  ])("has no other form: %s", (text) => {
    assert.isTrue(Result.isFailure(decodeMicros(text)))
  })
})

const row = {
  game_id: "game-1",
  container_id: containerId(1),
  last_op_at: "2026-01-31T23:59:59.123456Z",
  action: "remove",
  rule: "retention 30d"
}

const file = {
  id: "3a5c7f0e-1111-4222-8333-444455556666",
  version: 1,
  made_at: "2026-11-01T00:00:00.000Z",
  engine: "default",
  engine_id: "id/none/overlay2:/var/lib/docker",
  cutoff: "2026-10-02T00:00:00.000Z",
  retention: "30d",
  games: [row, { ...row, game_id: "game-2", container_id: null, action: "mark_removed" }]
}

describe("a plan file", () => {
  it("is read back as it was written", () => {
    const plan = Result.getOrThrow(readPlan(JSON.stringify(file)))
    assert.strictEqual(plan.games[0]?.lastOpAt, 1_769_903_999_123_456n)
    assert.deepStrictEqual(Schema.encodeSync(PlanFile)(plan), file as (typeof PlanFile)["Encoded"])
  })

  const games = (count: number, changes: object) =>
    Array.from({ length: count }, (_, i) => ({ ...row, game_id: `g${i}`, ...(i === count - 1 && changes) }))

  it.each<readonly [what: string, text: unknown, problem: RegExp]>([
    ["that is no JSON", "{", /^not JSON: /],
    ["that is no object", "[]", /^the whole: /],
    ["without an id", { ...file, id: undefined }, /^id: /],
    ["with an id in upper case", { ...file, id: file.id.toUpperCase() }, /^id: .*UUID/],
    ["of a later version", { ...file, version: 2 }, /^version: /],
    ["made at no time", { ...file, made_at: "yesterday" }, /^made_at: /],
    [
      "with a day that no month has",
      { ...file, games: games(2, { last_op_at: "2026-02-30T00:00:00.000000Z" }) },
      /^games\[1\]\.last_op_at: /
    ],
    ["of an engine that cannot be", { ...file, engine: "Host 1" }, /^engine: /],
    ["with a field that nobody knows", { ...file, gamse: [] }, /^gamse: /],
    ["without games", { ...file, games: null }, /^games: /],
    [
      "with a container's name",
      { ...file, games: games(18, { container_id: "../x" }) },
      /^games\[17\]\.container_id: /
    ],
    ["with a time in another form", { ...file, games: games(3, { last_op_at: 17 }) }, /^games\[2\]\.last_op_at: /],
    ["with a game to keep", { ...file, games: games(1, { action: "keep" }) }, /^games\[0\]\.action: /],
    ["with a row that lacks a field", { ...file, games: [{ ...row, rule: undefined }] }, /^games\[0\]\.rule: /],
    ["with a row of garbage", { ...file, games: [row, 7] }, /^games\[1\]: /],
    ["with a game without a name", { ...file, games: games(2, { game_id: "" }) }, /^games\[1\]\.game_id: /],
    [
      "with a game twice",
      { ...file, games: [...games(4, {}), { ...row, game_id: "g1" }] },
      /^games\[4\]: games\[1\] again/
    ]
  ])("%s is refused, and what is wrong is named", (_, text, problem) => {
    const read = readPlan(typeof text === "string" ? text : JSON.stringify(text))
    assert(Result.isFailure(read))
    assert.match(read.failure, problem)
    assert.notMatch(read.failure, /\n/)
  })
})
