import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"

const pages = globSync(["*.md", "docs/*.md"])

/** As hosts of repositories make them of headings. */
const anchors = (page: string) =>
  [...readFileSync(page, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, "")
      .replaceAll(" ", "-")
  )

const links = (page: string) =>
  [...readFileSync(page, "utf8").matchAll(/\]\((?!\w+:)([^)#]*)(?:#([^)]*))?\)/g)].map(([, path = "", anchor]) => ({
    file: path === "" ? page : join(dirname(page), path),
    anchor
  }))

describe("the documentation", () => {
  it.each(pages)("leads from %s only to what is there", (page) => {
    const wrong = links(page).filter(
      ({ file, anchor }) => !existsSync(file) || (anchor !== undefined && !anchors(file).includes(anchor))
    )
    assert.deepStrictEqual(wrong, [])
  })

  it("numbers the decisions in order and without a gap", () => {
    const numbers = [...readFileSync("docs/decisions.md", "utf8").matchAll(/^### D(\d+)\. /gm)].map(([, n]) =>
      Number(n)
    )
    assert.isNotEmpty(numbers)
    assert.deepStrictEqual(
      numbers,
      numbers.map((_, index) => index + 1)
    )
  })
})
