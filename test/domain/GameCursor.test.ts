import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import fc from "fast-check"
import { GameCursor, type GamePlace } from "../../src/domain/GameCursor.ts"
import { gameStates } from "../../src/domain/GamePage.ts"

const encode = Schema.encodeSync(GameCursor)
const decode = Schema.decodeUnknownResult(GameCursor)

const bytes = fc.string({ unit: "binary" }).map((text) => Buffer.from(text).toString("hex"))

const place: fc.Arbitrary<GamePlace> = fc.record({
  state: fc.constantFrom(...gameStates),
  engine: bytes,
  lastOpAt: fc.oneof(
    fc.constantFrom(null, "infinity", "-infinity", "0", "-210866803200000000", "9224318015999999999"),
    fc.bigInt({ min: -210_866_803_200_000_000n, max: 9_224_318_015_999_999_999n }).map(String)
  ),
  gameId: bytes
})

const text = (json: unknown) =>
  Buffer.from(typeof json === "string" ? json : JSON.stringify(json)).toString("base64url")

const some = { state: "due", engine: "", lastOpAt: "0", gameId: "61" }

describe("a cursor", () => {
  it("leads back to its place, in characters that a URL can have", () => {
    fc.assert(
      fc.property(place, (place) => {
        const cursor = encode(place)
        assert.match(cursor, /^[\w-]+$/)
        assert.deepStrictEqual(decode(cursor), Result.succeed(place))
      })
    )
  })

  it("that is any other text is an error, or a place, and never a defect", () => {
    const json = fc.json().map(text)
    const near = fc.record({
      state: fc.oneof(fc.constant("due"), fc.string()),
      engine: fc.string(),
      lastOpAt: fc.oneof(fc.string(), fc.integer(), fc.constant(null)),
      gameId: fc.oneof(bytes, fc.string())
    })
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" }), json, near.map(text)), (forged) => {
        const decoded = decode(forged)
        if (Result.isSuccess(decoded)) assert.deepStrictEqual(decode(encode(decoded.success)), decoded)
      })
    )
  })

  it.each([
    ["empty", ""],
    ["no base64", "%%%"],
    ["no JSON", text("{")],
    ["of another list", text({ ...some, state: "all" })],
    ["without an id", text({ ...some, gameId: undefined })],
    ["with an id that is no bytes", text({ ...some, gameId: "6" })],
    ["with an engine that is no bytes", text({ ...some, engine: "zz" })],
    ["with a time that is none", text({ ...some, lastOpAt: "now" })],
    ["with a time before PostgreSQL's first", text({ ...some, lastOpAt: "-210866803200000001" })],
    ["with a time after PostgreSQL's last", text({ ...some, lastOpAt: "9224318016000000000" })],
    ["with a number for a time", text({ ...some, lastOpAt: 0 })]
  ])("is none if it is %s", (_, forged) => {
    assert.isTrue(Result.isFailure(decode(forged)))
  })
})
