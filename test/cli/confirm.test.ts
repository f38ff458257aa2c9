import { spawn } from "node:child_process"
import { text } from "node:stream/consumers"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { command } from "../support/service.ts"

/** Nothing listens there, so a command that goes on ends with 3. */
const env = { RTMANAGER_DATABASE_URL: "postgres://nobody:nothing@127.0.0.1:1/none" }
const clean = ["clean", "game-1", "--reason", "a test"]

/** Runs a command on a terminal of its own, and types the answer to its question. */
const onTerminal = (args: ReadonlyArray<string>, answer: string) =>
  Effect.promise(async () => {
    const line = [process.execPath, "src/main.ts", ...args].map((word) => `'${word}'`).join(" ")
    const child = spawn("script", ["--quiet", "--return", "--command", line, "/dev/null"], {
      env: { PATH: process.env["PATH"], ...env },
      stdio: ["pipe", "pipe", "inherit"]
    })
    const code = new Promise<number | null>((resolve) => child.once("close", resolve))
    let seen = ""
    child.stdout.on("data", (chunk: Buffer) => {
      const before = seen
      seen += chunk.toString()
      if (!before.includes("whatever its age?") && seen.includes("whatever its age?")) child.stdin.write(answer)
    })
    const said = await text(child.stdout)
    child.stdin.end()
    return { code: await code, said }
  })

describe("a question before containers may go", () => {
  it.live.each([
    { answer: "n", code: 4, what: "no" },
    { answer: "\r", code: 4, what: "nothing but Enter" },
    { answer: "\u0003", code: 4, what: "Ctrl-C" },
    { answer: "y", code: 3, what: "yes" }
  ])("ends with $code on a terminal where a person says $what", ({ answer, code }) =>
    Effect.gen(function* () {
      const ended = yield* onTerminal(clean, answer)
      assert.strictEqual(ended.code, code)
      assert.strictEqual(ended.said.includes("not confirmed: nothing was done"), code === 4)
    })
  )

  it.live("is not asked with --yes, and of a script, which has no terminal", () =>
    Effect.gen(function* () {
      const sure = yield* onTerminal([...clean, "--yes"], "")
      assert.strictEqual(sure.code, 3)
      assert.notInclude(sure.said, "whatever its age?")
      const { code, stdout } = yield* command(clean, env)
      assert.strictEqual(code, 3)
      assert.strictEqual(stdout, "")
    })
  )

  it.live("takes the place of no flag", () =>
    Effect.gen(function* () {
      const { code, said } = yield* onTerminal(["clean", "game-1"], "y")
      assert.strictEqual(code, 2)
      assert.include(said, "reason")
    })
  )
})
