import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { mutants } from "./mutants.ts"

describe("the list of mutants", () => {
  it.each(mutants.map((mutant) => [mutant.name, mutant] as const))(
    "changes one place that is there: %s",
    (_, mutant) => {
      assert.lengthOf(readFileSync(mutant.file, "utf8").split(mutant.from), 2)
      assert.notStrictEqual(mutant.from, mutant.to)
    }
  )

  it("has each name once", () => {
    assert.strictEqual(new Set(mutants.map(({ name }) => name)).size, mutants.length)
  })

  it("uses only names that are there, because a name that is not would be killed for that alone", async () => {
    const folder = mkdtempSync(join(tmpdir(), "rtmanager-test-"))
    try {
      // One more file to check.
      writeFileSync(join(folder, "biome.json"), "{}")
      for (const [i, { file, from, name, to }] of mutants.entries()) {
        const mutated = readFileSync(file, "utf8").replace(from, () => to)
        writeFileSync(join(folder, `${i}.ts`), `// ${name}\n${mutated}`)
      }
      const args = ["lint", "--only=correctness/noUndeclaredVariables", `--config-path=${folder}`, folder]
      const lint = promisify(execFile)(process.execPath, ["node_modules/@biomejs/biome/bin/biome", ...args])
      const { stderr, stdout } = await lint.catch((failed) => failed)
      const said = `${stdout}${stderr}`
      assert.match(said, new RegExp(`^Checked ${mutants.length + 1} `))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
