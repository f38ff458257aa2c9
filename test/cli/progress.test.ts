import { assert, it } from "@effect/vitest"
import { progressText } from "../../src/cli/progress.ts"

it.each([
  [{ done: 0, due: 10, seconds: 0 }, "0/10 games, 0 a second, ? left"],
  [{ done: 50, due: 200, seconds: 10 }, "50/200 games, 5 a second, 30s left"],
  [{ done: 200, due: 200, seconds: 40 }, "200/200 games, 5 a second, 0 left"],
  [{ done: 50, due: undefined, seconds: 10 }, "50/? games, 5 a second, ? left"],
  [{ done: 201, due: 200, seconds: 40 }, "201/200 games, 5 a second, 0 left"]
])("tells %j as %s", (progress, expected) => {
  assert.strictEqual(progressText(progress), expected)
})
