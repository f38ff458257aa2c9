import { assert, describe, it } from "@effect/vitest"
import { heldBy } from "../../src/domain/Hold.ts"

describe("a hold as text", () => {
  it.each([
    [{ until: new Date(0) }, 'held by ann until 1970-01-01T00:00:00.000Z: "why"'],
    [{ until: null }, 'held by ann until released: "why"'],
    [{ until: null, author: "a\nb", reason: "\u202eevil" }, 'held by a\\u{a}b until released: "\\u{202e}evil"']
  ])("says who, until when and why, on one line: %j", (changes, text) => {
    assert.strictEqual(heldBy({ author: "ann", reason: "why", ...changes }), text)
  })
})
