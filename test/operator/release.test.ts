import { assert, describe } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Author, Reason } from "../../src/domain/Act.ts"
import { type ReleaseRequest, release } from "../../src/operator/release.ts"
import { Holds } from "../../src/ports/Holds.ts"
import { testIn } from "../support/testIn.ts"
import { actRows, layerPorts } from "../support/world.ts"

const inWorld = testIn(layerPorts)

const [ann, bob] = [Author.make("ann"), Author.make("bob")]
const reason = Reason.make("it is solved")

const place = (author: Author, gameId = "game") =>
  Effect.flatMap(Holds, (holds) => holds.place({ gameId, author, reason, end: null }))

const releasing = (options: Partial<Pick<ReleaseRequest, "now" | "all" | "seen">>) =>
  release({ gameId: "game", author: ann, reason, now: false, all: false, ...options })

const left = Effect.flatMap(Holds, ({ of }) =>
  Effect.map(of("game"), (holds) => holds.map(({ author, until }) => [author, until?.getTime() ?? null]))
)

const day = Duration.toMillis("24 hours")

describe("a release", () => {
  inWorld("lets the author's own hold end after a day, and says when", function* () {
    yield* place(ann)
    yield* place(bob)
    const { message, value } = yield* releasing({})
    assert.strictEqual(message, "ann's hold on game ends at 1970-01-02T00:00:00.000Z")
    assert.deepStrictEqual(
      value.map(({ author }) => author),
      [ann]
    )
    assert.deepStrictEqual(yield* left, [
      [ann, day],
      [bob, null]
    ])
    assert.deepInclude((yield* actRows).at(-1), { act: "release", target: "game", result: "done", message })
  })

  inWorld("ends it at once if it is told to", function* () {
    yield* place(ann)
    yield* place(bob)
    yield* releasing({ now: true })
    assert.deepStrictEqual(yield* left, [[bob, null]])
  })

  inWorld("lets all holds on the game end, and on no other", function* () {
    yield* place(ann)
    yield* place(bob)
    yield* place(bob, "other")
    assert.strictEqual(
      (yield* releasing({ all: true })).message,
      "ann's hold on game ends at 1970-01-02T00:00:00.000Z\nbob's hold on game ends at 1970-01-02T00:00:00.000Z"
    )
    assert.isNull((yield* (yield* Holds).of("other"))[0]?.until)
  })

  inWorld("is refused to an author without a hold, and names those there are", function* () {
    yield* place(bob)
    const refused = yield* Effect.flip(releasing({}))
    assert.deepInclude(refused, {
      _tag: "ActRefused",
      message: 'ann does not hold game; it is held by bob until released: "it is solved"'
    })
    assert.deepInclude((yield* actRows).at(-1), { result: "refused", message: refused.message })
    assert.deepStrictEqual(yield* left, [[bob, null]])
  })

  inWorld("ends the holds that were seen, and is refused if another one would have to end", function* () {
    yield* place(ann)
    const { of } = yield* Holds
    const seen = yield* of("game")
    yield* place(bob)
    const refused = yield* Effect.flip(releasing({ all: true, seen }))
    assert.strictEqual(
      refused.message,
      'the holds on game are not those that were seen; it is held by ann until released: "it is solved", and held by bob until released: "it is solved"'
    )
    assert.deepStrictEqual(yield* left, [
      [ann, null],
      [bob, null]
    ])
    yield* releasing({ now: true, seen })
    yield* TestClock.adjust("1 second")
    yield* place(ann)
    assert.match((yield* Effect.flip(releasing({ seen }))).message, /^the holds on game are not those that were seen/)
    yield* releasing({ now: true, all: true, seen: yield* of("game") })
    assert.deepStrictEqual(yield* left, [])
  })

  inWorld("is refused if nobody holds the game", function* () {
    for (const all of [false, true]) {
      assert.deepInclude(yield* Effect.flip(releasing({ all })), { message: "nobody holds game" })
    }
  })
})
