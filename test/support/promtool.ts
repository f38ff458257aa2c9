import { spawnSync } from "node:child_process"
import { assert } from "@effect/vitest"

/** For `describeWith`. */
export const missing = spawnSync("promtool", ["--version"]).status === 0 ? undefined : "no promtool on the path"

/** Fails with what promtool wrote where it finds something wrong. */
export const assertPasses = (...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync("promtool", args, { encoding: "utf8" })
  assert.strictEqual(status, 0, `${stdout}${stderr}`)
}
