import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { serverUser } from "../../src/adapters/embedded/serverUser.ts"
import { version } from "../../src/config/version.ts"
import { skip } from "../support/needs.ts"

/** As `nobody`, who can write nowhere but in a temporary folder of this test. */
const asNobody = (command: string, args: ReadonlyArray<string>) => {
  const folder = mkdtempSync(join(tmpdir(), "rtmanager-test-"))
  try {
    spawnSync("chown", [String(serverUser?.uid), folder])
    const env = { PATH: process.env["PATH"], TMPDIR: folder, HOME: "/nonexistent" }
    const { status, stderr, stdout } = spawnSync(command, args, { ...serverUser, env, encoding: "utf8" })
    return { status, stderr, stdout, left: readdirSync(folder) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const describeRoot = (name: string, body: () => void) =>
  serverUser === undefined ? skip("only root can be another user", name, body) : describe(name, body)

describeRoot("a checkout that its user cannot write to", () => {
  it("event 38: shows the main job, and leaves nothing behind", () => {
    const { left, status, stdout } = asNobody(process.execPath, ["bin/node26.mjs", "src/main.ts", "demo"])
    assert.strictEqual(status, 0)
    assert.match(stdout, /pass: partial/)
    assert.deepStrictEqual(
      left.filter((name) => name.startsWith("rtmanager-")),
      []
    )
  })

  it("event 38: works through npm's link to the command", () => {
    const { status, stdout } = asNobody("node_modules/.bin/rtmanager-cleanup", ["--version"])
    assert.strictEqual(status, 0)
    assert.include(stdout, version)
  })
})
