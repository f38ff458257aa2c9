import { syncBuiltinESMExports } from "node:module"
import os from "node:os"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { actFailed, authorOf } from "../../src/cli/act.ts"
import { Author } from "../../src/domain/Act.ts"
import { ActRefused, ActRepeated } from "../../src/operator/act.ts"
import { NotMigrated, StoreError } from "../../src/ports/StoreError.ts"

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

describe("a command whose act was not done", () => {
  it.each([
    ["4 if it was refused", new ActRefused({ message: "why" }), 4, "why"],
    ["4 if a guard refused its pass", new ActRefused({ message: "why", reason: "paused" }), 4, "why"],
    ["3 if its pass had no database", new ActRefused({ message: "why", reason: "database_down" }), 3, "why"],
    ["4 if it was asked for before", new ActRepeated({ message: "why" }), 4, "why"],
    [
      "3 if the database is not ready",
      new StoreError({ operation: "pause", reason: new NotMigrated({ detail: "why" }) }),
      3,
      "why"
    ]
  ] as const)("ends with %s", (_, error, code, message) => {
    const failed = actFailed(error)
    assert.strictEqual(failed.code, code)
    assert.include(failed.message, message)
  })
})
