import { spawnSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"

const main = `"${process.execPath}" src/main.ts`

/** What a shell makes of this line, without a variable of this process's but the path. */
const shell = (line: string) => {
  const { status, stderr, stdout } = spawnSync("bash", ["--norc", "--noprofile", "-c", `set -o pipefail; ${line}`], {
    env: { PATH: process.env["PATH"] },
    encoding: "utf8"
  })
  return { status, stderr, stdout }
}

describe("what a command prints", () => {
  it.each([`${main} --help`, `${main} demo --json`])("event 34: ends quietly where nobody reads on: %s", (command) => {
    assert.deepStrictEqual(shell(`${command} | true`), { status: 0, stderr: "", stdout: "" })
  })

  it.each([`${main} --help`, `${main} --version`, `${main} demo`, `${main} demo --json`])(
    "event 34: is an error and exit 3 where the disk is full: %s",
    (command) => {
      const { status, stderr } = shell(`${command} > /dev/full`)
      assert.strictEqual(status, 3)
      assert.match(stderr, /^cannot write to stdout: ENOSPC.*\n$/)
    }
  )

  it("event 34: does not depend on stderr", () => {
    const { status, stdout } = shell(`${main} demo 2> /dev/full`)
    assert.strictEqual(status, 0)
    assert.match(stdout, /pass: partial/)
  })
})
