import { readFileSync } from "node:fs"
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
})
