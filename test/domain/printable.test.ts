import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { printable, printableEnds } from "../../src/domain/printable.ts"

describe("printable", () => {
  it.each([
    ["plain text", "game-1", "game-1"],
    ["a terminal's escape", "\u001b[31m", "\\u{1b}[31m"],
    ["line breaks", "a\r\nb\u2028c", "a\\u{d}\\u{a}b\\u{2028}c"],
    ["text that changes direction", "\u202eabc", "\\u{202e}abc"],
    ["a lone surrogate", "\ud800", "\\u{d800}"],
    ["other languages and emoji", "Grüße 🎮", "Grüße 🎮"]
  ])("escapes what hides or acts: %s", (_, text, expected) => {
    assert.strictEqual(printable(text), expected)
  })

  it.prop("holds no control character and is short, whatever it is given", [Schema.String], ([text]) => {
    assert.notMatch(printable(text), /\p{Cc}/u)
    assert.isAtMost(printable(text.repeat(50)).length, 129)
  })
})

describe("printable ends", () => {
  const ends = printableEnds(5)

  it.each([
    ["what fits", "0123456789", "0123456789"],
    ["the beginning and the end of what does not", "0123456789a", "01234…6789a"],
    ["what is escaped, if it fits", "a\n", "a\\u{a}"],
    ["the ends of what no longer fits once it is escaped", "\n2345678\n", "\\u{a}…\\u{a}"]
  ])("keep %s", (_, text, expected) => {
    assert.strictEqual(ends(text), expected)
  })

  it.prop("hold no control character and are short, whatever they are of", [Schema.String], ([text]) => {
    assert.notMatch(ends(text.repeat(50)), /\p{Cc}/u)
    assert.isAtMost(ends(text.repeat(50)).length, 11)
  })
})
