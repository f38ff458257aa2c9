import { syncBuiltinESMExports } from "node:module"
import os from "node:os"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { authorOf } from "../../src/cli/act.ts"
import { Author } from "../../src/domain/Act.ts"

const { userInfo } = os

const asking = (ask: typeof userInfo) =>
  Effect.sync(() => {
    os.userInfo = ask
    syncBuiltinESMExports()
  })

/** As in the image, whose user is only a number. */
const nameless = Effect.acquireRelease(
  asking(() => {
    throw new Error("uv_os_get_passwd returned ENOENT")
  }),
  () => asking(userInfo)
)

describe("the author of an act", () => {
  it.effect("is the shell's user by default", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* authorOf(Option.none()), `${userInfo().username}@${os.hostname()}`)
    })
  )

  it.effect("must be given where the shell's user has no name", () =>
    Effect.gen(function* () {
      yield* nameless
      const failed = yield* Effect.flip(authorOf(Option.none()))
      assert.deepInclude(failed, { _tag: "CommandFailed", code: 2 })
      assert.include(failed.message, "--author")
      assert.strictEqual(yield* authorOf(Option.some(Author.make("ann"))), "ann")
    })
  )
})
