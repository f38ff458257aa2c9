import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { cut, table, widthOf } from "../../src/cli/table.ts"

const lines = (text: string) => text.split("\n")

describe("the width of text", () => {
  it.each([
    ["", 0],
    ["chess", 5],
    ["日本", 4],
    ["한국", 4],
    ["ｶﾅ", 2],
    ["！", 2],
    ["é", 1],
    ["e\u0301", 1],
    ["🎲", 2],
    ["❤\ufe0f", 2],
    ["ä日🎲", 5]
  ])("of %j is %i", (text, width) => {
    assert.strictEqual(widthOf(text), width)
  })
})

describe("text that is cut", () => {
  it.each([
    ["chess", 5, "chess"],
    ["chess", 4, "che…"],
    ["chess", 1, "…"],
    ["日本国", 6, "日本国"],
    ["日本国", 5, "日本…"],
    ["日本国", 4, "日…"],
    ["e\u0301te\u0301", 2, "e\u0301…"]
  ])("%j to %i columns is %j", (text, width, expected) => {
    assert.strictEqual(cut(text, width), expected)
  })
})

describe("a table", () => {
  const rows = [
    { game: "game-1", outcome: "failure", message: "the container is running, although its record says stopped" },
    { game: "game-2", outcome: "success", message: null }
  ]

  it("has its columns under their names, and `-` for nothing", () => {
    assert.deepStrictEqual(lines(table(rows)), [
      "game    outcome  message",
      "game-1  failure  the container is running, although its record says stopped",
      "game-2  success  -"
    ])
  })

  it("cuts the widest column where the terminal ends", () => {
    assert.deepStrictEqual(lines(table(rows, { width: 40, ids: ["game"] })), [
      "game    outcome  message",
      "game-1  failure  the container is runni…",
      "game-2  success  -"
    ])
  })

  it("keeps ids whole while anything else can be cut", () => {
    assert.deepStrictEqual(lines(table(rows, { width: 18, ids: ["game"] })), [
      "game    out…  mes…",
      "game-1  fai…  the…",
      "game-2  suc…  -"
    ])
  })

  it("cuts ids to where they still differ", () => {
    const long = [
      { game: `a1${"0".repeat(60)}`, code: "engine_error" },
      { game: `a2${"0".repeat(60)}`, code: "engine_error" }
    ]
    assert.deepStrictEqual(lines(table(long, { width: 16, ids: ["game"] })), [
      "game     code",
      "a10000…  engine…",
      "a20000…  engine…"
    ])
    const tail = [
      { game: "chess-000001", code: "engine_error" },
      { game: "chess-000002", code: "engine_error" }
    ]
    assert.deepStrictEqual(lines(table(tail, { width: 18, ids: ["game"] })), [
      "game          code",
      "chess-000001  eng…",
      "chess-000002  eng…"
    ])
  })

  it("counts wide characters by the columns that they take", () => {
    assert.deepStrictEqual(
      lines(
        table([
          { author: "日本", reason: "x" },
          { author: "ann", reason: "y" }
        ])
      ),
      ["author  reason", "日本    x", "ann     y"]
    )
  })

  const cell = fc.option(
    fc
      .oneof(fc.string({ maxLength: 80 }), fc.string({ unit: "grapheme", maxLength: 40 }))
      .map((text) => text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "")),
    { nil: null }
  )

  it("is never wider than the terminal, has a line for each row, and is cut only where it has to be", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ game: cell, code: cell, message: cell }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 16, max: 200 }),
        (rows, width) => {
          const narrow = lines(table(rows, { width, ids: ["game"] }))
          const whole = lines(table(rows))
          assert.lengthOf(narrow, rows.length + 1)
          for (const line of narrow) assert.isAtMost(widthOf(line), width)
          if (whole.every((line) => widthOf(line) <= width - 2)) {
            const widest = (key: "game" | "code" | "message") =>
              Math.max(key.length, ...rows.map((row) => widthOf(row[key] ?? "-")))
            if (widest("game") + widest("code") + widest("message") + 4 <= width) assert.deepStrictEqual(narrow, whole)
          }
        }
      ),
      { numRuns: 500 }
    )
  })
})
